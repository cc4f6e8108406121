/**
 * Whom this agent knows: the members directory as last seen, agents that said hello, agents they named, and
 * those cached from before. Kept in `peers.json`: a hint for finding holders when the store is away or
 * empty; it never proves that somebody is gone, and adds nobody to a count.
 */
import * as z from "zod";
import { parseAddress } from "../core/address.ts";
import type { LeaderClaim } from "../core/leader-view.ts";
import { decode, type Hello, LeaderRecord, Member, PeerRef } from "../core/model.ts";
import type { Clock } from "../lib/clock.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import { type Disk, readIfThere, systemDisk } from "../lib/files.ts";
import { openKeptFile } from "../lib/kept-file.ts";
import type { Log } from "../lib/log.ts";
import { bell, withDeadline } from "../lib/loop.ts";
import type { PeerClient } from "./peer-client.ts";
import { askRound, type Enough, openNews } from "./round.ts";

export const HELLO_LIMIT_MS = 1_000;
/** Peers that a hello names at most. */
export const MOST_NAMED = 64;
/** How often a node that has nothing to decide asks who is there, and how long after a change it does so. */
const SURVEY_MS = 60_000;
const AFTER_CHANGE_MS = 1_000;
const MOST_NAME = 256;
/** Agents remembered beyond the directory. */
const MOST_PEERS = 256;

/** A node that left for good, and the life in which it said so; null: not known. */
const Left = z.looseObject({ id: z.string().min(1), boot_id: z.string().nullable() });
type Left = z.infer<typeof Left>;

const Cache = z.looseObject({
  v: z.literal(1),
  peers: z.array(PeerRef),
  members: z.array(Member).optional(),
  left: z.array(Left).optional(),
  leader: LeaderRecord.nullish(),
});

/** How the last try to reach one agent went. `slow`: it did not answer in time. `self`: it was this very agent. */
export type Contact = {
  readonly ok: boolean;
  readonly problem: string | null;
  readonly at: number;
  readonly slow?: boolean;
  readonly self?: boolean;
};

export type PeersOptions = {
  readonly path: string;
  readonly clock: Clock;
  readonly client: Pick<PeerClient, "hello">;
  readonly log: Log;
  /** This agent, as it is now. */
  readonly self: () => PeerRef;
  /** No store lists the members or names the leader, so they are kept in the file as well. */
  readonly keepsMembers?: boolean;
  readonly disk?: Disk;
};

