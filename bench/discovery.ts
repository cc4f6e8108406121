/**
 * What a Discovery Service takes: requests a second and their latency, of registrations that are synced before they
 * are answered, of records under check-and-set, and of views. Run: npm run bench:discovery [-- SECONDS]
 */
import { Agent, request } from "node:http";
import { startDiscoveryService } from "../test/support/discovery-services.ts";
import { quantile, table } from "./figures.ts";

const SECONDS = Number(process.argv[2] ?? 5);
const CLIENTS = [1, 50];

type Ask = {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

const agent = new Agent({ keepAlive: true, maxSockets: 200 });

/** Gives the status and the body of the answer. */
function send(
  url: string,
  { method, path, body = "", headers = {} }: Ask,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const length = { "content-length": String(Buffer.byteLength(body)) };
    const sent = request(`${url}${path}`, { method, agent, headers: { ...headers, ...length } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: text }));
    });
    sent.on("error", reject).end(body);
  });
}

/** Milliseconds of each request that so many clients made one after the other. Throws for any that was refused. */
async function load(
  url: string,
  clients: number,
  next: (client: number, at: number) => Ask,
): Promise<number[]> {
  const times: number[] = [];
  const endAt = performance.now() + SECONDS * 1_000;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let at = 0; performance.now() < endAt; at++) {
        const from = performance.now();
        const { status, body } = await send(url, next(client, at));
        if (status >= 300) throw new Error(`${status} ${body}`);
        times.push(performance.now() - from);
      }
    }),
  );
  return times;
}

async function main(): Promise<void> {
  const service = await startDiscoveryService(["-log-level=error"]);
  const create = async () =>
    (JSON.parse((await send(service.url, { method: "POST", path: "/" })).body) as { disco_id: string })
      .disco_id;
  try {
    const rows: string[][] = [];
    for (const clients of CLIENTS) {
      const ids = await Promise.all(Array.from({ length: clients }, create));
      const kinds: Readonly<Record<string, (client: number, at: number) => Ask>> = {
        // A new address again and again would fill the id: each is taken out again.
        register: (client, at) => ({
          method: at % 2 === 0 ? "POST" : "DELETE",
          path: `/${ids[client]}`,
          body: `{"addr":"n${client}-${Math.floor(at / 2)}:4001"}`,
        }),
        announce: (client) => ({
          method: "PUT",
          path: `/bench-${client}/members/n?ttl=60s`,
          body: '{"id":"n","incarnation":"i"}',
        }),
        view: (client) => ({ method: "GET", path: `/bench-${client}/view` }),
      };
      for (const [kind, next] of Object.entries(kinds)) {
        const times = await load(service.url, clients, next);
        const at = (q: number) => quantile(times, q).toFixed(1);
        rows.push([kind, String(clients), (times.length / SECONDS).toFixed(0), at(0.5), at(0.99)]);
      }
    }
    const head = ["request", "clients", "a second", "median, ms", "p99, ms"];
    process.stdout.write(`${table([head, ...rows])}\n`);
  } finally {
    agent.destroy();
    await service.stop();
  }
}

await main();
