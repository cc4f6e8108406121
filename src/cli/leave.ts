/** `rollcall leave`: asks the running agent to take its node out of the database's cluster, and to end. */
import type { Settings } from "../config.ts";
import { ask } from "./ask.ts";
import { clientConfig } from "./configs.ts";
import { confirmKey } from "./confirm.ts";
import type { Io } from "./io.ts";

/** The database may take 10 s to agree on it, and a hook a minute. */
const LIMIT_MS = 75_000;

/** 0 once the node has left and the agent is ending. Throws one line when it stays. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const key = settings.disco_key ?? settings.disco_id ?? "rollcall";
  await confirmKey(settings, io, key);
  const body = JSON.stringify({ key });
  await ask({ path: "/v1/leave", body, limitMs: LIMIT_MS }, clientConfig(settings, io.files), io);
  io.stdout("left: the node is no member any more, and its agent is ending\n");
  return 0;
}
