/** Where the contract suites play: one key of one store, with the faults that the store's tests can make. */
import { randomUUID } from "node:crypto";
import type { Member } from "../../src/core/model.ts";
import type { Provider, ProviderContext } from "../../src/core/provider.ts";
import { fileCache } from "../../src/lib/files.ts";
import { until } from "../support/wait.ts";

/** One key that no other test uses. Providers opened here are closed with the stage. */
export type Stage = {
  /** A provider with a connection of its own; `suffix` goes behind the key, as in `key/other` or `keyother`. */
  open(suffix?: string): Promise<Provider>;
  /** Nobody answers any more, and connections break. */
  down(): Promise<void>;
  /** Requests are taken and not answered. */
  hang(): Promise<void>;
  /** Ends `down` and `hang`. */
  up(): Promise<void>;
  /** The next swap is done, and its answer is lost. Gives how many were. */
  loseAnswer(): () => number;
  /** Empties the store, with its watches and leases alive. */
  wipe(): Promise<void>;
  /** Where time does not pass by itself: lets some pass. */
  readonly elapse?: () => void;
  /** Closes everything; the store lives on. */
  close(): Promise<void>;
};

/** Opens a stage on a fresh key. */
export type MakeStage = () => Promise<Stage>;

/** A key of one segment that no other test uses. */
export function freshKey(): string {
  return `k${randomUUID().slice(0, 13)}`;
}

/** What main gives a provider. */
export function contextFor(key: string): ProviderContext {
  return { key, now: Date.now, file: fileCache(), uuid: randomUUID };
}

/** A signal for calls that are not to be aborted; the test's own time-out ends a hang. */
export function patient(): AbortSignal {
  return new AbortController().signal;
}

/** The first result that is no error: a connection that broke a moment ago may have to be made again. */
export async function again<T>(call: () => Promise<T>, what = "the store to answer again"): Promise<T> {
  const { value } = await until(async () => ({ value: await call() }), { deadlineMs: 5_000, what });
  return value;
}

/** Text for a register: a genesis record as far as providers look into it. */
export function record(initId: string, note: string): string {
  return JSON.stringify({ v: 1, state: "unborn", init_id: initId, birth: 1, expect: 3, note });
}

/** A member; `over` replaces fields. */
export function member(over: Partial<Member> = {}): Member {
  const id = over.id ?? "n1";
  return {
    v: 1,
    id,
    incarnation: `${id}-life-1`,
    boot_id: `${id}-boot-1`,
    agent_addr: `10.0.0.1:4100`,
    api_addr: "http://10.0.0.1:4001",
    addr: "10.0.0.1:4002",
    voter: true,
    expect: 3,
    status: "waiting",
    genesis_id: null,
    ...over,
  };
}
