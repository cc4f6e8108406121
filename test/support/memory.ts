/**
 * A provider in memory for tests: the Discovery Service's own register (src/discovery-service/registers.ts)
 * without HTTP, on a clock that only the test moves, with the faults that a store and a network have.
 */
import { randomUUID } from "node:crypto";
import { aborted, badRecord, closed, unreachable } from "../../providers/failure.ts";
import { decode, Member } from "../../src/core/model.ts";
import type { Lookup, Members, Provider, Register, Versioned } from "../../src/core/provider.ts";
import { createRegisters, digest, type Registers } from "../../src/discovery-service/registers.ts";

/** What a provider is asked for. A watch asks for look-ups. */
export type Call = "lookup" | "read" | "swap" | "announce" | "renew" | "withdraw";

/**
 * What goes wrong with one call. `fail`: nothing was done. `lose`: it was done, and the acknowledgement is
 * lost. `late`: as `fail` to the caller, but the request is still on its way and is done by `land`.
 */
export type Fault = "fail" | "lose" | "late";

/** One store and its faults. */
export type Memory = {
  /** A provider over this store. Several share it; each keeps its own lease. */
  open(key?: string): Provider;
  /** The next call of this kind, by any provider, has this fault; several queue up. Gives how many had it. */
  inject(call: Call, fault: Fault): () => number;
  /** Every call fails, and watches break, until `up`. */
  down(): void;
  /** Calls are taken and not answered until `up`; then they are done. */
  hang(): void;
  up(): void;
  /** Does the late requests, oldest first, and gives how many there were. */
  land(): number;
  /** The store begins a new life, empty. Watches live on. */
  wipe(): void;
  /** Moves the clock, and ends the leases that are over. */
  advance(ms: number): void;
  /** The register itself, for a look behind the providers. Another one after `wipe`. */
  readonly registers: Registers;
};

/** An empty store. `uuid` names the store's lives and the leases. */
export function createMemory(options: { ttlMs?: number; uuid?: () => string } = {}): Memory {
  const uuid = options.uuid ?? randomUUID;
  const orders: { call: Call; fault: Fault; done: number }[] = [];
  const flying: (() => void)[] = [];
  let registers = createRegisters({ uuid });
  let mode: "up" | "down" | "hang" = "up";
  let turn = new AbortController();
  let nowMs = 0;

  /** Changes how things are, and makes everyone who waits look again. */
  function disturb(change: () => void): void {
    const before = turn;
    change();
    turn = new AbortController();
    before.abort();
  }

  /** Does the call as the faults will have it. Throws `store_unreachable` where the caller cannot tell. */
  async function perform<T>(call: Call, signal: AbortSignal, work: () => T): Promise<T> {
    while (mode === "hang" && !signal.aborted) await either(signal, turn.signal);
    if (signal.aborted) throw aborted(call, signal);
    const order = mode === "down" ? undefined : orders.find((one) => one.call === call && one.done === 0);
    if (mode === "up" && order === undefined) return work();
    if (order !== undefined) order.done = 1;
    if (order?.fault === "lose") work();
    if (order?.fault === "late") flying.push(work);
    throw unreachable(call, "connection reset", "memory");
  }

  const store = {
    ttlMs: options.ttlMs ?? 10_000,
    perform,
    registers: () => registers,
    nowMs: () => nowMs,
    turn: () => turn.signal,
  };
  return {
    open: (key = "rollcall") => openProvider({ ...store, id: key }),
    inject(call, fault) {
      const order = { call, fault, done: 0 };
      orders.push(order);
      return () => order.done;
    },
    down: () => disturb(() => (mode = "down")),
    hang: () => disturb(() => (mode = "hang")),
    up: () => disturb(() => (mode = "up")),
    land() {
      const landing = flying.splice(0);
      for (const work of landing) work();
      return landing.length;
    },
    wipe: () => disturb(() => (registers = createRegisters({ uuid }))),
    advance(ms) {
      nowMs += ms;
      registers.expire(nowMs);
    },
    get registers() {
      return registers;
    },
  };
}

/** A store as one provider sees it. `turn` is aborted when the store goes down, comes up or is wiped. */
export type Store = {
  readonly id: string;
  readonly ttlMs: number;
  perform<T>(call: Call, signal: AbortSignal, work: () => T): Promise<T>;
  registers(): Registers;
  nowMs(): number;
  turn(): AbortSignal;
};

