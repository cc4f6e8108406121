/** What a node needs of the world, given by whoever starts it. */
import type { Log } from "../lib/log.ts";
import type { Pacing } from "../lib/loop.ts";
import type { Machine } from "./machine.ts";

export type NodeDeps = {
  readonly machine: Machine;
  readonly pacing: Pacing;
  readonly uuid: () => string;
  readonly log: Log;
  /** A file's text, read again when it changed. */
  readonly file: (path: string) => Promise<string>;
  /** What hooks get as their environment. */
  readonly hookEnv: NodeJS.ProcessEnv;
  readonly version: string;
  /** Resident memory in bytes. */
  readonly memory: () => number;
};
