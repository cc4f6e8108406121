import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as dnsSrv from "../../providers/dns-srv.ts";
import { patient } from "../contract/stage.ts";
import { type NameServer, startNameServer } from "../support/name-server.ts";
import { type Consul, describeWith, type Knot, startConsul, startKnot } from "../support/servers/index.ts";
import { soon, until } from "../support/wait.ts";
import { opener, problemOf } from "./opener.ts";

const SLOW = 30_000;
const open = opener(dnsSrv);
const signal = patient();

describe("the configuration of dns-srv", () => {
  it("has rqlite's names as defaults", () => {
    expect(dnsSrv.Config.parse({})).toEqual({ name: "rqlite", service: "rqlite", timeout: 5_000 });
  });

  it.each([
    [{ service: "_rqlite" }, "service: must be a service as in rqlite, without the underscore before it"],
    [{ service: "a.b" }, "service: must be a service as in rqlite, without the underscore before it"],
    [{ port: 4002 }, ': Unrecognized key: "port"'],
    [{ name: "-x" }, "name: must be a domain name, as in agents.example.com"],
  ])("refuses %j in one line", (config, problem) => {
    expect(problemOf(dnsSrv.Config, config)).toBe(problem);
  });
});

describeWith("knotd", "dns-srv with Knot", () => {
  const own = [
    "_rqlite._tcp.db 60 SRV 0 5 4002 n1",
    "_rqlite._tcp.db 60 SRV 9 0 4012 n2",
    "_agents._tcp.db 60 SRV 0 0 4100 n1",
    "n1 60 A 10.0.0.1",
    "n2 60 A 10.0.0.2",
    "n2 30 AAAA fd00::2",
  ];
  let knot: Knot;
  let sixth: Knot;
  beforeAll(async () => {
    knot = await startKnot(own);
    sixth = await startKnot(own, "::1");
  }, SLOW);
  afterEach(() => knot.setRecords(own));
  afterAll(() => Promise.all([knot.stop(), sixth.stop()]), SLOW);

  const agents = (more: object = {}) => open({ name: "db.test", resolvers: [knot.endpoint], ...more });

  it("gives every address of every target at its record's port, and the smallest TTL", async () => {
    expect(await (await agents()).lookup(signal)).toEqual({
      kind: "complete",
      addresses: ["10.0.0.1:4002", "10.0.0.2:4012", "[fd00::2]:4012"],
      ttlMs: 30_000,
    });
  });

  it("asks for another service", async () => {
    expect((await (await agents({ service: "agents" })).lookup(signal)).addresses).toEqual(["10.0.0.1:4100"]);
  });

  it("takes the agents' port where the records were made for rqlite", async () => {
    const { addresses } = await (await agents({ agent_port: 4100 })).lookup(signal);
    expect(addresses).toEqual(["10.0.0.1:4100", "10.0.0.2:4100", "[fd00::2]:4100"]);
  });

  it("gives one family alone; a target that has none of it is a problem", async () => {
    expect((await (await agents({ family: 4 })).lookup(signal)).addresses).toHaveLength(2);
    expect(await (await agents({ family: 6 })).lookup(signal)).toMatchObject({
      kind: "partial",
      addresses: ["[fd00::2]:4012"],
      problems: ["n1.test: no data"],
    });
  });

  it("asks a server on IPv6", async () => {
    expect((await (await agents({ resolvers: [sixth.endpoint] })).lookup(signal)).addresses).toHaveLength(3);
  });

  it("knows two agents on one host by their ports", async () => {
    await knot.setRecords([
      ...own.slice(3),
      ..."1 2".split(" ").map((n) => `_rqlite._tcp.db SRV 0 0 410${n} n1`),
    ]);
    expect((await (await agents()).lookup(signal)).addresses).toEqual(["10.0.0.1:4101", "10.0.0.1:4102"]);
  });

  it("sees records that come and go between look-ups", async () => {
    const provider = await agents();
    await knot.setRecords(own.filter((line) => !line.includes("n1")));
    expect((await provider.lookup(signal)).addresses).toEqual(["10.0.0.2:4012", "[fd00::2]:4012"]);
    await knot.setRecords(own);
    expect((await provider.lookup(signal)).addresses).toHaveLength(3);
  });

  it("gives what resolves, and one line for each target that does not", async () => {
    await knot.setRecords([
      ...own,
      ...["gone", "away"].map((name) => `_rqlite._tcp.db 60 SRV 0 0 1 ${name}`),
    ]);
    expect(await (await agents()).lookup(signal)).toMatchObject({
      kind: "partial",
      addresses: ["10.0.0.1:4002", "10.0.0.2:4012", "[fd00::2]:4012"],
      problems: ["away.test: NXDOMAIN", "gone.test: NXDOMAIN"],
    });
  });

  it("throws where no target resolves, and names some", async () => {
    const gone = ["a", "b", "c", "d"].map((name) => `_rqlite._tcp.db 60 SRV 0 0 1 ${name}`);
    await knot.setRecords(gone);
    await expect((await agents()).lookup(signal)).rejects.toMatchObject({
      code: "dns_nxdomain",
      message: `resolve _rqlite._tcp.db.test: none of its targets gives an address: a.test: NXDOMAIN; b.test: NXDOMAIN; c.test: NXDOMAIN; … (asked ${knot.endpoint})`,
      hint: null,
    });
  });

  it("gives 150 targets, whose records do not fit into a datagram", async () => {
    const numbers = Array.from({ length: 150 }, (_, at) => at + 1);
    const targets = numbers.map((n) => `_rqlite._tcp.db 60 SRV 0 0 4002 m${n}`);
    await knot.setRecords([...targets, ...numbers.map((n) => `m${n} 60 A 10.1.0.${n}`)]);
    const { kind, addresses } = await (await agents()).lookup(signal);
    expect([kind, addresses]).toEqual(["complete", numbers.map((n) => `10.1.0.${n}:4002`).sort()]);
  });

  it.each([
    [{ service: "none" }, "dns_nxdomain", /^resolve _none\._tcp\.db\.test: NXDOMAIN/],
    [{ name: "db.elsewhere" }, "dns_refused", /^resolve _rqlite\._tcp\.db\.elsewhere: REFUSED/],
  ])("tells what %j ends in", async (more, code, message) => {
    const error = await (await agents(more)).lookup(signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.any(String) });
  });

  it("takes the root as the word for no such service", async () => {
    await knot.setRecords(["_rqlite._tcp.db 60 SRV 0 0 0 ."]);
    await expect((await agents()).lookup(signal)).rejects.toMatchObject({ code: "dns_no_data" });
  });
});

