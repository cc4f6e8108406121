import { describe, expect, it } from "vitest";
import { type DatabaseFacts, withDatabase } from "../../src/core/reasons-database.ts";

const settled = { code: "settled", summary: "Settled: this node joins.", unblock: [] };
const database = (more: Partial<DatabaseFacts>): DatabaseFacts => ({
  kind: "rqlite",
  status: "healthy",
  problem: null,
  process: null,
  ...more,
});

describe("an explanation of a settled node", () => {
  it.each<[string, DatabaseFacts | null]>([
    ["without a database", null],
    ["with a healthy one", database({})],
  ])("%s says no more", (_name, facts) => {
    expect(withDatabase(settled, facts)).toBe(settled);
  });

  it.each<[Partial<DatabaseFacts>, string, boolean]>([
    [{ status: "unavailable", problem: "connection refused" }, "is unavailable: connection refused.", true],
    [{ status: "joining", problem: "nobody in reach leads" }, "is joining: nobody in reach leads.", true],
    [{ status: "not_in_cluster" }, "is not in cluster.", true],
    [{ status: "unhealthy", problem: "no leader" }, "is unhealthy: no leader.", true],
    [{ status: "unknown", process: "ended with exit 7" }, "does not run yet: ended with exit 7.", false],
    [{ status: "leaving" }, "is leaving.", false],
  ])("says that it %j", (more, text, helps) => {
    const { code, summary, unblock } = withDatabase(settled, database(more));
    expect([code, summary]).toEqual(["settled", `Settled: this node joins. Its database (rqlite) ${text}`]);
    expect(unblock.length > 0).toBe(helps);
  });

  it("is about the genesis first: what waits or refuses is explained as it is", () => {
    const refused = { code: "genesis_conflict", summary: "Two clusters.", unblock: ["Wipe one."] };
    expect(withDatabase(refused, database({ status: "unavailable" }))).toBe(refused);
  });
});
