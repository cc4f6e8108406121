/** What every store must do that outlives its process: what was acknowledged is there, however it ended. */
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import type { Store } from "../../src/store/store.ts";
import { type Process, start } from "../support/processes.ts";
import { describeWith } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { commitsOf, openFor, settingsCommit } from "./facts.ts";

const ROUNDS = 4;

/** The program of `startCommitting`, from wherever it is started. */
export const COMMITTING = fileURLToPath(new URL("committing.ts", import.meta.url));

/** The suite over one database; `location` gives that of an empty one. */
export function durableContract(name: string, location: () => string): void {
  describeWith([], `${name}: a store that outlives its process`, () => {
    const open = new Set<Store | Process>();
    afterEach(async () => {
      for (const one of open) await ("close" in one ? one.close() : one.kill());
      open.clear();
    });

    it("has everything when it is opened again", async () => {
      const where = location();
      const first = await openFor(where);
      const run = { next_at: 3, started_at: 1, ended_at: 2, error: null };
      await first.fence("c");
      await first.commit([settingsCommit("c"), { kind: "run", of: "cluster", name: "c", run }]);
      for (const commit of commitsOf("c", 3)) await first.commit([{ ...commit, fence: 1 }]);
      await first.retain({ olderThan: 0, most: 1 });
      const all = (store: Store) =>
        Promise.all([
          ...[store.clusters(), store.settings(), store.extent(), store.snapshot("c"), store.position("c:3")],
          store.events({ after: 2, limit: 10, cluster: null, types: null }),
        ]);
      const before = await all(first);
      await first.close();
      const second = await openFor(where);
      open.add(second);
      expect(await all(second)).toEqual(before);
      expect(before.slice(2, 3)).toEqual([{ oldest: 3, newest: 3 }]);
      expect(await second.fence("c")).toBe(2);
    });

    it("has all that was acknowledged when its process was killed, and no half of anything", async () => {
      const where = location();
      let acknowledged = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const child = await startCommitting(where);
        open.add(child);
        await until(() => told(child).size >= 5 && atMost(told(child)) >= 10 * (round + 1), {
          ...{ deadlineMs: 15_000, what: "some commits", giveUp: () => child.exit() && child.stderr() },
        });
        await child.kill();
        open.delete(child);
        const store = await openFor(where);
        open.add(store);
        for (const [id, version] of told(child)) await expectWhole(store, id, version);
        acknowledged += told(child).size;
        await store.close();
        open.delete(store);
      }
      expect(acknowledged).toBe(5 * ROUNDS);
    }, 60_000);

    it("lets one coordinator in, and the next when that was killed", async () => {
      const where = location();
      const child = await startCommitting(where);
      open.add(child);
      await until(() => told(child).size > 0, { deadlineMs: 15_000, what: "the first to commit" });
      await expect(openFor(where)).rejects.toMatchObject({
        code: "locked",
        message: `open the store ${where}: it is in use by another coordinator`,
      });
      // Who was refused has taken nothing from the one that is in.
      const seen = atMost(told(child));
      await until(() => atMost(told(child)) > seen + 5, { deadlineMs: 15_000, what: "the first to go on" });
      await expect(openFor(where)).rejects.toMatchObject({ code: "locked" });
      await child.kill();
      open.delete(child);
      open.add(await openFor(where));
      await expect(openFor(where)).rejects.toMatchObject({ code: "locked" });
    }, 60_000);
  });
}

/** A process that commits to five clusters at once, and says what was acknowledged. */
export function startCommitting(
  where: string,
  more: Partial<Parameters<typeof start>[0]> = {},
): Promise<Process> {
  const program = process.execPath;
  return start({ name: "committing", program, args: [COMMITTING, where], ...more });
}

/** The last version of each cluster that a process says was acknowledged. */
export function told(child: Process): Map<string, number> {
  const lines = child.stdout().matchAll(/^ok (\S+) (\d+)\n/gm);
  return new Map([...lines].map(([, id = "", version]) => [id, Number(version)]));
}

function atMost(versions: Map<string, number>): number {
  return Math.max(0, ...versions.values());
}

/** Each version wrote two events: all of them are there up to some version that is not below the acknowledged. */
export async function expectWhole(store: Store, id: string, acknowledged: number): Promise<void> {
  const cluster = await store.cluster(id);
  expect(cluster?.version).toBeGreaterThanOrEqual(acknowledged);
  expect(cluster?.seq).toBe(2 * (cluster?.version ?? 0));
  const events = await store.events({ after: null, limit: 100_000, cluster: id, types: null });
  expect(events.map(({ event }) => event.id)).toEqual(
    Array.from({ length: cluster?.seq ?? 0 }, (_, index) => `${id}:${index + 1}`),
  );
  expect(events.at(-1)?.event.data.after).toEqual(cluster?.version);
}
