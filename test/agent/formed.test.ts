import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openFormed } from "../../src/agent/formed.ts";
import { blankReport, type NodeReport } from "../../src/core/node-report.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { silentLog } from "./support/log.ts";

const member = (id: string, reachable: boolean | null = true) => ({
  id,
  addr: `${id}:4002`,
  api_addr: `http://${id}:4001`,
  voter: true,
  reachable,
});
const report = (...ids: string[]): NodeReport => ({
  ...blankReport("rqlite", "healthy", null),
  members: ids.map((id) => member(id)),
});

async function open(path: string, incarnation = "a-1") {
  const clock = manualClock();
  const formed = await openFormed({
    path,
    nodeId: "a",
    incarnation: () => incarnation,
    clock,
    log: silentLog,
  });
  const stop = new AbortController();
  const running = formed.run(stop.signal);
  return {
    formed,
    async end() {
      await turns();
      stop.abort();
      await running;
    },
  };
}

describe("what the database itself last listed", () => {
  it("is kept across restarts, without whom could be reached", async () => {
    const path = join(tempDir(), "database.json");
    const first = await open(path);
    expect(first.formed.members()).toBeNull();
    expect(first.formed.saw(report("a", "b"))).toBe(true);
    expect(first.formed.saw(report("a", "b"))).toBe(false);
    await first.end();
    const second = await open(path);
    expect(second.formed.members()).toEqual([member("a", null), member("b", null)]);
    await second.end();
  });

  it.each([
    ["that does not list this node", report("b", "c")],
    ["of a database that is not well", { ...report("a", "b"), status: "unhealthy" } as NodeReport],
    ["that does not tell", blankReport("http", "healthy", null)],
  ])("is not taken from a look %s", async (_name, look) => {
    const { formed, end } = await open(join(tempDir(), "database.json"));
    expect(formed.saw(look)).toBe(false);
    expect(formed.members()).toBeNull();
    await end();
  });

  it("is nothing to a node with a new disk, nor where the file is damaged", async () => {
    const path = join(tempDir(), "database.json");
    const first = await open(path);
    first.formed.saw(report("a", "b"));
    await first.end();
    const other = await open(path, "a-2");
    expect(other.formed.members()).toBeNull();
    await other.end();
    writeFileSync(path, "{");
    const damaged = await open(path);
    expect(damaged.formed.members()).toBeNull();
    await damaged.end();
  });
});