/** A provider over a store. */
export function openProvider(shared: Store): Provider {
  const ending = new AbortController();
  const store: Store = {
    ...shared,
    async perform(call, signal, work) {
      try {
        return await shared.perform(call, AbortSignal.any([signal, ending.signal]), work);
      } catch (error) {
        throw ending.signal.aborted ? closed(call) : error;
      }
    },
  };
  return {
    mode: "memory",
    lookup: (signal) => store.perform("lookup", signal, () => lookupOf(store)),
    watch: (signal) => watch(store, AbortSignal.any([signal, ending.signal])),
    members: createMembers(store),
    genesis: createRegister(store, "genesis"),
    leaderKey: createRegister(store, "leader"),
    async close() {
      ending.abort();
    },
  };
}

async function* watch(store: Store, signal: AbortSignal): AsyncGenerator<Lookup> {
  let seen: string | null = null;
  for (;;) {
    const [index, turn] = [store.registers().index(store.id), store.turn()];
    const now = await store.perform("lookup", signal, () => lookupOf(store));
    const content = JSON.stringify(now);
    const same = content === seen;
    seen = content;
    if (!same) yield now;
    await change(store, { index, turn, signal });
  }
}

function createRegister({ id, registers, perform }: Store, name: string): Register {
  return {
    read: (signal) => perform("read", signal, () => registers().read(id, name)),
    async swap(before, value, signal) {
      const expected = before && { revision: before.revision, sha256: digest(before.value) };
      try {
        return await perform("swap", signal, () => registers().put({ id, name, value, expected }));
      } catch (cause) {
        return { kind: "unknown", cause };
      }
    },
  };
}

function createMembers({ id, ttlMs, registers, nowMs, perform }: Store): Members {
  let held: { id: string; nodeId: string; lease: string } | null = null;
  return {
    ttlMs,
    async announce(member, signal) {
      const row = { id, nodeId: member.id, incarnation: member.incarnation, record: JSON.stringify(member) };
      const answer = await perform("announce", signal, () =>
        registers().announce({ ...row, ttlMs }, nowMs()),
      );
      if (answer.kind === "taken") return { kind: "taken", by: memberOf(answer.record, member.id) };
      held = { id, nodeId: member.id, lease: answer.lease };
      return { kind: "held" };
    },
    async renew(signal) {
      const lease = held;
      return lease !== null && (await perform("renew", signal, () => registers().renew(lease, nowMs())));
    },
    async withdraw(signal) {
      const lease = held;
      if (lease !== null) await perform("withdraw", signal, () => registers().withdraw(lease));
      held = null;
    },
  };
}

function lookupOf({ id, registers }: Store): Lookup {
  const view = registers().view(id);
  const decoded = view.members.map((record) => decode(Member, record));
  const members = decoded.flatMap((one) => (one.ok ? [one.value] : []));
  const versioned = (name: string): Versioned | null => view.registers.get(name) ?? null;
  return {
    kind: members.length === decoded.length ? "complete" : "partial",
    addresses: [...new Set(members.map((member) => member.agent_addr))].filter((address) => address !== ""),
    members,
    genesis: versioned("genesis"),
    leader: versioned("leader"),
  };
}

function memberOf(record: string, nodeId: string): Member {
  const decoded = decode(Member, record);
  if (decoded.ok) return decoded.value;
  throw badRecord("announce", `members/${nodeId}`, decoded.problem);
}

/** Resolves when the id's index is no longer `index`, when the store's turn is over, or on abort. */
async function change(
  { id, registers }: Store,
  { index, turn, signal }: { index: string; turn: AbortSignal; signal: AbortSignal },
): Promise<void> {
  if (turn.aborted || registers().index(id) !== index) return;
  const changed = new AbortController();
  const forget = registers().onChange(id, () => changed.abort());
  await either(signal, turn, changed.signal);
  forget();
}

/** Resolves when one of the signals is aborted. */
function either(...signals: AbortSignal[]): Promise<void> {
  const any = AbortSignal.any(signals);
  return new Promise((resolve) => {
    if (any.aborted) resolve();
    else any.addEventListener("abort", () => resolve(), { once: true });
  });
}
