import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { Packet } from "dns2";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { type DnsListening, type DnsOptions, openDns } from "../../src/agent/dns.ts";
import { dnsFacts, LEADER_STALE_MS, serverOf } from "../../src/agent/dns-facts.ts";
import { MOST_QUESTION_BYTES } from "../../src/agent/dns-message.ts";
import { type DnsFacts, dnsAnswer } from "../../src/core/dns-answer.ts";
import type { LeaderView } from "../../src/core/leader-view.ts";
import { blankReport, type NodeReport } from "../../src/core/node-report.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { manualClock } from "../lib/manual-clock.ts";
import {
  askTcp,
  askUdp,
  connectTcp,
  framed,
  messages,
  openUdp,
  questionBytes,
  resolverAt,
} from "../support/dns.ts";
import { freePort } from "../support/loopback.ts";
import { createMemory } from "../support/memory.ts";
import { until } from "../support/wait.ts";
import { type Agent, startAgent } from "./support/agents.ts";
import { rememberingLog, silentLog } from "./support/log.ts";
import { rowOf } from "./support/view.ts";

const ZONE = "orders.prod.rollcall";
const node = (id: string, host: string) => ({ id, address: { host, port: 4001 }, follows: true });
const facts: DnsFacts = {
  zone: ZONE,
  server: "127.0.0.1",
  leader: node("n1", "10.0.0.1"),
  nodes: [node("n2", "10.0.0.2"), node("n3", "fd00::3")],
};
const many = { ...facts, nodes: Array.from({ length: 50 }, (_, n) => node(`r${n}`, `10.0.1.${n}`)) };
const leader = () => questionBytes(`leader.${ZONE}`);

const open: DnsListening[] = [];
const agents: Agent[] = [];
const listeners: Server[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((dns) => dns.close()));
  await Promise.all(agents.splice(0).map((agent) => agent.stop()));
  for (const server of listeners.splice(0)) server.close();
});

async function serve(more: Partial<DnsOptions> & { readonly facts?: DnsFacts; readonly host?: string } = {}) {
  const { facts: known = facts, host = "127.0.0.1", ...options } = more;
  const dns = await openDns({
    addr: { host, port: 0 },
    answer: (question) => dnsAnswer(question, known),
    log: silentLog,
    clock: systemClock,
    ...options,
  });
  open.push(dns);
  return { ...dns, place: { address: host, port: dns.port } };
}

const addressesIn = (bytes: Buffer) => Packet.parse(bytes).answers.map(({ address }) => address);

