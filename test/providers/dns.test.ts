import { getEventListeners } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as dns from "../../providers/dns.ts";
import { contextFor, patient } from "../contract/stage.ts";
import { manualClock } from "../lib/manual-clock.ts";
import { type NameServer, startNameServer } from "../support/name-server.ts";
import { run, start } from "../support/processes.ts";
import { type Consul, describeWith, type Knot, startConsul, startKnot } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { soon, until } from "../support/wait.ts";
import { opener, problemOf } from "./opener.ts";

const SLOW = 30_000;
// A resolv.conf of its own for one process needs rights that not every user and container has.
const mayMount =
  process.getuid?.() === 0 && (await run("unshare", ["--mount", "true"]).catch(() => null)) !== null;
const open = opener(dns);
const signal = patient();

describe("the configuration of dns", () => {
  it("has rqlite's names and our port as defaults", () => {
    expect(dns.Config.parse({})).toEqual({ name: "rqlite", port: 4100, timeout: 5_000 });
  });

  it("takes what rqlite takes, and our keys", () => {
    const resolvers = ["10.0.0.2", "10.0.0.2:5353", "[FD00::2]:53", "[::1]"];
    const given = {
      name: "a.example.",
      port: 4002,
      resolvers,
      family: 6,
      timeout: "250ms",
      agent_port: 4100,
    };
    const expanded = ["10.0.0.2:53", "10.0.0.2:5353", "[fd00::2]:53", "[::1]:53"];
    expect(dns.Config.parse(given)).toEqual({ ...given, resolvers: expanded, timeout: 250 });
  });

  it.each([
    [{ nam: "x" }, ': Unrecognized key: "nam"'],
    [{ name: "" }, "name: must be a domain name, as in agents.example.com"],
    [{ name: "a..b" }, "name: must be a domain name, as in agents.example.com"],
    [{ name: "a:4100" }, "name: must be a domain name, as in agents.example.com"],
    [{ name: `${"a".repeat(64)}.b` }, "name: must be a domain name, as in agents.example.com"],
    [{ name: "10.0.0.1" }, "name: is an IP address; give agents by address with -join"],
    [{ port: 0 }, "port: must be from 1 to 65535"],
    [{ agent_port: 65_536 }, "agent_port: must be from 1 to 65535"],
    [{ family: 5 }, "family: must be 4 or 6, or left out for both"],
    [{ timeout: "5m" }, "timeout: must be at most 1m"],
    [{ timeout: "0s" }, "timeout: must be longer than 0"],
    [{ resolvers: [] }, "resolvers: must have at least one"],
    [{ resolvers: Array(9).fill("10.0.0.1") }, "resolvers: must have at most 8"],
    [
      { resolvers: ["ns.example:53"] },
      "resolvers.0: must be ip:port or [ipv6]:port, as in 10.0.0.2:53, and no name",
    ],
    [{ resolvers: ["::1"] }, "resolvers.0: must be ip:port or [ipv6]:port, as in 10.0.0.2:53, and no name"],
  ])("refuses %j in one line", (config, problem) => {
    expect(problemOf(dns.Config, config)).toBe(problem);
  });
});

