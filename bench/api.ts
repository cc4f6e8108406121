/**
 * How many requests a second an agent's `/v1/state` answers, beside rqlited's `/status` and Consul's
 * `/v1/agent/self` in the same run, in turns. Needs wrk. Run: npm run bench:api [-- SECONDS]
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { startConsul } from "../test/support/servers/consul.ts";
import { openNodes, untilLed } from "../test/support/supervised.ts";
import { median, table } from "./figures.ts";

delete process.env.NODE_EXTRA_CA_CERTS;
const SECONDS = Number(process.argv[2] ?? 5);
const ROUNDS = 3;

type Load = { readonly rps: number; readonly p99: number };

const inMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 };

/** One connection a client, 32 of them, one thread: the other core is the server's. */
async function load(url: string): Promise<Load> {
  const { stdout } = await promisify(execFile)("wrk", ["-t1", "-c32", `-d${SECONDS}s`, "--latency", url]);
  const [, p99 = "", unit = ""] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  const errors = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
  if (errors !== undefined) throw new Error(`${url}: ${errors} answers were no success`);
  return { rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), p99: Number(p99) * (inMs[unit] ?? 1) };
}

async function main(): Promise<void> {
  const consul = await startConsul();
  const fleet = openNodes();
  const config = JSON.stringify({ address: `${consul.address}:${consul.ports.http}` });
  const nodes = await fleet.start(
    ["a", "b", "c"],
    ["-disco-mode=consul-kv", `-disco-config=${config}`, "-bootstrap-expect=3", "-log-level=warn"],
  );
  try {
    const leader = await untilLed(nodes);
    const targets = {
      "rollcall /v1/state": `http://${leader.agent().addr()}/v1/state`,
      "rollcall /leader": `http://${leader.agent().addr()}/leader`,
      "rqlited /status": `http://${leader.http()}/status`,
      "rqlited /readyz": `http://${leader.http()}/readyz`,
      "consul /v1/agent/self": `http://${consul.address}:${consul.ports.http}/v1/agent/self`,
    };
    const loads = new Map<string, Load[]>();
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, url] of Object.entries(targets))
        loads.set(name, [...(loads.get(name) ?? []), await load(url)]);
    const of = (name: string) => ({
      rps: median((loads.get(name) ?? []).map((one) => one.rps)),
      p99: median((loads.get(name) ?? []).map((one) => one.p99)),
    });
    const rows = Object.keys(targets).map((name) => [name, of(name).rps.toFixed(0), of(name).p99.toFixed(1)]);
    process.stdout.write(`${table([["path", "requests a second", "p99, ms"], ...rows])}\n\n`);
    const own = of("rollcall /v1/state");
    for (const peer of ["rqlited /status", "consul /v1/agent/self"]) {
      const { rps, p99 } = of(peer);
      const [more, less] = [own.rps / rps, own.p99 / p99];
      process.stdout.write(
        `/v1/state against ${peer}: ${more.toFixed(1)} times the requests, aim 8: ${more >= 8 ? "met" : "missed"}; p99 ${less.toFixed(3)} of its, aim 0.1: ${less <= 0.1 ? "met" : "missed"}\n`,
      );
    }
  } finally {
    await fleet.end();
    await consul.stop();
  }
}

await main();
