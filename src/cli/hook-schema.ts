/** What a hook reads on standard input, for the documentation: made from the schema that the agent itself uses. */
import * as z from "zod";
import { HookPayload } from "../core/hooks.ts";

/** The payload of every hook but `-on-init`, as JSON Schema (2020-12). */
export function hookSchema(): Record<string, unknown> {
  return { title: "rollcall hook payload", ...z.toJSONSchema(HookPayload, { io: "output" }) };
}
