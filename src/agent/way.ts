/** How a node finds its peers and agrees with them: through a store, or with the agents alone. Types only. */

import type { HelloRequest } from "../core/model.ts";
import type { Provider } from "../core/provider.ts";
import type { Discovery } from "../core/reasons-voters.ts";
import type { Message, Reply } from "../core/votes.ts";
import type { Agreement, AgreementOptions } from "./agreement.ts";
import type { Word } from "./assume-lost.ts";
import type { Peers } from "./peers.ts";
import type { RegistrationState } from "./registration.ts";
import type { StoreHealth } from "./watch.ts";

export type WayOptions = AgreementOptions & {
  readonly peers: Peers;
  /** A child of the agent's log. */
  readonly part: (name: string) => AgreementOptions["log"];
};

export type Way = {
  readonly genesis: Pick<Agreement, "state" | "shown" | "initFailure" | "nextTryMs" | "wake">;
  /** This node's entry in the directory; `held` where there is none to be in. */
  registration(): RegistrationState;
  /** How the last look for peers went. */
  health(): StoreHealth;
  /** How the peers are found; null: a store lists them. */
  discovery(): Discovery | null;
  /** The node ids whose agents are there now, at the addresses that the members have; this node's may be among them. */
  present(): readonly string[];
  /** What this node says of itself may have changed. */
  refresh(): void;
  /** An agent said hello, or that it leaves for good. */
  met(hello: HelloRequest): void;
  /** An agent with another key said hello. */
  strayed(hello: HelloRequest): void;
  /** Answers a message about a decree, once it is safe on disk; null: this node votes on none. */
  readonly vote: ((message: Message) => Promise<Reply>) | null;
  /** An operator says that a voter is gone for good. Null: it votes on nothing. */
  readonly assumeLost: ((incarnation: string, signal: AbortSignal) => Promise<Word>) | null;
  /** What runs until abort. Throws `usage` where the provider is none for this way. */
  tasks(provider: Provider): readonly ((signal: AbortSignal) => Promise<void>)[];
  /** The last words to the others; null: the node comes back. */
  farewell(provider: Provider, signal: AbortSignal): Promise<void>;
  /** Tells the others that this node leaves for good. */
  leave(signal: AbortSignal): Promise<void>;
};