export function openPeers(options: PeersOptions) {
  const { clock, client, log, self, disk = systemDisk } = options;
  let members: readonly Member[] = [];
  let left: readonly Left[] = [];
  const others = new Map<string, PeerRef>();
  /** Addresses where agents may be, as a list or DNS has them. */
  let seeds: readonly string[] = [];
  const contacts = new Map<string, Contact>();
  /** Who was last known to lead, where no store says. */
  let leader: LeaderRecord | null = null;
  /** Who leads, as each agent that answers last said, by incarnation. `saidAt`: when it last said so unasked. */
  const claims = new Map<string, LeaderClaim & { readonly address: string; readonly saidAt: number }>();
  const surveyDue = bell();
  const news = openNews();
  const file = openKeptFile({
    path: options.path,
    text: () =>
      `${JSON.stringify({ v: 1, peers: [...others.values()], ...(options.keepsMembers ? { members, left, leader } : {}) })}\n`,
    clock,
    log,
    disk,
  });

  /** Makes room for one more by forgetting who was first known of those that did not answer; false: there is none. */
  const makeRoom = (): boolean => {
    if (others.size < MOST_PEERS) return true;
    for (const [incarnation, { agent_addr }] of others)
      if (contacts.get(agent_addr)?.ok === false) return others.delete(incarnation);
    return false;
  };

  /** Takes in one agent: true when that was news. `hearsay`: not the agent itself says so, and not the directory. */
  const remember = (ref: PeerRef, hearsay: boolean): boolean => {
    if (ref.incarnation === self().incarnation || ref.agent_addr === self().agent_addr) return false;
    if (!isKeepable(ref)) return false;
    const known = others.get(ref.incarnation);
    if (known?.agent_addr === ref.agent_addr) return false;
    const before = [...others.values()].filter((other) => other.agent_addr === ref.agent_addr);
    // Who is at an address is asked there; what others still say about it would go back and forth.
    if (hearsay && (before.length > 0 || (known && contacts.get(known.agent_addr)?.ok))) return false;
    for (const { incarnation } of before) others.delete(incarnation);
    if (known === undefined && !makeRoom()) return false;
    others.set(ref.incarnation, { id: ref.id, incarnation: ref.incarnation, agent_addr: ref.agent_addr });
    file.changed();
    return true;
  };

  const targets = (): string[] => {
    const addresses = new Set([...seeds, ...[...members, ...others.values()].map((m) => m.agent_addr)]);
    addresses.delete(self().agent_addr);
    addresses.delete("");
    return [...addresses];
  };

  const ask = async (address: string, signal: AbortSignal): Promise<Hello | null> => {
    const at = clock.now();
    try {
      const hello = await withDeadline(clock, signal, HELLO_LIMIT_MS, `hello to ${address}`, (s) =>
        client.hello(address, s),
      );
      // My own incarnation in an answer is me, seen through another address.
      const isSelf = hello.incarnation === self().incarnation;
      contacts.set(address, { ok: true, problem: null, at, ...(isSelf ? { self: true } : {}) });
      if (isSelf) return null;
      const { node_id: id, incarnation, leader = null, marker } = hello;
      // What it has said unasked since the question was sent is newer than the answer may be.
      const saidAt = claims.get(incarnation)?.saidAt ?? at;
      if (saidAt <= at)
        claims.set(incarnation, {
          ...{ id, incarnation, leader, genesis: marker?.genesis_id ?? null },
          ...{ at: clock.now(), address, saidAt },
        });
      return hello;
    } catch (error) {
      const slow = error instanceof RollcallError && error.code === "deadline";
      // What a later question came to is newer, however long this one took.
      if ((contacts.get(address)?.at ?? at) > at) return null;
      contacts.set(address, { ok: false, problem: reason(error), at, slow });
      // What it said holds no more than that it is there.
      for (const [incarnation, claim] of claims) if (claim.address === address) claims.delete(incarnation);
      return null;
    }
  };

  const askAll = async (signal: AbortSignal, enough: Enough | null = null): Promise<Hello[]> => {
    const heard = ({ node_id: id, incarnation, agent_addr, peers }: Hello) => {
      remember({ id, incarnation, agent_addr }, false);
      for (const ref of peers) remember(ref, true);
    };
    const wasSlow = (address: string) => contacts.get(address)?.slow === true;
    const round = { clock, targets, ask, heard, onNews: news.on, wasSlow };
    const hellos = await askRound(round, signal, enough);
    const known = new Set(targets());
    for (const address of contacts.keys()) if (!known.has(address)) contacts.delete(address);
    const here = new Set([...members, ...others.values()].map((m) => m.incarnation));
    for (const incarnation of claims.keys()) if (!here.has(incarnation)) claims.delete(incarnation);
    return hellos;
  };

  return {
    /** Loads the cache. A damaged cache is an empty one: it is only a hint. */
    async load(): Promise<void> {
      const text = await readIfThere(options.path, disk).catch((error: unknown) => {
        log.warn({ error: reason(error) }, "read the cached peers");
        return null;
      });
      const cache = text === null ? null : decode(Cache, text);
      if (!cache?.ok) return;
      for (const ref of cache.value.peers) remember(ref, false);
      if (!options.keepsMembers) return;
      members = cache.value.members ?? [];
      left = cache.value.left ?? [];
      leader = cache.value.leader ?? null;
    },
    /** The directory as it is now. */
    see(seen: readonly Member[]): void {
      const isNews = JSON.stringify(seen) !== JSON.stringify(members);
      members = seen;
      left = left.filter(({ id }) => !seen.some((m) => m.id === id));
      if (isNews) surveyDue.ring();
      if (isNews && options.keepsMembers) file.changed();
      // Without a store these are what was heard once: who is at an address, the one there has said since.
      for (const m of seen) remember(m, options.keepsMembers === true);
    },
    /** Where agents may be, as a list or DNS has it now. */
    seek(addresses: readonly string[]): void {
      seeds = addresses;
      news.tell(null);
    },
    /** An agent said hello; true when that was news, or when it had not answered before. */
    meet(ref: PeerRef): boolean {
      const wasSilent = contacts.get(ref.agent_addr)?.ok === false;
      if (wasSilent) contacts.delete(ref.agent_addr);
      const isNews = remember(ref, false) || wasSilent;
      if (isNews) news.tell(ref.agent_addr);
      return isNews;
    },
    /** An agent left for good, and is no member from now on. */
    leave({ id, incarnation }: PeerRef): void {
      const boot_id = members.find((m) => m.incarnation === incarnation)?.boot_id ?? null;
      left = [...left.filter((l) => l.id !== id), { id, boot_id }].slice(-MOST_PEERS);
      members = members.filter((m) => m.incarnation !== incarnation);
      others.delete(incarnation);
      file.changed();
    },
    /** The ids of those that left, and did not come back since. */
    left: (): readonly string[] => left.map(({ id }) => id),
    /** It answers from the life in which it left: it is about to end. */
    isLeaving: ({ node_id, boot_id }: Hello): boolean =>
      left.some((l) => l.id === node_id && l.boot_id === boot_id),
    members: () => members,
    /**
     * Everybody known beyond the directory. Where the directory gives a node id to another incarnation, that one
     * is known until its agent fails to answer: it may be a second live agent, which a count must hear of.
     */
    others(): PeerRef[] {
      const now = new Map(members.map((m) => [m.id, m.incarnation]));
      return [...others.values()].filter(
        (o) =>
          now.get(o.id) === undefined ||
          (now.get(o.id) !== o.incarnation && contacts.get(o.agent_addr)?.ok !== false),
      );
    },
    /** Where an agent is, as it last said itself; null: not known. */
    addressOf: (incarnation: string): string | null => others.get(incarnation)?.agent_addr ?? null,
    /** What went wrong when each was last asked, by incarnation. */
    problems(): ReadonlyMap<string, string> {
      const known = [...members, ...others.values()];
      return new Map(
        known.flatMap((m) =>
          contacts.get(m.agent_addr)?.problem
            ? [[m.incarnation, contacts.get(m.agent_addr)?.problem ?? ""]]
            : [],
        ),
      );
    },
    /** An agent that is known says by itself who leads; true when that was news. */
    claim({ id, incarnation, agent_addr }: PeerRef, said: Pick<LeaderClaim, "leader" | "genesis">): boolean {
      if (!others.has(incarnation)) return false;
      const before = claims.get(incarnation);
      const at = clock.now();
      claims.set(incarnation, { id, incarnation, ...said, at, address: agent_addr, saidAt: at });
      return JSON.stringify(before?.leader) !== JSON.stringify(said.leader);
    },
    /** Who leads is known: kept, where no store says it, for when nobody can be asked. */
    leads(known: LeaderRecord): void {
      if (!options.keepsMembers || JSON.stringify(known) === JSON.stringify(leader)) return;
      leader = known;
      file.changed();
    },
    /** Who was last known to lead, maybe to the agent before this one; null where a store says it. */
    led: () => leader,
    claims: (): readonly LeaderClaim[] => [...claims.values()],
    contact: (address: string): Contact | null => contacts.get(address) ?? null,
    /** Asks the agent at one address; null when it does not answer in time, or is this one. */
    ask,
    /** Asks everybody known, and everybody they name, at once; agents that do not answer in time are left out. */
    askAll,
    /** Keeps the cache on disk. */
    run: (signal: AbortSignal) => file.run(signal),
    /**
     * Looks from time to time, and soon after the directory changed, who answers: only so does a settled node,
     * which asks for no decision any more, know who can be reached.
     */
    async survey(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await surveyDue.wait(clock, SURVEY_MS, signal);
        await clock.sleep(AFTER_CHANGE_MS, signal);
        if (!signal.aborted) await askAll(signal);
      }
    },
  };
}
export type Peers = ReturnType<typeof openPeers>;

/** What is kept on disk and passed on is small, and somewhere one can connect to. */
function isKeepable({ id, incarnation, agent_addr }: PeerRef): boolean {
  return id.length <= MOST_NAME && incarnation.length <= MOST_NAME && parseAddress(agent_addr, 4100).ok;
}
