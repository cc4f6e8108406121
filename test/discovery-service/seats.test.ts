/** The size of an id: who counts towards it, whichever way they came. */
import { describe, expect, it } from "vitest";
import { inMemory } from "../../src/discovery-service/durable.ts";
import { createApp } from "../../src/discovery-service/http.ts";
import { manualClock } from "../lib/manual-clock.ts";

/** A service with one id of that size. */
async function make(size: number) {
  let made = 0;
  const clock = manualClock();
  const deps = { clock, log: { error: () => {} }, uuid: () => `u${++made}` };
  const { app } = createApp({ ...inMemory(deps), token: null }, deps);
  const ask = async (method: string, path: string, body: unknown) => {
    const answer = await app.request(path, { method, body: JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, error: text === "" ? undefined : JSON.parse(text).error };
  };
  const created = await app.request("/", { method: "POST", body: JSON.stringify({ size }) });
  const id = ((await created.json()) as { disco_id: string }).disco_id;
  const put = async (body: string) => {
    const headers = { "if-none-match": "*" };
    const answer = await app.request(`/${id}/registers/genesis`, { method: "PUT", headers, body });
    expect(answer.status).toBe(201);
  };
  return {
    clock,
    id,
    ask,
    /** Writes what the genesis register holds. */
    put,
    /** Seals a genesis with these founders. */
    seal: (genesis_id: string, founders: readonly string[]) => {
      const members = founders.map((nodeId) => ({ id: nodeId, incarnation: `i-${nodeId}` }));
      return put(JSON.stringify({ v: 1, state: "sealed", genesis_id, members }));
    },
    node: (addr: string) => ask("POST", `/${id}`, { addr }),
    remove: (addr: string) => ask("DELETE", `/${id}`, { addr }),
    member: (nodeId: string, more: object = {}) => {
      const record = { id: nodeId, incarnation: `i-${nodeId}`, api_addr: "", voter: true, ...more };
      return ask("PUT", `/${id}/members/${nodeId}?ttl=10s`, record);
    },
  };
}

describe("the size of an id", () => {
  it("refuses the voter beyond it among members, and takes any number that do not vote", async () => {
    const { member, id } = await make(2);
    for (const nodeId of ["n1", "n2"]) expect((await member(nodeId)).status).toBe(200);
    expect(await member("n3")).toEqual({
      status: 409,
      error: {
        code: "id_full",
        message: "this id is for 2 voters, and all have registered",
        hint: "wait until the entry of one that is gone ends, come without a vote, or create another id",
      },
    });
    for (const nodeId of ["r1", "r2"]) expect((await member(nodeId, { voter: false })).status).toBe(200);
    // One that comes without a vote cannot have one later.
    expect((await member("r1")).error.code).toBe("id_full");
    expect(id).not.toBe("");
  });

  it("counts a member that does not say whether it votes", async () => {
    const { member } = await make(1);
    expect((await member("n1", { voter: undefined })).status).toBe(200);
    expect((await member("n2", { voter: undefined })).status).toBe(409);
  });

  it("counts members beside nodes that registered by their address, in whichever order they come", async () => {
    const first = await make(3);
    expect((await first.node("http://a:4001")).status).toBe(200);
    for (const nodeId of ["n1", "n2"]) expect((await first.member(nodeId)).status).toBe(200);
    expect((await first.member("n3")).status).toBe(409);
    expect(await first.node("http://b:4001")).toMatchObject({
      status: 409,
      error: expect.stringContaining("this id is for 3 voters, and all have registered"),
    });
    expect((await first.node("http://a:4001")).status).toBe(200);
  });

  it("counts a node once that came both ways: its address is the member's api_addr", async () => {
    const { node, member } = await make(2);
    expect((await node("http://Host-1:4001/")).status).toBe(200);
    expect((await member("n1", { api_addr: "host-1:4001" })).status).toBe(200);
    expect((await member("n2", { api_addr: "https://host-2:4001" })).status).toBe(200);
    expect((await node("http://host-2:4001")).status).toBe(200);
    expect((await member("n3", { api_addr: "host-3:4001" })).status).toBe(409);
    expect((await node("http://host-3:4001")).status).toBe(409);
  });

  it("counts a node that came by its address for one member, however many name that address", async () => {
    const { node, member } = await make(3);
    for (const host of ["a", "b", "c"]) expect((await node(`http://${host}:4001`)).status).toBe(200);
    expect((await member("n1", { api_addr: "a:4001" })).status).toBe(200);
    for (const nodeId of ["n2", "n3"])
      expect((await member(nodeId, { api_addr: "a:4001" })).error.code).toBe("id_full");
    expect((await member("n2", { api_addr: "b:4001" })).status).toBe(200);
  });

  it("keeps two members apart that say the same address, or none", async () => {
    const { member } = await make(2);
    expect((await member("n1", { api_addr: "h:1" })).status).toBe(200);
    expect((await member("n2", { api_addr: "h:1" })).status).toBe(200);
    expect((await member("n3", { api_addr: "h:1" })).status).toBe(409);
  });

  it("never refuses who is there: a new lease, another record, the next incarnation", async () => {
    const { member } = await make(1);
    expect((await member("n1")).status).toBe(200);
    expect((await member("n1", { status: "ready", api_addr: "h:1" })).status).toBe(200);
    // The holder of the node id is what the next one has to be told of, not the size.
    expect(await member("n1", { incarnation: "next" })).toMatchObject({
      status: 409,
      error: { code: "taken" },
    });
  });

  it("never refuses a member that has its place because it moved", async () => {
    const { node, member } = await make(2);
    await node("http://a:4001");
    expect((await member("n1", { api_addr: "a:4001" })).status).toBe(200);
    expect((await member("n2", { api_addr: "b:4001" })).status).toBe(200);
    expect((await member("n1", { api_addr: "c:4001" })).status).toBe(200);
    // What is left of it at its old address counts until it is removed.
    expect((await node("http://b:4001")).status).toBe(200);
    expect((await node("http://c:4001")).status).toBe(200);
    expect((await node("http://d:4001")).status).toBe(409);
  });

  it("has a place again when a lease has ended, and when an address is removed", async () => {
    const { clock, node, remove, member } = await make(2);
    await node("http://a:4001");
    await member("n1");
    expect((await member("n2")).status).toBe(409);
    clock.advance(10_000);
    expect((await member("n2")).status).toBe(200);
    expect((await member("n1")).status).toBe(409);
    await remove("http://a:4001");
    expect((await member("n1")).status).toBe(200);
  });

  it("refuses nobody who belongs to the sealed genesis, whoever sits in its place meanwhile", async () => {
    const { clock, member, seal } = await make(3);
    for (const nodeId of ["a", "b", "c"]) expect((await member(nodeId)).status).toBe(200);
    await seal("g1", ["a", "b", "c"]);
    clock.advance(9_999);
    for (const nodeId of ["a", "b"]) expect((await member(nodeId, { genesis_id: "g1" })).status).toBe(200);
    clock.advance(1);
    expect((await member("d")).status).toBe(200);
    expect((await member("c", { genesis_id: "g1" })).status).toBe(200);
    expect((await member("e")).error.code).toBe("id_full");
    // One that joined after the genesis belongs to it no less.
    expect((await member("f", { genesis_id: "g1" })).status).toBe(200);
    expect((await member("g", { genesis_id: "g0" })).error.code).toBe("id_full");
  });

  it("refuses no founder that has not settled yet, and knows it by its disk", async () => {
    const { clock, member, seal } = await make(2);
    for (const nodeId of ["a", "b"]) expect((await member(nodeId)).status).toBe(200);
    await seal("g1", ["a", "b"]);
    clock.advance(10_000);
    for (const nodeId of ["c", "d"]) expect((await member(nodeId)).status).toBe(200);
    expect((await member("a", { genesis_id: null, incarnation: "another disk" })).error.code).toBe("id_full");
    expect((await member("a", { genesis_id: null })).status).toBe(200);
  });

  it.each([
    ["nothing at all", ""],
    ["no JSON", "{"],
    ["a claim, which may yet fail", '{"state":"claimed","genesis_id":"g1","members":[]}'],
    ["a record without a genesis", '{"state":"sealed","members":[]}'],
  ])("stands for everybody while the genesis register holds %s", async (_, text) => {
    const { member, put } = await make(1);
    expect((await member("a")).status).toBe(200);
    await put(text);
    for (const genesis_id of [null, undefined, "", "g1"])
      expect((await member("b", { genesis_id })).error.code).toBe("id_full");
  });

  it("is for ids that were created with one", async () => {
    const { ask } = await make(1);
    for (const nodeId of ["n1", "n2"]) {
      const record = { id: nodeId, incarnation: "i", voter: true };
      expect((await ask("PUT", `/other/members/${nodeId}`, record)).status).toBe(200);
    }
  });
});
