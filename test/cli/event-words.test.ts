import { describe, expect, it } from "vitest";
import { whatChanged } from "../../src/cli/event-words.ts";

const node = (agent_addr: string, more: object = {}) => ({
  ...{ agent_addr, secure: false, node_id: null, incarnation: null, ...more },
});

describe("the words of an event", () => {
  it.each<[string, string, unknown, unknown, string]>([
    [
      "leave out a list that does not tell",
      "MEMBERSHIP_DRIFT",
      null,
      { inventory: ["n1"], agents: ["n1", "n2"], database: [] },
      "n2 is not in inventory",
    ],
    [
      "count one node as one",
      "CLUSTER_NEW",
      null,
      { discovery: "rep", inventory: [node("10.0.0.1:4100")] },
      "found by rep, 1 node",
    ],
    [
      "say that a cluster is not listed where it had no nodes",
      "DISCOVERY_SUSPECT",
      null,
      { discovery: "rep", listed: 0, found: 0 },
      "rep does not list it any more; the old record is kept",
    ],
    [
      "name a node of which the inventory says something else",
      "CLUSTER_CHANGED",
      {
        inventory: [
          node("10.0.0.1:4100", { node_id: "n1", incarnation: "aaaaaaaa-1" }),
          node("10.0.0.2:4100"),
        ],
      },
      {
        inventory: [
          node("10.0.0.1:4100", { node_id: "n1", incarnation: "bbbbbbbb-1" }),
          node("10.0.0.2:4100"),
        ],
      },
      "10.0.0.1:4100 with incarnation aaaaaaaa → bbbbbbbb",
    ],
    [
      "say what else it says of it",
      "CLUSTER_CHANGED",
      { inventory: [node("10.0.0.1:4100", { node_id: "n1" })] },
      { inventory: [node("10.0.0.1:4100", { node_id: "n2", secure: true })] },
      "10.0.0.1:4100 with node n1 → n2, TLS no → yes",
    ],
  ])("%s", (_, type, before, after, words) => {
    expect(whatChanged(type, before, after)).toBe(words);
  });
});
