/**
 * The ports to the outside: where peers are found, and where one value is agreed upon. Providers implement
 * them (providers/README.md); the agent calls them. Types only.
 *
 * Every method takes an AbortSignal and settles soon after it is aborted. Providers keep no timers and no
 * policy: pace, backoff and deadlines are the caller's. A method that *cannot tell* throws; it never
 * answers "none" for an error.
 */
import type { Member } from "./model.ts";

/** A value as a register held it. `revision` is opaque, changes with every write, and is compared only whole. */
export type Versioned = { readonly value: string; readonly revision: string };

/**
 * How a swap ended. `unknown`: the write may have happened, may not have, or may still happen later; the
 * caller must read back and must never retry blindly.
 */
export type Swapped =
  | { readonly kind: "won"; readonly revision: string }
  | { readonly kind: "lost"; readonly current: Versioned | null }
  | { readonly kind: "unknown"; readonly cause: unknown };

/** One value under check-and-set. Reads are linearizable. */
export interface Register {
  /** The value now, or null when it is absent. Throws when it cannot tell. */
  read(signal: AbortSignal): Promise<Versioned | null>;
  /**
   * Writes `next` if and only if the register still holds exactly `expected` (null: is absent), value and
   * revision both. Never throws and never repeats a request: a failure is `unknown`.
   */
  swap(expected: Versioned | null, next: string, signal: AbortSignal): Promise<Swapped>;
}

/** How a registration ended. `taken`: another incarnation holds this node id, and its lease still lasts. */
export type Announced = { readonly kind: "held" } | { readonly kind: "taken"; readonly by: Member };

/** The leased directory of members. One instance keeps the entry of one node. */
export interface Members {
  /** How long an entry outlives its last renewal, at least, in milliseconds. */
  readonly ttlMs: number;
  /**
   * Creates this node's entry, or replaces the one of the same incarnation (check-and-set, never over
   * another incarnation). Safe to repeat. Throws when it cannot tell.
   */
  announce(member: Member, signal: AbortSignal): Promise<Announced>;
  /** Extends the lease. False: the lease or the entry is gone and `announce` is due. Throws when it cannot tell. */
  renew(signal: AbortSignal): Promise<boolean>;
  /**
   * Says that this incarnation is gone for good, so that nobody waits for it; announcing it again takes that back. Safe
   * to repeat. Absent where the directory keeps no such word.
   */
  retire?(member: Pick<Member, "id" | "incarnation">, signal: AbortSignal): Promise<void>;
  /** Removes the entry this instance made, and nobody else's. Safe when there is none. */
  withdraw(signal: AbortSignal): Promise<void>;
}

/**
 * What one look-up saw. `addresses` are agents' addresses, `host:port`; `partial`: there are more, and `problems` says
 * why they are missing. Stores also give the rows below the key, read at one moment: `members`, and the raw genesis
 * and leader values. They inform; a decision reads the register.
 */
export type Lookup = {
  readonly kind: "complete" | "partial";
  readonly addresses: readonly string[];
  /** One line each, as in `a.example: NXDOMAIN`. */
  readonly problems?: readonly string[];
  /** How long the answer holds by its own word, in milliseconds; absent where it does not say. */
  readonly ttlMs?: number;
  readonly members?: readonly Member[];
  readonly genesis?: Versioned | null;
  readonly leader?: Versioned | null;
};

/** One way to find peers, and, for stores, to agree with them. */
export interface Provider {
  readonly mode: string;
  /** One linearizable look-up. Throws when it cannot tell. */
  lookup(signal: AbortSignal): Promise<Lookup>;
  /**
   * What there is now, then once more after every change; changes may be merged. Pull-driven: no request
   * runs ahead of `next()`, so the caller sets the pace. Ends by throwing: on failure, or on abort.
   */
  watch?(signal: AbortSignal): AsyncIterable<Lookup>;
  readonly members?: Members;
  readonly genesis?: Register;
  readonly leaderKey?: Register;
  /** Frees every connection. Safe twice. Does not withdraw the member. */
  close(): Promise<void>;
}

/** What a provider is given beside its own configuration. */
export type ProviderContext = {
  /** The cluster's key: 1 to 4 segments of `[a-z0-9._-]` joined by `/`. */
  readonly key: string;
  /** Milliseconds since the epoch, for gRPC deadlines only. */
  readonly now: () => number;
  /** The content of a file, read again when it changed. Throws one clear line when it cannot be read. */
  readonly file: (path: string) => Promise<string>;
  /** A fresh UUID. */
  readonly uuid: () => string;
};
