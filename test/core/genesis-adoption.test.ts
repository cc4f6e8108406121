/** What a leader record and a database say of a cluster that was not created here, and when two accounts are of one. */
import { describe, expect, it } from "vitest";
import {
  clusterOf,
  isSame,
  leaderId,
  listsNode,
  namedLeader,
  standing,
} from "../../src/core/genesis-adoption.ts";
import type { Adopted, AdoptedNode, Unborn } from "../../src/core/model.ts";
import { blankReport, type DatabaseMember } from "../../src/core/node-report.ts";

const member = (id: string, more: Partial<DatabaseMember> = {}): DatabaseMember => ({
  id,
  addr: `${id}:4002`,
  api_addr: `http://${id}:4001`,
  voter: true,
  reachable: true,
  ...more,
});
const node = (id: string, more: Partial<AdoptedNode> = {}): AdoptedNode => ({
  id,
  addr: `${id}:4002`,
  api_addr: `http://${id}:4001`,
  voter: true,
  ...more,
});

describe("a leader record", () => {
  it("is a database's own where it names no genesis", () => {
    const value = '{"id":"n1","api_addr":"http://n1:4001","addr":"n1:4002"}';
    expect(namedLeader(value)).toEqual({ value, id: "n1", api_addr: "http://n1:4001", addr: "n1:4002" });
    expect(namedLeader('{"id":"n1","genesis_id":"g"}')).toBeNull();
    expect(namedLeader(undefined)).toBeNull();
  });

  it("that cannot be read is one too, so that nothing is created beside it", () => {
    for (const value of ["", "not JSON", "[]", '{"id":7}'])
      expect(namedLeader(value)).toEqual({ value, id: "", api_addr: "", addr: "" });
  });

  it("is called by its id, else by an address", () => {
    const called = (value: string) => leaderId(namedLeader(value) ?? { id: "", api_addr: "", addr: "" });
    expect(called('{"id":"n1","addr":"n1:2"}')).toBe("n1");
    expect(called('{"api_addr":"http://n1:1","addr":"n1:2"}')).toBe("http://n1:1");
    expect(called('{"addr":"n1:2"}')).toBe("n1:2");
    expect(called("?")).toBe("unreadable");
  });

  it("forbids nothing where the genesis record forgets exactly it", () => {
    const unborn: Unborn = { v: 1, state: "unborn", init_id: "i", birth: 1, expect: 3 };
    const named = namedLeader('{"id":"n1"}');
    expect(standing(named, null)).toBe(named);
    expect(standing(named, unborn)).toBe(named);
    expect(standing(named, { ...unborn, forgets: '{"id":"n1"}' })).toBeNull();
    expect(standing(named, { ...unborn, forgets: '{"id": "n1"}' })).toBe(named);
    expect(standing(null, unborn)).toBeNull();
  });
});

describe("a cluster", () => {
  it("is what a database lists that knows of a leader", () => {
    const leader = member("n1");
    const report = {
      ...blankReport("rqlite", "healthy", null),
      leader,
      members: [leader, member("n2", { voter: false, reachable: null })],
    };
    expect(clusterOf(report)).toEqual({
      leader: { id: "n1", addr: "n1:4002", api_addr: "http://n1:4001" },
      nodes: [node("n1"), node("n2", { voter: false })],
    });
    expect(clusterOf({ ...report, leader: null })).toBeNull();
    expect(clusterOf({ ...report, leader: member("") })).toBeNull();
    expect(clusterOf({ ...report, members: null })).toBeNull();
    expect(clusterOf({ ...report, members: [] })).toBeNull();
    expect(clusterOf({ ...report, members: [member("")] })).toBeNull();
    expect(clusterOf(null)).toBeNull();
  });

  it("lists its nodes by id", () => {
    const cluster = { leader: node("n1"), nodes: [node("n1"), node("n2")] };
    expect([listsNode(cluster, "n2"), listsNode(cluster, "n3")]).toEqual([true, false]);
  });
});

describe("two accounts", () => {
  const adopted = (...nodes: AdoptedNode[]): Adopted => ({ by: "a", leader: node("n1"), nodes });
  const now = (...nodes: AdoptedNode[]) => ({ leader: node("n1"), nodes });
  const three = adopted(node("n1"), node("n2"), node("n3"));

  it("are of one cluster when a majority of the adopted nodes is still in it", () => {
    expect(isSame(three, now(node("n1"), node("n2"), node("n3")))).toBe(true);
    expect(isSame(three, now(node("n1"), node("n3"), node("n4"), node("n5")))).toBe(true);
    expect(isSame(three, now(node("n1"), node("n4"), node("n5")))).toBe(false);
    expect(isSame(adopted(node("n1"), node("n2")), now(node("n1")))).toBe(false);
    expect(isSame(adopted(node("n1")), now(node("n1")))).toBe(true);
    expect(isSame(adopted(), now(node("n1")))).toBe(false);
  });

  it("are of two where the ids are the same and the addresses are not", () => {
    const moved = (id: string) => node(id, { addr: `${id}.b:4002`, api_addr: `http://${id}.b:4001` });
    expect(isSame(three, now(moved("n1"), moved("n2"), moved("n3")))).toBe(false);
    expect(isSame(three, now(node("n1"), node("n2"), moved("n3")))).toBe(true);
  });

  it("are compared by one address where the other changed, and by the id where none is known", () => {
    const half = (id: string) => node(id, { addr: `${id}.b:4002` });
    expect(isSame(three, now(half("n1"), half("n2")))).toBe(true);
    const bare = (id: string) => node(id, { addr: "", api_addr: "" });
    expect(isSame(three, now(bare("n1"), bare("n2")))).toBe(true);
    expect(isSame(three, now(bare("x1"), bare("x2")))).toBe(false);
  });
});
