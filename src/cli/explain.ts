/** `rollcall explain`: why a running agent waits, and what unblocks it. */
import * as z from "zod";
import type { Settings } from "../config.ts";
import { formatAddress } from "../core/address.ts";
import { formatDuration } from "../lib/duration.ts";
import { ask } from "./ask.ts";
import { clientConfig } from "./configs.ts";
import type { Io } from "./io.ts";
import { parse } from "./status.ts";
import { columns } from "./table.ts";
import { printable } from "./usage.ts";

const Explanation = z.looseObject({
  phase: z.string(),
  code: z.string(),
  settled: z.boolean().default(false),
  overdue: z.boolean().default(false),
  summary: z.string(),
  unblock: z.array(z.string()).default([]),
  expected: z.int(),
  seen: z.int(),
  reachable: z.int(),
  counted: z.array(z.string()).default([]),
  not_counted: z.array(z.looseObject({ id: z.string(), text: z.string() })).default([]),
  next_try_ms: z.number().nullable().default(null),
});
type Explanation = z.infer<typeof Explanation>;

/** Prints /v1/explain of the agent at -addr as sentences, or as it came. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const config = clientConfig(settings, io.files);
  const body = await ask("/v1/explain", config, io);
  if (settings.output === "json") io.stdout(`${body.trimEnd()}\n`);
  else io.stdout(asText(parse(Explanation, body, formatAddress(config.addr))));
  return 0;
}

function asText(e: Explanation): string {
  const head = columns([
    ["phase", `${e.phase}, ${e.code}${e.overdue ? ", overdue" : ""}`],
    ["voters", `${e.expected} expected`],
    ["agents", `${e.seen} seen, ${e.reachable} reachable`],
    ...(e.settled ? [] : [["counted", e.counted.join(", ")]]),
    ...(e.next_try_ms === null
      ? []
      : [["next try", `in ${formatDuration(Math.round(e.next_try_ms / 100) * 100)}`]]),
  ]);
  const missing =
    e.not_counted.length === 0
      ? ""
      : `\nnot counted\n${columns(e.not_counted.map(({ id, text }) => [`  ${id}`, text]))}`;
  const unblock =
    e.unblock.length === 0
      ? ""
      : `\nwhat unblocks it\n${e.unblock.map((line) => `  - ${printable(line)}\n`).join("")}`;
  return `${printable(e.summary)}\n\n${head}${missing}${unblock}`;
}
