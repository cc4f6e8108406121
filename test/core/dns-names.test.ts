import { describe, expect, it } from "vitest";
import { nodeNameOf, zoneOf } from "../../src/core/dns-names.ts";

const label = (length: number) => "x".repeat(length);

describe("zoneOf", () => {
  it.each([
    ["rollcall", "rollcall.rollcall"],
    ["prod/orders", "orders.prod.rollcall"],
    ["eu/prod/shop/orders", "orders.shop.prod.eu.rollcall"],
    ["prod/orders.v2", "orders.v2.prod.rollcall"],
    ["a_b/c-d", "c-d.a_b.rollcall"],
    [label(63), `${label(63)}.rollcall`],
  ])("makes %s the zone %s", (key, name) => {
    expect(zoneOf(key)).toEqual({ ok: true, name });
  });

  it.each([
    ["a..b", "has an empty label between dots"],
    [".a", "has an empty label between dots"],
    ["a/b.", "has an empty label between dots"],
    [`prod/${label(64)}`, `has the label ${label(20)}…, where DNS allows 1 to 63`],
    ["-a", "has the label -a, where"],
    ["a-", "has the label a-, where"],
    [[label(60), label(60), label(60), label(60)].join("/"), "is too long: between _db._tcp.leader. and"],
  ])("says why the key %s has none", (key, problem) => {
    expect(zoneOf(key)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });
});

describe("nodeNameOf", () => {
  it.each([
    ["node-1", "node-1.orders.rollcall"],
    ["Node_1", "node_1.orders.rollcall"],
    ["db1.example.com", "db1.example.com.orders.rollcall"],
    ["leader.a", "leader.a.orders.rollcall"],
  ])("names %s %s", (id, name) => {
    expect(nodeNameOf(id, "orders.rollcall")).toEqual({ ok: true, name });
  });

  it.each([
    ["leader", "ends with leader"],
    ["Replica", "ends with replica"],
    ["ns", "ends with ns"],
    ["_db._tcp.leader", "ends with leader"],
    ["10.0.0.1:4001", "has the label 1:4001, where"],
    ["a@b", "has the label a@b, where"],
    ["a..b", "has an empty label"],
    ["", "has an empty label"],
    [label(64), "has the label"],
  ])("says why the node %j has none", (id, problem) => {
    expect(nodeNameOf(id, "orders.rollcall")).toEqual({
      ok: false,
      problem: expect.stringContaining(problem),
    });
  });

  it("says when id and zone together are too long", () => {
    const zone = `${[label(60), label(60), label(60)].join(".")}.rollcall`;
    expect(nodeNameOf(label(63), zone)).toMatchObject({ problem: expect.stringContaining("too long") });
    expect(nodeNameOf(label(40), zone).ok).toBe(true);
  });
});
