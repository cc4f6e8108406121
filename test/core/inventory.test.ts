import { describe, expect, it } from "vitest";
import { normalised } from "../../src/core/inventory.ts";
import { listed, recordOf } from "./clusters.ts";

describe("a record in its one form", () => {
  it("has each address once, sorted, whatever the order", () => {
    const nodes = [listed("b"), listed("a", { node_id: "x" }), listed("c"), listed("a", { node_id: "y" })];
    const one = normalised(recordOf("", { nodes }));
    expect(one.nodes.map(({ agent_addr }) => agent_addr)).toEqual(["a:4100", "b:4100", "c:4100"]);
    expect(normalised(recordOf("", { nodes: nodes.toReversed() }))).toEqual(one);
    expect(normalised(one)).toEqual(one);
  });
});
