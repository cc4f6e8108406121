import { describe, expect, it } from "vitest";
import type { Seen } from "../../src/core/observation.ts";
import { discovery, leader, listing, running } from "./support/running.ts";

const A = "10.0.0.1:4100";
const B = "10.0.0.2:4100";

describe("a refresh", () => {
  it("tells of what went and came back between two polls", async () => {
    const flip = [
      { seq: 2, kind: "role", before: "leader", after: "replica" },
      { seq: 3, kind: "role", before: "replica", after: "leader" },
    ];
    const said = [leader(1), leader(3, flip)];
    const its = await running({
      look: async () => listing(A),
      poll: async () => (said.length > 1 ? (said.shift() as Seen) : (said[0] as Seen)),
    });
    await its.apply(discovery());
    await its.pass(1_000);
    expect(await its.types()).toContain("rollcall.CLUSTER_NEW");
    await its.view.refresh("prod/a");
    await its.pass(1_000);
    expect((await its.types()).filter((type) => type === "rollcall.NODE_CHANGED")).toHaveLength(2);
    await its.end();
  });

  it("holds its lock until the last agent has answered, whatever became of the others", async () => {
    const late = Promise.withResolvers<Seen>();
    let polls = 0;
    const its = await running({
      look: async () => listing(A, B),
      poll: (address) => {
        polls++;
        return address === A ? Promise.reject(new Error("too many open files")) : late.promise;
      },
    });
    await its.apply(discovery());
    await its.pass(500);
    expect(polls).toBe(2);
    expect(await its.view.refresh("prod/a")).toBe("running");
    late.resolve(leader(1));
    await its.pass(500);
    expect(await its.view.refresh("prod/a")).toBe("queued");
    await its.end();
  });
});
