/** `-db none`: there is no database that the agent knows, so nothing is asked. */
import * as z from "zod";
import { blankReport } from "../core/node-report.ts";
import type { Database, DatabaseModule } from "./database.ts";

export const Config = z.strictObject({});

const none: Database = {
  kind: "none",
  probe: async () => blankReport("none", "unknown", null),
  clientAddress: (advAddr) => advAddr,
  close() {},
};

export const formation: DatabaseModule["formation"] = "single";
export const probeIntervalMs: DatabaseModule["probeIntervalMs"] = 1_000;
export const addresses: DatabaseModule["addresses"] = () => ({
  addr: null,
  advAddr: null,
  peerAddr: null,
  dataDir: null,
  nodeId: null,
});
export const checkCommand: DatabaseModule["checkCommand"] = () => null;
export const argumentsAt: DatabaseModule["argumentsAt"] = () => null;
export const open: DatabaseModule["open"] = () => none;