describe("dns-srv with answers that are seldom given", () => {
  const SRV = "SRV _rqlite._tcp.db.example";
  const two = { targets: [1, 2].map((n) => ({ target: `n${n}.example`, port: 4100 })) };
  let server: NameServer;
  let second: NameServer;
  beforeAll(async () => {
    [server, second] = await Promise.all([startNameServer({}), startNameServer({}, { address: "::1" })]);
  });
  afterEach(() => {
    server.zone = {};
    server.forget();
  });
  afterAll(() => Promise.all([server.close(), second.close()]));

  const agents = (more: object = {}) => open({ name: "db.example", resolvers: [server.endpoint], ...more });

  it.each([
    ["SERVFAIL", "dns_servfail"],
    ["REFUSED", "dns_refused"],
    ["NODATA", "dns_no_data"],
    ["NXDOMAIN", "dns_nxdomain"],
    ["silence", "dns_timeout"],
    ["NOTIMP", "dns_failed"],
  ] as const)("never takes a failure for an answer: %s is %s", async (reply, code) => {
    server.zone = { [SRV]: reply };
    await expect((await agents({ timeout: "300ms" })).lookup(signal)).rejects.toMatchObject({ code });
  });

  it.each([
    ["SERVFAIL", "n2.example: SERVFAIL"],
    ["silence", "n2.example: no answer in time"],
    ["NODATA", "n2.example: no data"],
  ] as const)("gives the rest where one target fails: %s", async (reply, problem) => {
    const four = { "A n1.example": { addresses: ["10.0.0.1"] }, "A n2.example": reply };
    server.zone = { [SRV]: two, ...four };
    expect(await (await agents({ family: 4, timeout: "500ms" })).lookup(signal)).toEqual({
      kind: "partial",
      addresses: ["10.0.0.1:4100"],
      ttlMs: 60_000,
      problems: [problem],
    });
  });

  it("takes one that could not be asked for more than one that is not there", async () => {
    server.zone = { [SRV]: two, "A n1.example": "NODATA", "A n2.example": "SERVFAIL" };
    await expect((await agents({ family: 4 })).lookup(signal)).rejects.toMatchObject({
      code: "dns_servfail",
    });
  });

  it("says that a record without a port needs agent_port", async () => {
    const portless = { targets: [{ target: "n1.example", port: 0 }] };
    server.zone = { [SRV]: portless, "A n1.example": { addresses: ["10.0.0.1"] } };
    await expect((await agents({ family: 4 })).lookup(signal)).rejects.toMatchObject({
      code: "dns_failed",
      message: expect.stringContaining("n1.example: its record has port 0, and there is no agent_port"),
    });
    const found = await (await agents({ family: 4, agent_port: 4100 })).lookup(signal);
    expect(found).toMatchObject({ kind: "complete", addresses: ["10.0.0.1:4100"] });
  });

  it("waits for a silent server once, not for every target", async () => {
    const hosts = Array.from({ length: 100 }, (_, at) => at + 1);
    const records = Object.fromEntries(hosts.map((n) => [`A m${n}.example`, { addresses: [`10.2.0.${n}`] }]));
    second.zone = {
      [SRV]: { targets: hosts.map((n) => ({ target: `m${n}.example`, port: 1 })) },
      ...records,
    };
    const silent = Object.fromEntries(
      Object.keys(second.zone).map((question) => [question, "silence" as const]),
    );
    server.zone = silent;
    const provider = await agents({
      resolvers: [server.endpoint, second.endpoint],
      family: 4,
      timeout: "3s",
    });
    expect((await provider.lookup(signal)).addresses).toHaveLength(100);
    expect(server.asked).toEqual([`udp ${SRV}`]);
  });

  it("settles at once when it is aborted between two questions", async () => {
    server.zone = { [SRV]: two, "A n1.example": "silence", "A n2.example": "silence" };
    const stop = new AbortController();
    const looking = (await agents({ timeout: "1m", family: 4 })).lookup(stop.signal);
    await until(() => server.asked.length === 3, { deadlineMs: 5_000, what: "all questions" });
    stop.abort();
    expect(await soon(looking)).toMatchObject({ code: "aborted" });
  });
});

describeWith("consul", "dns-srv with Consul", () => {
  let consul: Consul;
  beforeAll(async () => {
    consul = await startConsul();
  }, SLOW);
  afterAll(() => consul.stop(), SLOW);

  it("gives a service's instances at the ports they were registered with", async () => {
    const places = ["10.0.0.1:4101", "10.0.0.2:4102"];
    for (const place of places) {
      const [Address, port] = place.split(":");
      const body = JSON.stringify({ ID: place, Name: "rollcall", Address, Port: Number(port) });
      await consul.request("/v1/agent/service/register", { method: "PUT", body });
    }
    const resolvers = [`${consul.address}:${consul.ports.dns}`];
    const provider = await open({ service: "rollcall", name: "service.consul", resolvers });
    expect(await provider.lookup(signal)).toMatchObject({ kind: "complete", addresses: places });
    await consul.request(`/v1/agent/service/deregister/${places[0]}`, { method: "PUT" });
    expect((await provider.lookup(signal)).addresses).toEqual(["10.0.0.2:4102"]);
  });
});
