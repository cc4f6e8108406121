/**
 * The port to a database: one adapter a kind, in one file each, chosen by `-db` (index.ts). An adapter asks
 * its database and knows its command line; it keeps no timers and no policy: pace, backoff and deadlines are
 * the caller's. Types only.
 */
import type * as z from "zod";
import type { Formation, MemberRef, Outcome, Sealed } from "../core/model.ts";
import type { DatabaseMember, NodeReport } from "../core/node-report.ts";

/** Where a database is, as its adapter fills in what no flag says. Null: it cannot tell either. */
export type DatabaseAddresses = {
  /** Where the agent asks: `host:port` or a URL. */
  readonly addr: string | null;
  /** What clients on other machines use. */
  readonly advAddr: string | null;
  /** What its peers use. */
  readonly peerAddr: string | null;
  readonly dataDir: string | null;
  /** The node id that the database's command line has. */
  readonly nodeId: string | null;
};

/** What an adapter is told about the place it works in. */
export type DatabaseContext = {
  /** Where to ask: `host:port` or a URL. */
  readonly addr: string;
  readonly nodeId: string;
  /** Monotonic, in milliseconds: to ask dear questions rarely. */
  readonly now: () => number;
  /** The content of a file, read again when it changed. */
  readonly file: (path: string) => Promise<string>;
};

/** What an adapter needs to say how its database starts. */
export type StartFacts = {
  readonly outcome: Outcome;
  /** The genesis that this node belongs to. */
  readonly record: Sealed;
  readonly self: MemberRef;
  readonly voter: boolean;
  /** Everybody who belongs to the genesis, at their present addresses, this node included. */
  readonly members: readonly MemberRef[];
  /** The node ids whose agents are there now, this node's included; of the others the address may be an old one. */
  readonly present: readonly string[];
  /** Whether a database of another node knows a leader now, as its agent said a moment ago. */
  readonly led: boolean;
  /**
   * The members as this database itself last listed them, from the time before this start; null: it has never
   * listed itself, so it may hold nothing yet, whatever its directory looks like.
   */
  readonly formed: readonly DatabaseMember[] | null;
  /** Where its data are; null: not known. */
  readonly dataDir: string | null;
  /** The database's own command; empty: the agent does not start it. */
  readonly command: readonly string[];
};

/**
 * How to start: arguments to add, and files to write before, whole, and only where the database does not run.
 * `wait`: why it must not be started yet, in one line.
 */
export type StartPlan =
  | {
      readonly args: readonly string[];
      readonly files: readonly { readonly path: string; readonly text: string }[];
    }
  | { readonly wait: string };

/** One database, at one address. */
export interface Database {
  readonly kind: string;
  /**
   * One look, with the cheapest questions that answer it. Throws, with one line, when the database does not
   * answer; a database that answers with a refusal (a wrong password) is a report with the problem in it.
   */
  probe(signal: AbortSignal): Promise<NodeReport>;
  /**
   * One look at another node of this kind, at the address its clients use: only what it says of its cluster.
   * Null: it answers, but is none. Throws when it does not answer.
   */
  ask?(apiAddr: string, signal: AbortSignal): Promise<NodeReport | null>;
  /** How to start it; absent where the adapter knows no command line. Pure. */
  start?(facts: StartFacts): StartPlan;
  /** Takes a node out of the cluster, for good. Throws when it cannot tell that it did. */
  removeMember?(id: string, signal: AbortSignal): Promise<void>;
  /** The address for clients as the database's own clients and its leader record write it. */
  clientAddress(advAddr: string): string;
  /** Frees connections. Safe twice. */
  close(): void;
}

/** One kind of database: what is known without one. */
export type DatabaseModule = {
  /** What `-db-config` may hold: strict. */
  readonly Config: z.ZodType;
  /** The `-formation` of those who give none. */
  readonly formation: Formation;
  /** The `-probe-interval` of those who give none, in milliseconds. */
  readonly probeIntervalMs: number;
  /** Fills in addresses from the command line of a supervised database (empty: not supervised) and the agent's advertised host. */
  addresses(command: readonly string[], host: string): DatabaseAddresses;
  /**
   * What is wrong with a command for this database, in one line that begins with the argument at fault; null:
   * nothing. `voter`: what the agent's flags say.
   */
  checkCommand(command: readonly string[], voter: boolean): string | null;
  /** Where in the command the adapter's own arguments go: the index they are inserted at; null: it cannot tell. */
  argumentsAt(command: readonly string[]): number | null;
  open(config: unknown, context: DatabaseContext): Database;
};