describeWith("knotd", "dns with Knot", () => {
  const own = ["agents 300 A 10.0.0.2", "agents 300 A 10.0.0.1", "agents 90 AAAA fd00::1", "empty 60 TXT x"];
  let knot: Knot;
  let sixth: Knot;
  beforeAll(async () => {
    knot = await startKnot(own);
    sixth = await startKnot(own, "::1");
  }, SLOW);
  afterEach(() => knot.setRecords(own));
  afterAll(() => Promise.all([knot.stop(), sixth.stop()]), SLOW);

  const agents = (more: object = {}) => open({ name: "agents.test", resolvers: [knot.endpoint], ...more });

  it("gives both families in order, and the smallest TTL", async () => {
    expect(await (await agents()).lookup(signal)).toEqual({
      kind: "complete",
      addresses: ["10.0.0.1:4100", "10.0.0.2:4100", "[fd00::1]:4100"],
      ttlMs: 90_000,
    });
  });

  it("gives one family alone", async () => {
    const four = await (await agents({ family: 4 })).lookup(signal);
    expect(four).toMatchObject({ addresses: ["10.0.0.1:4100", "10.0.0.2:4100"], ttlMs: 300_000 });
    const six = await (await agents({ family: 6 })).lookup(signal);
    expect(six).toMatchObject({ addresses: ["[fd00::1]:4100"], ttlMs: 90_000 });
  });

  it("takes port as the agents', and agent_port instead where port is a database's", async () => {
    const one = { family: 6 };
    expect((await (await agents({ ...one, port: 4002 })).lookup(signal)).addresses).toEqual([
      "[fd00::1]:4002",
    ]);
    const replaced = await agents({ ...one, port: 4002, agent_port: 4300 });
    expect((await replaced.lookup(signal)).addresses).toEqual(["[fd00::1]:4300"]);
  });

  it("asks a server on IPv6", async () => {
    const provider = await agents({ resolvers: [sixth.endpoint] });
    expect(sixth.endpoint).toMatch(/^\[::1\]:\d+$/);
    expect((await provider.lookup(signal)).addresses).toHaveLength(3);
  });

  it("follows an alias", async () => {
    await knot.setRecords(["agents 30 CNAME real", "real 60 A 10.0.0.9"]);
    expect(await (await agents()).lookup(signal)).toEqual({
      kind: "complete",
      addresses: ["10.0.0.9:4100"],
      ttlMs: 30_000,
    });
  });

  it("sees records that come and go between look-ups", async () => {
    const provider = await agents();
    await knot.setRecords(["agents 60 A 10.0.0.1"]);
    expect((await provider.lookup(signal)).addresses).toEqual(["10.0.0.1:4100"]);
    await knot.setRecords([]);
    await expect(provider.lookup(signal)).rejects.toMatchObject({ code: "dns_nxdomain" });
    await knot.setRecords(["agents 60 AAAA fd00::3"]);
    expect((await provider.lookup(signal)).addresses).toEqual(["[fd00::3]:4100"]);
  });

  it("gives 150 addresses, which do not fit into a datagram", async () => {
    const hosts = Array.from({ length: 150 }, (_, at) => `10.1.0.${at + 1}`);
    await knot.setRecords(hosts.map((host) => `agents 60 A ${host}`));
    const { kind, addresses } = await (await agents()).lookup(signal);
    expect([kind, addresses]).toEqual(["complete", hosts.map((host) => `${host}:4100`).sort()]);
  });

  it.each([
    ["gone.test", "dns_nxdomain", /^resolve gone\.test: NXDOMAIN, there is no such name \(asked 127\./],
    ["empty.test", "dns_no_data", /^resolve empty\.test: no data, the name has no such record \(asked/],
    [
      "agents.elsewhere",
      "dns_refused",
      /^resolve agents\.elsewhere: REFUSED, the resolver does not answer for/,
    ],
  ])("tells what %s ends in", async (name, code, message) => {
    const error = await (await agents({ name })).lookup(signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.any(String) });
  });

  it("says no answer in time while the server hangs, and goes on when it is back", async () => {
    const provider = await agents({ timeout: "300ms" });
    await knot.pause();
    await expect(provider.lookup(signal)).rejects.toMatchObject({ code: "dns_timeout" });
    knot.resume();
    expect((await provider.lookup(signal)).addresses).toHaveLength(3);
  });

  it("asks the next server where the first is closed or hangs", async () => {
    const other = await startKnot(own);
    await other.stop();
    const closed = await agents({ resolvers: [other.endpoint, knot.endpoint] });
    expect((await closed.lookup(signal)).addresses).toHaveLength(3);
    await sixth.pause();
    const hanging = await agents({ resolvers: [sixth.endpoint, knot.endpoint], timeout: "2s" });
    expect((await hanging.lookup(signal)).addresses).toHaveLength(3);
    sixth.resume();
  });

  it("says that nobody listens", async () => {
    const other = await startKnot(own);
    await other.stop();
    const provider = await agents({ resolvers: [other.endpoint] });
    await expect(provider.lookup(signal)).rejects.toMatchObject({
      code: "dns_failed",
      message: `resolve agents.test: connection refused (asked ${other.endpoint})`,
    });
  });
});

describe("dns with answers that are seldom given", () => {
  let server: NameServer;
  let second: NameServer;
  beforeAll(async () => {
    [server, second] = await Promise.all([startNameServer({}), startNameServer({}, { address: "::1" })]);
  });
  afterEach(() => {
    server.zone = {};
    second.zone = {};
    server.forget();
  });
  afterAll(() => Promise.all([server.close(), second.close()]));

  const agents = (more: object = {}) => open({ name: "a.example", resolvers: [server.endpoint], ...more });
  const A = { addresses: ["10.0.0.1"] };

  it.each([
    ["SERVFAIL", "a.example AAAA: SERVFAIL"],
    ["REFUSED", "a.example AAAA: REFUSED"],
    ["silence", "a.example AAAA: no answer in time"],
    ["NOTIMP", "a.example AAAA: queryAaaa ENOTIMP a.example"],
  ] as const)("gives one family and says that the other is not known: %s", async (reply, problem) => {
    server.zone = { "A a.example": A, "AAAA a.example": reply };
    expect(await (await agents({ timeout: "300ms" })).lookup(signal)).toEqual({
      kind: "partial",
      addresses: ["10.0.0.1:4100"],
      ttlMs: 60_000,
      problems: [problem],
    });
  });

  it.each(["NODATA", "NXDOMAIN"] as const)(
    "is complete where the other family has nothing: %s",
    async (reply) => {
      server.zone = { "A a.example": reply, "AAAA a.example": { addresses: ["fd00::1"], ttl: 0 } };
      const found = { kind: "complete", addresses: ["[fd00::1]:4100"], ttlMs: 0 };
      expect(await (await agents()).lookup(signal)).toEqual(found);
    },
  );

  it.each([
    ["NXDOMAIN", "NXDOMAIN", "dns_nxdomain"],
    ["NXDOMAIN", "NODATA", "dns_no_data"],
    ["NODATA", "NODATA", "dns_no_data"],
    ["NXDOMAIN", "SERVFAIL", "dns_servfail"],
    ["SERVFAIL", "SERVFAIL", "dns_servfail"],
    ["REFUSED", "NODATA", "dns_refused"],
    ["silence", "NXDOMAIN", "dns_timeout"],
    ["NOTIMP", "NOTIMP", "dns_failed"],
  ] as const)("never takes a failure for an answer: %s and %s are %s", async (a, aaaa, code) => {
    server.zone = { "A a.example": a, "AAAA a.example": aaaa };
    await expect((await agents({ timeout: "300ms" })).lookup(signal)).rejects.toMatchObject({ code });
  });

  it.each(["SERVFAIL", "REFUSED", "silence"] as const)("asks the next server after %s", async (reply) => {
    server.zone = { "A a.example": reply };
    second.zone = { "A a.example": A };
    const provider = await agents({
      resolvers: [server.endpoint, second.endpoint],
      family: 4,
      timeout: "2s",
    });
    expect(await provider.lookup(signal)).toMatchObject({ kind: "complete", addresses: ["10.0.0.1:4100"] });
  });

  it("believes the first server that there is no such name", async () => {
    second.zone = { "A a.example": A, "AAAA a.example": "NODATA" };
    const provider = await agents({ resolvers: [server.endpoint, second.endpoint] });
    await expect(provider.lookup(signal)).rejects.toMatchObject({ code: "dns_nxdomain" });
  });

  it("goes over to TCP for what is cut off, and not for what is not", async () => {
    const addresses = Array.from({ length: 150 }, (_, at) => `10.1.0.${at + 1}`);
    server.zone = { "A a.example": { addresses }, "AAAA a.example": "NODATA" };
    expect((await (await agents()).lookup(signal)).addresses).toHaveLength(150);
    expect([...server.asked].sort()).toEqual(["tcp A a.example", "udp A a.example", "udp AAAA a.example"]);
  });

  it("settles at once when it is aborted or closed, and asks no more", async () => {
    server.zone = { "A a.example": "silence", "AAAA a.example": "silence" };
    const provider = await agents({ timeout: "1m" });
    const asked = () => server.asked.length >= 2;
    const wait = { deadlineMs: 5_000, what: "both questions" };

    const stop = new AbortController();
    const aborted = provider.lookup(stop.signal);
    await until(asked, wait);
    stop.abort(new Error("enough"));
    expect(await soon(aborted)).toMatchObject({ code: "aborted", message: "resolve a.example: aborted" });
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);

    server.forget();
    const closing = provider.lookup(signal);
    await until(asked, wait);
    await provider.close();
    expect(await soon(closing)).toMatchObject({ code: "closed" });
    expect(server.asked).toHaveLength(2);
  });

  it("takes what is there by the end of its time", async () => {
    const clock = manualClock();
    server.zone = { "A a.example": A, "AAAA a.example": "silence" };
    const config = dns.Config.parse({ name: "a.example", resolvers: [server.endpoint], timeout: "1m" });
    const provider = await dns.open(config, contextFor("k"), { clock });
    const looking = provider.lookup(signal);
    const both = () => server.asked.length === 2 && server.answered.includes("udp A a.example");
    await until(both, { deadlineMs: 5_000, what: "both questions, and one answer" });
    // What has arrived is read in this turn of the loop, before its end.
    await setImmediate();
    clock.advance(59_999);
    expect(clock.pending()).toBe(1);
    clock.advance(1);
    expect(await soon(looking)).toMatchObject({
      kind: "partial",
      problems: ["a.example AAAA: no answer in time"],
    });
    await provider.lookup(AbortSignal.abort()).catch(() => {});
    expect(clock.pending()).toBe(0);
  });

  it("leaves nothing open that would keep a process alive", async () => {
    server.zone = { "A a.example": A, "AAAA a.example": "silence" };
    const script = `
      const dns = await import(${JSON.stringify(new URL("../../providers/dns.ts", import.meta.url).href)});
      const resolvers = ${JSON.stringify([server.endpoint])};
      const provider = await dns.open(dns.Config.parse({ name: "a.example", resolvers, timeout: "1m" }), {});
      const stop = new AbortController();
      const ended = provider.lookup(stop.signal).catch((error) => console.log(error.code));
      setTimeout(() => stop.abort(), 50);
      await ended;
      await provider.close();
    `;
    const child = await start({ program: process.execPath, args: ["--input-type=module", "--eval", script] });
    const told = () => child.stdout() === "aborted\n";
    await until(told, {
      deadlineMs: 10_000,
      what: "the look-up to be aborted",
      giveUp: () => child.stderr() || null,
    });
    expect(await soon(child.ended)).toEqual({ code: 0, signal: null });
  });
});

