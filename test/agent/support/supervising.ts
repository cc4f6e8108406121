/**
 * An agent's supervision in a process of its own, to be killed or signalled: takes the options as JSON in its
 * argument, says what its state is whenever that changes, and ends with the code that an agent would end with.
 */
import { openSupervisor } from "../../../src/agent/supervise.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { silentLog } from "./log.ts";
import { valuesOf } from "./outcome-values.ts";

const given = JSON.parse(process.argv[2] ?? "{}") as {
  command: string[];
  path: string;
  restart?: "on-failure" | "always" | "never";
  stopTimeoutMs?: number;
};
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
const supervisor = openSupervisor({
  argumentsAt: null,
  restart: "on-failure",
  stopTimeoutMs: 5_000,
  ...given,
  pacing: { clock: systemClock, random: Math.random },
  log: silentLog,
  uuid: () => globalThis.crypto.randomUUID(),
  env: process.env,
  plan: () => ({ values: valuesOf(), files: [] }),
  changed: () => void process.stdout.write(`${supervisor.state().at}\n`),
});
process.exitCode = (await supervisor.run(stop.signal)) ?? 99;
