import { describe, expect, it } from "vitest";
import { blankReport, fits, lists, type NodeReport } from "../../src/core/node-report.ts";

const member = (id: string) => ({ id, addr: "", api_addr: "", voter: true, reachable: null });
const report = (more: Partial<NodeReport>): NodeReport => ({
  ...blankReport("rqlite", "healthy", null),
  ...more,
});

describe("what a load balancer is told", () => {
  it.each([
    ["a leader", report({ role: "leader" }), "leader", true, "leader"],
    ["a leader, asked for replicas", report({ role: "leader" }), "replica", false, "leader"],
    ["a replica", report({ role: "replica" }), "replica", true, "replica"],
    ["a replica, asked for leaders", report({ role: "replica" }), "leader", false, "replica"],
    ["any healthy node", report({ role: "replica" }), "health", true, "ok"],
    ["a healthy node of unknown role", report({}), "leader", false, "unknown"],
    ["a leader that is ill", report({ role: "leader", status: "unhealthy" }), "leader", false, "unhealthy"],
    ["one that does not answer", report({ status: "unavailable" }), "health", false, "unavailable"],
    ["no database", blankReport("none", "unknown", null), "health", false, "no_database"],
  ] as const)("of %s", (_name, one, want, ok, word) => {
    expect(fits(one, want)).toEqual({ ok, word });
  });
});

describe("whether a database counts a node", () => {
  it("cannot tell where it lists nobody at all, and otherwise goes by the id", () => {
    expect(lists(report({}), "a")).toBeNull();
    expect(lists(report({ members: [] }), "a")).toBe(false);
    expect(lists(report({ members: [member("a"), member("b")] }), "a")).toBe(true);
    expect(lists(report({ members: [member("b")] }), "a")).toBe(false);
  });
});
