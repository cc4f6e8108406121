/** `rollcall genesis assume-lost`: tells the running agent that a voter is gone for good. */
import type { Settings } from "../config.ts";
import { ask } from "./ask.ts";
import { clientConfig } from "./configs.ts";
import { confirmKey } from "./confirm.ts";
import type { Io } from "./io.ts";
import { usageError } from "./usage.ts";

/** 0 once the agent has it on disk. Throws one line when it may not agree. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const { incarnation } = settings;
  if (incarnation === null)
    throw usageError("-incarnation: is required: that of the lost voter, as `rollcall explain` names it");
  const key = settings.disco_key ?? "rollcall";
  await confirmKey(settings, io, key);
  const body = JSON.stringify({ key, incarnation });
  await ask({ path: "/v1/assume-lost", body }, clientConfig(settings, io.files), io);
  io.stdout(`noted: this node agrees to no set with ${incarnation} any more\n`);
  return 0;
}
