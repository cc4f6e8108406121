/** What an agent shows of itself over HTTP, and takes from others. Types only. */
import type { Explanation } from "../core/explain.ts";
import type { Hello, HelloRequest, Outcome } from "../core/model.ts";
import type { NodeReport } from "../core/node-report.ts";
import type { Message, Reply } from "../core/votes.ts";
import type { Access } from "./access.ts";
import type { Word } from "./assume-lost.ts";

/** One agent as `/v1/peers` lists it. */
export type PeerRow = {
  readonly id: string;
  readonly incarnation: string;
  readonly agent_addr: string;
  readonly api_addr: string;
  readonly addr: string;
  readonly voter: boolean | null;
  readonly status: string | null;
  readonly genesis_id: string | null;
  readonly registered: boolean;
  /** Whether it answered when last asked; null: never asked. */
  readonly reachable: boolean | null;
  readonly problem: string | null;
  readonly self: boolean;
};

/** What the paths show; each function gives the state of this moment. */
export type View = {
  readonly bootId: string;
  readonly access: Access;
  readonly secret: () => Promise<string | null>;
  seq(): number;
  /** The whole state, as JSON. */
  stateText(): string;
  agent(): Record<string, unknown>;
  peers(): readonly PeerRow[];
  explanation(): Explanation;
  outcome(): Outcome | null;
  /** The last look at the database. */
  report(): NodeReport;
  /** The node as the coordinator reads it: the report without its shards, and whose it is. */
  node(): Record<string, unknown>;
  /** The leader record, whether it is verified, and for how long not. */
  leader(): Record<string, unknown>;
  /** A stream of transitions from after the event `last`; null when there are too many. */
  events(last: string | null, signal: AbortSignal): ReadableStream<Uint8Array> | null;
  /** Takes the node out of its cluster, and then ends the agent; null: done, else why not. */
  leave(): Promise<{ readonly code: string; readonly message: string; readonly hint: string } | null>;
  /** Waits up to `ms` for an outcome newer than `revision`, for a refusal, or for abort. */
  newer(revision: number, ms: number, signal: AbortSignal): Promise<void>;
  /** Set while the agent refuses: it will not settle by waiting. */
  refusal(): { readonly code: string; readonly message: string; readonly hint: string } | null;
  hello(): Hello;
  met(hello: HelloRequest): void;
  /** An agent with another key said hello. */
  strayed(hello: HelloRequest): void;
  /** Answers a message about a decree; null: this agent has a store to agree in. */
  readonly vote: ((message: Message) => Promise<Reply>) | null;
  /** Says that a voter is gone for good. Null: it votes on nothing. */
  readonly assumeLost: ((incarnation: string, signal: AbortSignal) => Promise<Word>) | null;
  metrics(): string;
  /** Something here failed while it answered. */
  failed(error: unknown): void;
  /** Aborted when the agent stops, so that no caller waits on. */
  readonly stopping: AbortSignal;
};
