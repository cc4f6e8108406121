/**
 * Many clients that register on one id of a Discovery Service, and take out again what they registered: whether each
 * acknowledged registration was kept, in the order of the positions that were given, each position once. The service
 * may be killed meanwhile: a client that got no answer asks the same again, and is told the place that it has.
 */
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { chanceOf } from "../sim/chance.ts";
import type { DiscoveryService } from "../support/discovery-services.ts";
import { type Reply, request } from "../support/http.ts";

export type Siege = {
  readonly clients: number;
  readonly forMs: number;
  /** How often the service is killed (-9) and started again; when is drawn from the seed. */
  readonly kills: number;
  readonly seed: number;
};

/** What came of it. */
export type Held = {
  readonly registrations: number;
  readonly removals: number;
  /** Requests that ended without an answer, because the service was killed, and were asked again. */
  readonly repeated: number;
  readonly kills: number;
  /** Milliseconds of each registration that was answered at once. */
  readonly times: readonly number[];
  /** Everything that is not as it must be. */
  readonly wrong: readonly string[];
};

/** What each client has registered at most: 50 of them stay below the 1,000 that an id takes. */
const MOST_EACH = 15;
/** Longer than a killed service takes to come back. */
const REPEAT_FOR_MS = 30_000;

type Tally = { registrations: number; removals: number; repeated: number; times: number[]; wrong: string[] };

/** Lets the clients at the service, and looks at what it holds in the end. Throws when it stays away. */
export async function besiege(service: DiscoveryService, siege: Siege): Promise<Held> {
  const agent = new Agent({ keepAlive: true, maxSockets: siege.clients });
  const tally: Tally = { registrations: 0, removals: 0, repeated: 0, times: [], wrong: [] };
  const created = await service.ask("/", { method: "POST" });
  const id = (JSON.parse(created.body) as { disco_id: string }).disco_id;
  /** Who got each position, and who of them is to be listed still. */
  const positions = new Map<number, string>();
  const listed = new Map<string, number>();
  try {
    const ask = asking(`${service.url}/${id}`, agent, tally);
    const endAt = performance.now() + siege.forMs;
    const [, kills] = await Promise.all([
      Promise.all(
        Array.from({ length: siege.clients }, (_, client) =>
          work({ client, endAt, ask, tally, positions, listed }),
        ),
      ),
      strike(service, siege),
    ]);
    const last = await ask("GET");
    const wanted = [...listed].sort(([, a], [, b]) => a - b).map(([addr]) => addr);
    return {
      ...tally,
      kills,
      wrong: [...tally.wrong, ...gapsIn(positions), ...differs(nodesIn(last), wanted)],
    };
  } finally {
    agent.destroy();
  }
}

type Ask = (method: "GET" | "POST" | "DELETE", addr?: string) => Promise<Reply>;

/** Asks until there is an answer. Throws for one that refuses, and when there is none for long. */
function asking(url: string, agent: Agent, tally: Tally): Ask {
  return async (method, addr) => {
    const body = addr === undefined ? {} : { body: JSON.stringify({ addr }) };
    const lastAt = performance.now() + REPEAT_FOR_MS;
    for (;;) {
      try {
        const reply = await request(url, { method, agent, ...body, timeoutMs: 10_000 });
        if (reply.status === 200) return reply;
        // It is ending, or its disk was not: it says that nothing was acknowledged.
        if (reply.status !== 503) throw new Refused(`${method} ${addr}: ${reply.status} ${reply.body}`);
      } catch (error) {
        if (error instanceof Refused || performance.now() > lastAt) throw error;
      }
      tally.repeated += 1;
      await sleep(20);
    }
  };
}

class Refused extends Error {}

type Work = {
  readonly client: number;
  readonly endAt: number;
  readonly ask: Ask;
  readonly tally: Tally;
  readonly positions: Map<number, string>;
  readonly listed: Map<string, number>;
};

async function work({ client, endAt, ask, tally, positions, listed }: Work): Promise<void> {
  const own: string[] = [];
  let before = 0;
  for (let at = 0; performance.now() < endAt; at++) {
    const addr = `http://c${client}-${at}:4001`;
    const from = performance.now();
    const repeated = tally.repeated;
    const reply = await ask("POST", addr);
    if (tally.repeated === repeated) tally.times.push(performance.now() - from);
    tally.registrations += 1;
    const position = Number(reply.headers["rollcall-position"]);
    const other = positions.get(position);
    if (other !== undefined) tally.wrong.push(`${other} and ${addr} have position ${position}`);
    if (!(position > before)) tally.wrong.push(`${addr} came after position ${before} and has ${position}`);
    const nodes = nodesIn(reply);
    for (const one of [...own, addr])
      if (!nodes.includes(one)) tally.wrong.push(`${one} is missing from the answer to ${addr}`);
    before = position;
    positions.set(position, addr);
    listed.set(addr, position);
    own.push(addr);
    const oldest = own.length > MOST_EACH ? own.shift() : undefined;
    if (oldest === undefined) continue;
    await ask("DELETE", oldest);
    listed.delete(oldest);
    tally.removals += 1;
  }
}

/** Kills it as often as told, at moments of the seed. */
async function strike(service: DiscoveryService, { kills, forMs, seed }: Siege): Promise<number> {
  const chance = chanceOf(seed);
  const began = performance.now();
  const moments = Array.from({ length: kills }, () => chance.between(0, forMs)).sort((a, b) => a - b);
  for (const atMs of moments) {
    await sleep(Math.max(0, began + atMs - performance.now()));
    await service.kill();
    await service.restart();
  }
  return kills;
}

function nodesIn({ body }: Reply): readonly string[] {
  return (JSON.parse(body) as { nodes: string[] }).nodes;
}

function gapsIn(positions: ReadonlyMap<number, string>): readonly string[] {
  const missing = Array.from({ length: positions.size }, (_, at) => at + 1).filter(
    (at) => !positions.has(at),
  );
  return missing.length === 0 ? [] : [`nobody has the positions ${missing.slice(0, 10).join(", ")}`];
}

/** Why two lists are not one, in a few of the names. */
function differs(has: readonly string[], wanted: readonly string[]): readonly string[] {
  const [inHas, inWanted] = [new Set(has), new Set(wanted)];
  const lost = wanted.filter((addr) => !inHas.has(addr));
  const more = has.filter((addr) => !inWanted.has(addr));
  if (lost.length + more.length > 0)
    return [`lost: ${lost.slice(0, 10).join(", ")}; never taken out: ${more.slice(0, 10).join(", ")}`];
  return has.join() === wanted.join() ? [] : ["the nodes are not listed in the order of their positions"];
}
