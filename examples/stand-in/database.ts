/**
 * A stand-in for a database, for demonstrations and tests. It stores no rows and elects nobody: it has a role,
 * a list of peers and a data directory, and it does not start before its agent has said how.
 *
 *     node examples/stand-in/database.ts -agent 127.0.0.1:4100 -addr 127.0.0.1:5001 -data-dir DIR
 *
 *     GET  /          {"role":"primary"|"replica","peers":["127.0.0.1:5001",…],"genesis_id":"…"}
 *     GET  /health    {"kind","role":"leader"|"replica",…} as an agent with `-db http` reads it
 *     POST /replicas  {"addr","genesis_id"}: a primary of that genesis takes a replica; others answer 409
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

/** What the database keeps on its disk, and answers to `GET /`. */
type Data = {
  readonly role: "primary" | "replica";
  /** Addresses of all databases of the cluster, this one included. */
  readonly peers: readonly string[];
  readonly genesis_id: string;
};

/** The part of an agent's outcome that this database needs. */
type Outcome = {
  readonly kind: "bootstrap" | "join" | "existing";
  readonly genesis_id: string;
  readonly members: readonly { readonly api_addr: string }[];
  readonly revision: number;
};

const RETRY_MS = 100;

const agent = flag("-agent");
const addr = flag("-addr");
const dataDir = flag("-data-dir");
const file = join(dataDir, "database.json");
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(0));

const outcome = await nextOutcome(0);
let data = await begin(outcome);
serve();
await follow(outcome);

/** The data to start with. Data on the disk outweighs the outcome: what was created once is never created again. */
async function begin({ kind, genesis_id }: Outcome): Promise<Data> {
  if (existsSync(file)) {
    const kept = JSON.parse(readFileSync(file, "utf8")) as Data;
    return kept.genesis_id === genesis_id ? kept : fail(`the data is of genesis ${kept.genesis_id}`);
  }
  if (kind === "bootstrap") return write({ role: "primary", peers: [addr], genesis_id });
  if (kind === "join") return write({ ...(await joinAny()), role: "replica" });
  return fail(`the agent says that there is data, but ${file} is missing`);
}

/** Asks the members, as they are now, until one of them takes this database as its replica. */
async function joinAny(): Promise<Data> {
  for (;;) {
    const { members, genesis_id } = await nextOutcome(0);
    for (const { api_addr } of members) {
      if (api_addr === addr || api_addr === "") continue;
      try {
        const body = JSON.stringify({ addr, genesis_id });
        const answer = await fetch(`http://${api_addr}/replicas`, { method: "POST", body });
        if (answer.ok) return (await answer.json()) as Data;
      } catch {
        // It has not started yet, or is gone: the next one, and then all over again.
      }
    }
    await sleep(RETRY_MS);
  }
}

function serve(): void {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(addr) ?? fail(`-addr: ${addr} is not HOST:PORT`);
  const server = createServer(async (request, response) => {
    const isJoin = request.method === "POST" && request.url === "/replicas";
    const problem = isJoin ? await take(request) : null;
    const shown = request.url === "/health" ? health(data) : data;
    response.writeHead(problem === null ? 200 : 409, { "content-type": "application/json" });
    response.end(`${JSON.stringify(problem === null ? shown : { error: problem })}\n`);
  });
  server.listen(Number(port), host, () => say(`${data.role} of genesis ${data.genesis_id}`));
}

/** The same in the words of a node report, for agents that ask how their database is. */
function health({ role }: Data) {
  return { kind: "stand-in", status: "healthy", role: role === "primary" ? "leader" : "replica" };
}

/** Takes the replica that asks, or gives the reason why not. */
async function take(request: IncomingMessage): Promise<string | null> {
  const asked = (await json(request).catch(() => null)) as { addr?: unknown; genesis_id?: unknown } | null;
  if (typeof asked?.addr !== "string") return "no addr";
  if (data.role !== "primary") return "not the primary";
  if (asked.genesis_id !== data.genesis_id) return `this is genesis ${data.genesis_id}`;
  data = write({ ...data, peers: unique([...data.peers, asked.addr]) });
  return null;
}

/** Keeps the peers as the agent names them, from now on. */
async function follow(first: Outcome): Promise<never> {
  for (let now = first; ; now = await nextOutcome(now.revision)) {
    const peers = unique([addr, ...now.members.map((member) => member.api_addr)]);
    if (now.genesis_id === data.genesis_id) data = write({ ...data, peers });
    else say(`the agent speaks of another genesis, ${now.genesis_id}; the data stays as it is`);
  }
}

/** Waits for an outcome newer than `revision`. An agent that was away counts from 1 again. */
async function nextOutcome(revision: number): Promise<Outcome> {
  for (let after = revision; ; ) {
    try {
      const answer = await fetch(`http://${agent}/v1/outcome?wait=60s&revision=${after}`);
      if (answer.status === 200) return (await answer.json()) as Outcome;
      if (answer.status !== 204) say(`the agent answers ${answer.status}: ${(await answer.text()).trim()}`);
    } catch {
      after = 0;
    }
    await sleep(RETRY_MS);
  }
}

function write(next: Data): Data {
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(next));
  renameSync(`${file}.new`, file);
  return next;
}

function unique(addresses: readonly string[]): string[] {
  return [...new Set(addresses.filter((address) => address !== ""))].sort();
}

function flag(name: string): string {
  const at = process.argv.indexOf(name);
  return (at === -1 ? undefined : process.argv[at + 1]) ?? fail(`${name} is missing`);
}

function say(line: string): void {
  process.stdout.write(`stand-in ${addr}: ${line}\n`);
}

function fail(problem: string): never {
  process.stderr.write(`stand-in ${process.argv.slice(2).join(" ")}: ${problem}\n`);
  process.exit(1);
}