describe("openDns", () => {
  it("answers the resolver of Node", async () => {
    const resolver = resolverAt((await serve()).place);
    expect(await resolver.resolve4(`leader.${ZONE}`, { ttl: true })).toEqual([
      { address: "10.0.0.1", ttl: 1 },
    ]);
    expect(await resolver.resolve6(`replica.${ZONE}`)).toEqual(["fd00::3"]);
    expect(await resolver.resolveSrv(`_db._tcp.leader.${ZONE}`)).toMatchObject([
      { name: `n1.${ZONE}`, port: 4001, priority: 0, weight: 0 },
    ]);
    expect(await resolver.resolveNs(ZONE)).toEqual([`ns.${ZONE}`]);
    expect(await resolver.resolveSoa(ZONE)).toMatchObject({ nsname: `ns.${ZONE}`, minttl: 1 });
    await expect(resolver.resolve6(`leader.${ZONE}`)).rejects.toMatchObject({ code: "ENODATA" });
    await expect(resolver.resolve4(`gone.${ZONE}`)).rejects.toMatchObject({ code: "ENOTFOUND" });
    await expect(resolver.resolve4("example.com")).rejects.toMatchObject({ code: "EREFUSED" });
  });

  it("gives a resolver over TCP what is too long for UDP", async () => {
    const resolver = resolverAt((await serve({ facts: many })).place);
    expect((await resolver.resolve4(`replica.${ZONE}`)).length).toBe(50);
  });

  const six = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
  it.skipIf(!six)(`answers on IPv6${six ? "" : " [skipped: no ::1 here]"}`, async () => {
    const { place } = await serve({ host: "::1" });
    expect(addressesIn(await askUdp(place, leader()))).toEqual(["10.0.0.1"]);
    expect((await askTcp(place, leader())).map(addressesIn)).toEqual([["10.0.0.1"]]);
  });

  it("answers at a host name, at one address with both protocols", async () => {
    const { port } = await serve({ host: "localhost" });
    const { address } = await lookup("localhost");
    expect(addressesIn(await askUdp({ address, port }, leader()))).toEqual(["10.0.0.1"]);
    expect((await askTcp({ address, port }, leader())).map(addressesIn)).toEqual([["10.0.0.1"]]);
  });

  it("answers questions that come together, in pieces, and before the client's end", async () => {
    const { place } = await serve();
    const three = [1, 2, 3].map((id) => questionBytes(`leader.${ZONE}`, 1, id));
    expect((await askTcp(place, ...three)).map((bytes) => bytes.readUInt16BE(0))).toEqual([1, 2, 3]);
    const slow = await connectTcp(place);
    slow.setNoDelay(true);
    const answers = messages(slow, 1);
    for (const byte of framed(leader())) {
      slow.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await answers).map(addressesIn)).toEqual([["10.0.0.1"]]);
    slow.destroy();
    const ending = await connectTcp(place);
    const last = messages(ending, 1);
    ending.end(framed(leader()));
    expect((await last).map(addressesIn)).toEqual([["10.0.0.1"]]);
  });

  it("ends a connection that sends no question in time, though it sends a byte now and then", async () => {
    const clock = manualClock();
    const { place } = await serve({ clock });
    const socket = await connectTcp(place);
    const ended = once(socket, "close");
    // The first question's answer shows that the connection has been taken.
    const answer = messages(socket, 1);
    socket.write(framed(leader()));
    await answer;
    clock.advance(9_000);
    socket.write(Buffer.from([0]));
    expect(addressesIn(await askUdp(place, leader()))).toEqual(["10.0.0.1"]);
    expect(socket.closed).toBe(false);
    clock.advance(1_000);
    await ended;
    expect(clock.pending()).toBe(0);
  });

  it.each([
    ["is longer than a question", framed(Buffer.alloc(MOST_QUESTION_BYTES + 1))],
    ["has a length of none", Buffer.from([0xff, 0xff, 1, 2, 3])],
    ["is an answer", framed(Buffer.concat([Buffer.from([0, 1, 0x80]), leader().subarray(3)]))],
    ["is too short", framed(Buffer.alloc(3))],
    ["is one of too many at once", Buffer.concat(Array.from({ length: 100 }, () => framed(leader())))],
  ])("ends a connection whose message %s", async (_what, bytes) => {
    const { place } = await serve();
    const socket = await connectTcp(place);
    socket.resume();
    const ended = once(socket, "close");
    socket.write(bytes);
    await ended;
    expect((await askTcp(place, leader())).length).toBe(1);
  });

  it("takes 64 connections and no more, and goes on answering UDP", async () => {
    const { place } = await serve();
    const held = await Promise.all(Array.from({ length: 64 }, () => connectTcp(place)));
    // All have been taken, since one at the end of the queue is answered.
    for (const socket of held) {
      const answer = messages(socket, 1);
      socket.write(framed(leader()));
      await answer;
    }
    const more = await connectTcp(place);
    more.resume();
    await once(more, "close");
    expect(addressesIn(await askUdp(place, leader()))).toEqual(["10.0.0.1"]);
    for (const socket of held) socket.destroy();
    await until(async () => (await askTcp(place, leader())).length === 1, {
      deadlineMs: 5_000,
      what: "a place to be free",
    });
  });

  it("stays up whatever is sent to it, and says nothing to an answer", async () => {
    const { place } = await serve({ facts: many });
    const udp = openUdp(place);
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
        const bytes = questionBytes(`replica.${ZONE}`);
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ bits;
        return bytes;
      }),
      fc.nat().map((end) => leader().subarray(0, end % leader().length)),
    );
    let asked = 0;
    await fc.assert(
      fc.asyncProperty(garbage, async (bytes) => {
        asked = 60_000 + (asked % 5_000) + 1;
        await udp.send(bytes);
        await udp.send(questionBytes(`leader.${ZONE}`, 1, asked));
        for (;;) {
          const got = await udp.next();
          if (got.readUInt16BE(0) === asked && addressesIn(got)[0] === "10.0.0.1") break;
        }
      }),
      { numRuns: 300 },
    );
    await udp.send(Buffer.concat([Buffer.from([0, 1, 0x80]), leader().subarray(3)]));
    await udp.send(questionBytes(`leader.${ZONE}`, 1, 2));
    expect((await udp.next()).readUInt16BE(0)).toBe(2);
    await udp.close();
    await fc.assert(
      fc.asyncProperty(fc.array(garbage, { maxLength: 3 }), fc.boolean(), async (pieces, whole) => {
        const socket = await connectTcp(place);
        socket.resume();
        socket.end(Buffer.concat(pieces.map((piece) => (whole ? framed(piece) : piece))));
        await once(socket, "close");
      }),
      { numRuns: 100 },
    );
    expect((await askTcp(place, leader())).length).toBe(1);
  });

  it("gives no answer where the facts cannot be had, logs why, and goes on", async () => {
    const { log, lines } = rememberingLog();
    let broken = true;
    const { place } = await serve({
      log,
      answer(question) {
        if (broken) throw new Error("no facts");
        return dnsAnswer(question, facts);
      },
    });
    const udp = openUdp(place);
    await udp.send(questionBytes(`leader.${ZONE}`, 1, 1));
    await until(() => lines().some((line) => line.error === "no facts"), {
      deadlineMs: 5_000,
      what: "a line",
    });
    broken = false;
    await udp.send(questionBytes(`leader.${ZONE}`, 1, 2));
    expect((await udp.next()).readUInt16BE(0)).toBe(2);
    await udp.close();
  });

  it("closes what is open, and is safe twice", async () => {
    const dns = await serve();
    const socket = await connectTcp(dns.place);
    const ended = once(socket, "close");
    await Promise.all([dns.close(), dns.close()]);
    await ended;
    await expect(connectTcp(dns.place)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const again = await openDns({
      ...{ addr: { host: "127.0.0.1", port: dns.port }, log: silentLog, clock: systemClock },
      answer: (question) => dnsAnswer(question, facts),
    });
    await again.close();
  });

  it("says in one line that a port is taken, on either protocol, and leaves nothing open", async () => {
    const taken = createServer();
    listeners.push(taken);
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    const addr = { host: "127.0.0.1", port };
    await expect(serve({ addr })).rejects.toMatchObject({
      code: "listen",
      message: `-dns-addr: cannot listen on 127.0.0.1:${port} with TCP: listen EADDRINUSE: address already in use 127.0.0.1:${port}`,
    });
    await new Promise((resolve) => taken.close(resolve));
    const udp = createSocket("udp4");
    await new Promise<void>((resolve) => udp.bind(port, "127.0.0.1", resolve));
    await expect(serve({ addr })).rejects.toMatchObject({
      code: "listen",
      message: expect.stringMatching(/^-dns-addr: cannot listen on 127\.0\.0\.1:\d+ with UDP: .*EADDRINUSE/),
    });
    await new Promise<void>((resolve) => udp.close(resolve));
    await (await serve({ addr })).close();
    await expect(serve({ addr: { host: "no-such-host.invalid", port: 53 } })).rejects.toMatchObject({
      code: "listen",
      message: expect.stringMatching(/^-dns-addr: cannot listen on no-such-host\.invalid:53: /),
    });
  });
});

