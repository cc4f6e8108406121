/** All that a command needs of the process and of the world; main.ts makes it, tests make their own. */
import type { DiscoConfig, ProviderCheck } from "../config.ts";
import type { InventoryCheck } from "../coordinator/documents.ts";
import type { Inventory } from "../core/inventory.ts";
import type { Provider } from "../core/provider.ts";
import type { DiscoverySettings } from "../core/settings.ts";
import type { Pacing } from "../lib/loop.ts";
import type { Files } from "./usage.ts";

export type Io = {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Write text as it is, line ends included. */
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Which of the three are terminals. */
  readonly terminal: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /** One line from a person at the terminal, without its end; null when input ended first. */
  readonly ask: (question: string) => Promise<string | null>;
  /** All of standard input, up to the size of a file. Throws when it is longer. */
  readonly stdin: () => Promise<string>;
  /** Aborts when whoever read our standard output went away. */
  readonly unread: AbortSignal;
  readonly pacing: Pacing;
  readonly uuid: () => string;
  readonly hostName: string;
  /** This process's id. */
  readonly pid: number;
  readonly version: string;
  /** Node's version and the machine's kind, for `rollcall version`. */
  readonly platform: string;
  /** Resident memory in bytes. */
  readonly memory: () => number;
  readonly files: Files;
  /** A file's text, read again when it changed. */
  readonly file: (path: string) => Promise<string>;
  readonly checkProviderConfig: ProviderCheck;
  /** Loads and opens the provider of a checked configuration; calls no store yet. */
  readonly openProvider: (disco: DiscoConfig) => Promise<Provider>;
  /** The same of a coordinator's discoveries. */
  readonly checkInventory: InventoryCheck;
  readonly openInventory: (settings: DiscoverySettings) => Promise<Inventory>;
  /** From now on SIGTERM and SIGINT abort the signal instead of ending the process. */
  readonly untilStopped: () => AbortSignal;
  /** From now on other signals are forwarded, and a second SIGTERM or SIGINT kills before it ends the process. */
  readonly onSignals: (forward: (name: NodeJS.Signals) => void, kill: () => void) => void;
};

/** A command that works from its settings. Gives the exit code; throws one clear line for 1 or, as usage, 2. */
export type Run<Config> = (config: Config, io: Io) => Promise<number>;