describe("dns without resolvers", () => {
  it.skipIf(!mayMount)("asks those of resolv.conf, whatever they are by then", async () => {
    const server = await startNameServer({ "A a.example": { addresses: ["10.0.0.1"] } }, { port: 53 });
    const file = join(tempDir("resolv"), "resolv.conf");
    writeFileSync(file, "nameserver 127.0.0.254\n");
    const script = `
      const dns = await import(${JSON.stringify(new URL("../../providers/dns.ts", import.meta.url).href)});
      const { writeFileSync } = await import("node:fs");
      const provider = await dns.open(dns.Config.parse({ name: "a.example", family: 4 }), {});
      writeFileSync("/etc/resolv.conf", "nameserver ${server.endpoint.split(":")[0]}\\n");
      console.log((await provider.lookup(new AbortController().signal)).addresses.join());
    `;
    const inside = 'mount --bind "$1" /etc/resolv.conf && exec "$2" --input-type=module --eval "$3"';
    const args = ["--mount", "sh", "-c", inside, "sh", file, process.execPath, script];
    const { stdout } = await run("unshare", args);
    expect(stdout.trim()).toBe("10.0.0.1:4100");
    await server.close();
  });
});

describeWith("consul", "dns with Consul", () => {
  let consul: Consul;
  beforeAll(async () => {
    consul = await startConsul({ config: { dns_config: { enable_truncate: true } } });
  }, SLOW);
  afterAll(() => consul.stop(), SLOW);

  it("gives a service's healthy instances, however many", async () => {
    const hosts = Array.from({ length: 9 }, (_, at) => `10.0.0.${at + 1}`);
    for (const host of hosts) {
      const body = JSON.stringify({ ID: host, Name: "rollcall", Address: host, Port: 4100 });
      await consul.request("/v1/agent/service/register", { method: "PUT", body });
    }
    const resolvers = [`${consul.address}:${consul.ports.dns}`];
    const provider = await open({ name: "rollcall.service.consul", resolvers });
    expect(await provider.lookup(signal)).toEqual({
      kind: "complete",
      addresses: hosts.map((host) => `${host}:4100`),
      ttlMs: 0,
    });
  });
});