describe("dnsFacts", () => {
  const member = (id: string, more = {}) =>
    rowOf(id, { api_addr: `10.0.0.${id.slice(1)}:4001`, genesis_id: "g1", status: "settled", ...more });
  const led = (id: string, more: Partial<LeaderView> = {}): LeaderView => ({
    record: { id, api_addr: `http://10.0.0.${id.slice(1)}:4001`, addr: "" },
    ...{ source: "key", verified: true, stale_for: 0, trouble: null },
    ...more,
  });
  const seenBy = (report: NodeReport, view: LeaderView, ...rows: ReturnType<typeof rowOf>[]) =>
    dnsFacts(ZONE, null, { leader: () => view, peers: () => rows, report: () => report });
  const factsOf = (view: LeaderView, ...rows: ReturnType<typeof rowOf>[]) =>
    seenBy(blankReport("none", "unknown", null), view, ...rows);
  const self = member("n1", { self: true });

  it("has the leader and the members with their databases' addresses", () => {
    const { leader: leads, nodes } = factsOf(led("n1"), member("n2", { api_addr: "http://db2:80" }), self);
    expect(leads).toEqual({ id: "n1", address: { host: "10.0.0.1", port: 4001 } });
    expect(nodes).toEqual([
      { id: "n1", address: { host: "10.0.0.1", port: 4001 }, follows: true },
      { id: "n2", address: { host: "db2", port: 80 }, follows: true },
    ]);
  });

  it("names no leader that was never confirmed, or for too long not", () => {
    expect(factsOf(led("n1", { stale_for: LEADER_STALE_MS }), self).leader?.id).toBe("n1");
    expect(factsOf(led("n1", { stale_for: LEADER_STALE_MS + 1 }), self).leader).toBe(null);
    expect(factsOf(led("n1", { stale_for: null }), self).leader).toBe(null);
    expect(factsOf(led("n1", { record: null }), self).leader).toBe(null);
  });

  it("takes an address that its record lacks from the directory, and none that nobody can connect to", () => {
    const record = { id: "n2", api_addr: "", addr: "" };
    expect(factsOf(led("n2", { record }), self, member("n2")).leader?.address?.host).toBe("10.0.0.2");
    for (const api_addr of ["", "0.0.0.0:4001", "http://[::]:1", "10.0.0.3", "ftp://x:1", "a b:1"])
      expect(factsOf(led("n1"), self, member("n3", { api_addr })).nodes[1]?.address).toBe(null);
  });

  it("says who follows: members of this node's genesis, unless their agents do not answer", () => {
    const rows = [
      self,
      member("n2", { genesis_id: "other" }),
      member("n3", { reachable: false }),
      member("n4", { reachable: null }),
    ];
    const following = (nodes: DnsFacts["nodes"]) => nodes.filter((one) => one.follows).map(({ id }) => id);
    expect(following(factsOf(led("n1"), ...rows).nodes)).toEqual(["n1", "n4"]);
    const blank = member("n1", { self: true, genesis_id: null });
    expect(following(factsOf(led("n1"), blank, member("n2", { genesis_id: null })).nodes)).toEqual([]);
  });

  it("leaves out of those who follow whom this node's database does not reach or list, and itself when it is not healthy", () => {
    const rows = [self, member("n2"), member("n3"), member("n4")];
    const listed = (id: string, reachable: boolean | null) => ({
      id,
      addr: "",
      api_addr: "",
      voter: null,
      reachable,
    });
    const healthy = {
      ...blankReport("rqlite", "healthy", null),
      members: [listed("n1", true), listed("n2", false), listed("n3", null)],
    };
    const following = (report: NodeReport) =>
      seenBy(report, led("n1"), ...rows)
        .nodes.filter((one) => one.follows)
        .map(({ id }) => id);
    expect(following(healthy)).toEqual(["n1", "n3"]);
    expect(following({ ...healthy, members: null })).toEqual(["n1", "n2", "n3", "n4"]);
    expect(following(blankReport("rqlite", "unavailable", "refused"))).toEqual(["n2", "n3", "n4"]);
  });

  it("takes of two lives of a node id this agent's, then the one in the directory", () => {
    const old = member("n1", { api_addr: "10.0.0.9:4001", incarnation: "old" });
    const [mine] = factsOf(led("n2"), old, self).nodes;
    expect(mine?.address?.host).toBe("10.0.0.1");
    const unknown = member("n2", { registered: false, api_addr: "" });
    expect(factsOf(led("n1"), unknown, self, member("n2")).nodes[1]?.address?.host).toBe("10.0.0.2");
  });

  it("says where the server is, as an address that others can use", () => {
    const at = (host: string) => ({ httpAdvAddr: { host, port: 4100 } });
    expect(serverOf("10.0.0.1", at("agent.example"))).toBe("10.0.0.1");
    expect(serverOf("0.0.0.0", at("10.0.0.2"))).toBe("10.0.0.2");
    expect(serverOf("::", at("fd00::2"))).toBe("fd00::2");
    expect(serverOf("0.0.0.0", at("agent.example"))).toBe(null);
  });
});

