/** `rollcall genesis assume-lost`: tells the running agent that a voter is gone for good. */
import * as z from "zod";
import type { Settings } from "../config.ts";
import { decode } from "../core/model.ts";
import { refusal, request } from "./ask.ts";
import { clientConfig } from "./configs.ts";
import { confirmKey } from "./confirm.ts";
import type { Io } from "./io.ts";
import { parse } from "./status.ts";
import { printable, usageError } from "./usage.ts";

const PATH = "/v1/assume-lost";

const Noted = z.looseObject({ assumed_lost: z.string(), known: z.boolean().default(true) });
const NoIncarnation = z.looseObject({
  error: z.looseObject({ code: z.literal("no_incarnation"), message: z.string(), hint: z.string() }),
});

/** 0 once the agent has it on disk. Throws one line when it may not agree, as `usage` where that is no incarnation. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const { incarnation } = settings;
  if (incarnation === null)
    throw usageError("-incarnation: is required: that of the lost voter, as `rollcall explain` names it");
  const key = settings.disco_key ?? "rollcall";
  await confirmKey(settings, io, key);
  const body = JSON.stringify({ key, incarnation });
  const config = clientConfig(settings, io.files);
  const answer = await request({ path: PATH, body }, config, io);
  const refused = answer.status === 400 ? decode(NoIncarnation, answer.body) : null;
  if (refused?.ok)
    throw usageError(
      `-incarnation: ${printable(refused.value.error.message)}`,
      printable(refused.value.error.hint),
    );
  if (answer.status !== 200) throw refusal(PATH, answer, config);
  const { assumed_lost, known } = parse(Noted, answer.body, config.name);
  io.stdout(`noted: this node agrees to no set with ${printable(assumed_lost)} any more\n`);
  if (!known)
    io.stdout("it knows no such incarnation: compare it with the one that `rollcall explain` names\n");
  return 0;
}
