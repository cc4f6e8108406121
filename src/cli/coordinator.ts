/** `rollcall coordinator`: runs until a signal ends it. */
import type { CoordinatorConfig } from "../config.ts";
import type { Io } from "./io.ts";

/** 0 after an orderly end. Throws one clear line when it cannot go on. */
export async function run(_config: CoordinatorConfig, _io: Io): Promise<number> {
  return 0;
}
