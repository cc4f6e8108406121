/**
 * A process of its own that commits to five clusters without an end, from what is stored on, two events a commit:
 * `ok ID VERSION` for each that was acknowledged, `failed CODE MESSAGE` for each that was not.
 */
import { systemClock } from "../../src/lib/clock.ts";
import { RollcallError, reason } from "../../src/lib/errors.ts";
import { commitOf, factsOf, openFor } from "./facts.ts";

const RETRY_MS = 20;

const store = await openFor(process.argv[2] ?? "").catch((error: unknown) => {
  process.stderr.write(`${reason(error)}\n`);
  process.exit(1);
});
const signal = new AbortController().signal;

async function follow(id: string): Promise<never> {
  let version = (await store.cluster(id))?.version ?? 0;
  for (;;) {
    const change = { type: "NODE_UP" as const, subject: id, before: null, after: version + 1 };
    const commit = commitOf(id, { version, facts: factsOf(id) }, { changes: [change, change] });
    try {
      await store.commit([commit]);
      version++;
      process.stdout.write(`ok ${id} ${version}\n`);
    } catch (error) {
      const code = error instanceof RollcallError ? error.code : "bug";
      process.stdout.write(`failed ${code} ${reason(error)}\n`);
      await systemClock.sleep(RETRY_MS, signal);
    }
  }
}

await Promise.all(["a", "b", "c", "d", "e"].map(follow));
