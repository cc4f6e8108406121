/** Agents that have no store and know each other by a list: where each will be is settled before any of them starts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Message, type Votes } from "../../src/core/votes.ts";
import type { Agent, AgentOptions } from "../support/agents.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { freePort, loopbackAddress } from "../support/loopback.ts";
import type { Fleet } from "./stores.ts";

/** Where an agent of this id will be. */
export type Seat = {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** `address:port`. */
  readonly at: string;
};

/** Seats at one loopback address for all, each with a port of its own. */
export async function seatsFor(ids: readonly string[]): Promise<Seat[]> {
  const address = await loopbackAddress();
  return Promise.all(
    ids.map(async (id) => {
      const port = await freePort(address);
      return { id, address, port, at: `${address}:${port}` };
    }),
  );
}

/** Seats at an address each, all with one port, as pods have them. */
export async function pods(ids: readonly string[]): Promise<Seat[]> {
  const addresses = await Promise.all(ids.map(() => loopbackAddress()));
  const port = await freePort(addresses[0] ?? "127.0.0.1");
  return ids.map((id, i) => ({ id, address: addresses[i] ?? "", port, at: `${addresses[i]}:${port}` }));
}

/** The flags of an agent that is told of these seats. */
export function listing(seats: readonly { readonly at: string }[], key: string, expectVoters?: number) {
  const list = ["-join", seats.map(({ at }) => at).join(","), "-disco-key", key];
  return expectVoters === undefined ? list : [...list, "-bootstrap-expect", String(expectVoters)];
}

/** Starts an agent at each seat, all with the same flags. */
export function seated(
  fleet: Fleet,
  seats: readonly Seat[],
  args: readonly string[],
  more: Partial<AgentOptions> = {},
): Promise<Agent[]> {
  return Promise.all(seats.map(({ id, address, port }) => fleet.one(id, args, { address, port, ...more })));
}

/** What an agent has on disk of itself. */
export function identityOf(agent: Agent): {
  incarnation: string;
  marker: { genesis_id: string } | null;
  opened: boolean;
  stamp: unknown;
  votes: Votes | null;
} {
  return JSON.parse(readFileSync(join(agent.dir, "data", "identity.json"), "utf8"));
}

/** A seat that others know by the address of a proxy before it. */
export type ProxiedSeat = Seat & { readonly proxy: FaultProxy };

/** Puts a proxy before each seat. The caller stops them. */
export async function behindProxies(seats: readonly Seat[]): Promise<ProxiedSeat[]> {
  return Promise.all(
    seats.map(async (seat) => {
      const proxy = await startFaultProxy(seat);
      return { ...seat, at: proxy.endpoint, proxy };
    }),
  );
}

/** One kind of message about a decree. */
export type Said = `${"prepare" | "accept" | "decided"} ${"members" | "genesis"}`;

/** What an agent says in a request, and who says it; null: nothing about a decree, or not yet as a whole. */
export function saidIn(request: Buffer): { readonly said: Said; readonly by: string } | null {
  const text = request.toString("latin1");
  const kind = /^POST \/v1\/peer\/(prepare|accept|decided) /.exec(text)?.[1];
  const body = text.split("\r\n\r\n")[1];
  if (kind === undefined || body === undefined) return null;
  try {
    const message = Message.parse(JSON.parse(body));
    const decree =
      message.kind === "prepare" ? message.decree : message.founding === null ? "members" : "genesis";
    return { said: `${message.kind} ${decree}`, by: message.from.id };
  } catch {
    return null;
  }
}
