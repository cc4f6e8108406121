import { describe, expect, it } from "vitest";
import { type LeaveOptions, leave } from "../../src/agent/leave.ts";
import { blankReport, type NodeReport } from "../../src/core/node-report.ts";
import type { Database } from "../../src/databases/database.ts";
import { manualClock } from "../lib/manual-clock.ts";

const member = (id: string) => ({ id, addr: "", api_addr: "", voter: true, reachable: true });
const seen = (...ids: string[]): NodeReport => ({
  ...blankReport("rqlite", "healthy", null),
  members: ids.map(member),
});

/** Node `a` leaves, and its database was last seen so; `removes`: what comes of removing it, undefined: it cannot. */
async function leaving(report: NodeReport | null, removes: (() => Promise<void>) | undefined) {
  const done: string[] = [];
  const database: Database = {
    kind: "rqlite",
    probe: async () => report ?? blankReport("rqlite", "unavailable", null),
    clientAddress: (address) => address,
    close: () => {},
    ...(removes === undefined
      ? {}
      : {
          async removeMember(id: string) {
            done.push(`remove ${id}`);
            await removes();
          },
        }),
  };
  const options = {
    pacing: { clock: manualClock(), random: () => 0 },
    nodeId: "a",
    database,
    probe: { look: async () => report },
    hooks: { once: async () => void done.push("hook") },
    leaving: (is: boolean) => void done.push(is ? "leaving" : "staying"),
  } as unknown as LeaveOptions;
  const stays = await leave(options, new AbortController().signal);
  return { code: stays?.code ?? null, done };
}

describe("leaving a cluster", () => {
  const works = async () => {};
  it("removes the node, and tells the operator's hook after it", async () => {
    expect(await leaving(seen("a", "b"), works)).toEqual({
      code: null,
      done: ["leaving", "remove a", "hook"],
    });
  });

  it("has nothing to remove where the cluster does not list the node, or the database cannot", async () => {
    expect(await leaving(seen("b", "c"), works)).toEqual({ code: null, done: ["leaving", "hook"] });
    expect(await leaving(seen("a", "b"), undefined)).toEqual({ code: null, done: ["hook"] });
  });

  it.each<[string, NodeReport | null, () => Promise<void>]>([
    ["database_unavailable", null, works],
    ["cannot_tell", blankReport("rqlite", "unhealthy", "no leader"), works],
    ["last_member", seen("a"), works],
    ["not_removed", seen("a", "b"), () => Promise.reject(new Error("no leader"))],
  ])("stays, and tells no hook: %s", async (code, report, removes) => {
    const stayed = await leaving(report, removes);
    expect(stayed.code).toBe(code);
    expect(stayed.done.at(-1)).toBe("staying");
    expect(stayed.done).not.toContain("hook");
  });
});
