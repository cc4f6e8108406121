/** Runs cases beside a test: Node loads the mutants' files itself here, which a test runner's loader would not. */
import { parentPort } from "node:worker_threads";
import { type Kind, report } from "./report.ts";

parentPort?.on("message", async ({ kind, name }: { kind: Kind; name: string }) => {
  try {
    parentPort?.postMessage({ report: await report(kind, name) });
  } catch (error) {
    parentPort?.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
});
