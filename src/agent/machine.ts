/** The machine an agent runs on: all that it does to the world beside asking its provider and its database. */
import { type Disk, systemDisk } from "../lib/files.ts";
import { listen } from "../lib/http-server.ts";
import { openClient } from "../lib/request.ts";
import { runHook } from "./hooks.ts";
import { lockDirectory } from "./lock.ts";

export type Machine = {
  /** Where the data directory is. */
  readonly disk: Disk;
  readonly lock: typeof lockDirectory;
  /** Where others ask this agent. */
  readonly listen: typeof listen;
  /** How this agent asks others. */
  readonly openClient: typeof openClient;
  /** Runs `-on-init`. */
  readonly runHook: typeof runHook;
};

/** This very one. */
export const thisMachine: Machine = { disk: systemDisk, lock: lockDirectory, listen, openClient, runHook };