describe("an agent with -dns-addr", () => {
  it("answers for itself until it ends", async () => {
    const port = await freePort("127.0.0.1");
    const dnsAddr = { host: "127.0.0.1", port };
    const agent = await startAgent(createMemory(), { config: { dnsAddr } });
    agents.push(agent);
    await agent.settled();
    const resolver = resolverAt({ address: "127.0.0.1", port });
    expect(await resolver.resolveCname("n1.rollcall.rollcall")).toEqual(["n1.test"]);
    await expect(resolver.resolve4("leader.rollcall.rollcall")).rejects.toMatchObject({ code: "ENODATA" });
    await expect(resolver.resolve4("n2.rollcall.rollcall")).rejects.toMatchObject({ code: "ENOTFOUND" });
    await agent.stop();
    await expect(connectTcp({ address: "127.0.0.1", port })).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("ends in one line when the port is taken", async () => {
    const dns = await serve();
    const agent = await startAgent(createMemory(), {
      config: { dnsAddr: { host: "127.0.0.1", port: dns.port } },
    });
    agents.push(agent);
    expect(await agent.ended).toMatchObject({
      threw: { code: "listen", message: expect.stringMatching(/^-dns-addr: cannot listen on .*EADDRINUSE/) },
    });
  });

  it("says that a key has no zone, and refuses every question", async () => {
    const port = await freePort("127.0.0.1");
    const agent = await startAgent(createMemory(), {
      config: {
        dnsAddr: { host: "127.0.0.1", port },
        disco: { mode: "disco", key: "a..b", provider: {} },
      },
    });
    agents.push(agent);
    const said = () => agent.lines().find((line) => String(line.msg).includes("nothing is served"));
    const line = await until(said, { deadlineMs: 10_000, what: "the agent to say so" });
    expect(line.msg).toBe("-dns-addr: the key has an empty label between dots; nothing is served");
    const refused = await until(
      () => askUdp({ address: "127.0.0.1", port }, questionBytes("leader.a..b.rollcall")),
      {
        deadlineMs: 10_000,
        what: "an answer",
      },
    );
    expect(Packet.parse(refused).header.rcode).toBe(Packet.RCODE.REFUSED);
  });
});
