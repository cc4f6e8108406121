import { describe, expect, it } from "vitest";
import { hashOf } from "../../src/discovery-service/access.ts";
import { inMemory } from "../../src/discovery-service/durable.ts";
import { createLists, LIST_LIMITS } from "../../src/discovery-service/lists.ts";
import { serve } from "../../src/discovery-service/serve.ts";
import { openService } from "../../src/discovery-service/service.ts";
import { manualClock } from "../lib/manual-clock.ts";

const HOUR_MS = 3_600_000;
const free = { size: null, tokenHash: null };

describe("lists", () => {
  it("never give a position twice, and an address its own again", () => {
    const lists = createLists();
    lists.create("id", free, 0);
    expect(["a", "b", "a"].map((addr) => lists.register("id", addr))).toEqual([1, 2, 1]);
    lists.remove("id", "a");
    expect(lists.register("id", "a")).toBe(3);
    expect([...lists.get("id").nodes.keys()]).toEqual(["b", "a"]);
  });

  it("take no more than their bounds, and nothing of what is refused", () => {
    const lists = createLists(undefined, { ...LIST_LIMITS, ids: 2, nodesPerId: 2, nodes: 3, addrLength: 3 });
    lists.create("a", free, 0);
    lists.create("b", free, 0);
    expect(() => lists.create("c", free, 0)).toThrow("it takes 2 ids");
    expect(() => lists.register("a", "long")).toThrow("cannot be a node's address");
    for (const addr of ["x", "y"]) lists.register("a", addr);
    expect(() => lists.register("a", "z")).toThrow("it takes 2 nodes in one id");
    lists.register("b", "x");
    expect(() => lists.register("b", "y")).toThrow("it takes 3 nodes");
    expect(lists.size()).toEqual({ ids: 2, nodes: 3 });
  });

  it("forget what nobody uses, but never what has a record", async () => {
    const clock = manualClock();
    const deps = { clock, uuid: () => "u", log: { error: () => {} } };
    const contents = inMemory(deps);
    const { lists, registers } = contents;
    for (const id of ["unused", "used", "born"]) lists.create(id, free, clock.wall());
    lists.register("unused", "a");
    registers.put({ id: "born", name: "genesis", value: "x", expected: null });
    const options = { host: "127.0.0.1", port: 0, token: null, contents, unusedMs: 10 * HOUR_MS };
    const service = await serve(options, deps);
    clock.advance(9 * HOUR_MS);
    lists.use("used", clock.wall());
    clock.advance(2 * HOUR_MS);
    expect(["unused", "used", "born"].map((id) => lists.find(id) !== null)).toEqual([false, true, true]);
    expect(lists.size()).toEqual({ ids: 2, nodes: 0 });
    const closed = service.close();
    clock.advance(1_000);
    await closed;
    expect(clock.pending()).toBe(0);
  });

  it("keep an id that only members ask for, token and size with it, after the last of them is gone", async () => {
    const clock = manualClock();
    const deps = { clock, uuid: () => "u", log: { error: () => {} } };
    const { lists, ...contents } = inMemory(deps);
    const tokenHash = hashOf("its own");
    for (const id of ["asked", "knocked"]) lists.create(id, { size: 3, tokenHash }, clock.wall());
    const service = openService({ ...contents, lists, token: null, unusedMs: 10 * HOUR_MS }, deps);
    const ask = async (path: string, token: string, init: RequestInit = {}) =>
      (await service.app.request(path, { ...init, headers: { authorization: `Bearer ${token}` } })).status;
    const body = '{"id":"n1","incarnation":"i"}';
    expect(await ask("/asked/members/n1?ttl=10m", "its own", { method: "PUT", body })).toBe(200);
    clock.advance(6 * HOUR_MS);
    expect([await ask("/asked/view", "its own"), await ask("/knocked/view", "wrong")]).toEqual([200, 401]);
    clock.advance(6 * HOUR_MS);
    expect(["asked", "knocked"].map((id) => lists.find(id)?.size)).toEqual([3, undefined]);
    clock.advance(5 * HOUR_MS);
    expect(lists.size().ids).toBe(0);
    service.end();
    expect(clock.pending()).toBe(0);
  });
});
