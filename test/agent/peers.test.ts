import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PeerClient } from "../../src/agent/peer-client.ts";
import { openPeers } from "../../src/agent/peers.ts";
import type { Hello, PeerRef } from "../../src/core/model.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { type ManualClock, manualClock, turns } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { rememberingLog } from "./support/log.ts";
import { helloOf, memberOf, refTo } from "./support/records.ts";

type Answers = Record<string, Hello | Error | (() => Hello | Error | Promise<Hello>)>;

const peerOf = (id: string, more: Partial<PeerRef> = {}): PeerRef => {
  const { incarnation, agent_addr } = refTo(id);
  return { id, incarnation, agent_addr, ...more };
};

/** Peers of n1 whose agents answer as the test says. An address that is not there refuses the connection. */
function make(answers: Answers = {}, dir = tempDir("peers"), keepsMembers = false) {
  const clock = manualClock();
  const asked: string[] = [];
  const client: Pick<PeerClient, "hello"> = {
    async hello(address, signal) {
      asked.push(address);
      const given = answers[address];
      const said = typeof given === "function" ? given() : given;
      const answer = said instanceof Promise ? await Promise.race([said, abortOf(signal)]) : said;
      if (answer === undefined) throw new RollcallError("unreachable", "connect ECONNREFUSED");
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const { log, lines } = rememberingLog();
  const path = join(dir, "peers.json");
  const peers = openPeers({ path, clock, client, log, self: () => refTo("n1"), keepsMembers });
  return { peers, clock, asked, path, lines };
}

/** Rejects when the signal aborts. */
function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

const never = () => new AbortController().signal;
const kept = (path: string): PeerRef[] => JSON.parse(readFileSync(path, "utf8")).peers;

/** Moves the clock until both peers are on disk. */
async function twoKept({ clock, path }: { clock: ManualClock; path: string }): Promise<void> {
  const look = () => {
    clock.advance(100);
    return kept(path).length === 2;
  };
  await until(look, { deadlineMs: 2_000, what: "both to be written" });
}

describe("the peers that are known", () => {
  it("are those of the directory, those met, and those named", () => {
    const { peers } = make();
    peers.see([memberOf("n1"), memberOf("n2")]);
    expect(peers.meet(peerOf("n3"))).toBe(true);
    expect(peers.meet(peerOf("n3"))).toBe(false);
    expect(peers.members().map((m) => m.id)).toEqual(["n1", "n2"]);
    expect(peers.others().map((m) => m.id)).toEqual(["n3"]);
    // One that leaves the directory is still known.
    peers.see([memberOf("n1")]);
    expect(peers.others().map((m) => m.id)).toEqual(["n2", "n3"]);
  });

  it("have at an address who answered there, not the member that was there, where nothing but agents tells of members", () => {
    const { peers } = make({}, tempDir("peers"), true);
    const now = peerOf("n2", { incarnation: "n2-2" });
    expect(peers.meet(now)).toBe(true);
    peers.see([memberOf("n1"), memberOf("n2")]);
    // Or each hello would be news, to which everybody answers with another.
    expect(peers.meet(now)).toBe(false);
    expect(peers.addressOf("n2-2")).toBe("n2.test:4100");
  });

  it("never hold this agent, by incarnation or by address", () => {
    const { peers } = make();
    expect(peers.meet(peerOf("n1", { agent_addr: "elsewhere.test:4100" }))).toBe(false);
    expect(peers.meet(peerOf("n9", { agent_addr: "n1.test:4100" }))).toBe(false);
    expect(peers.others()).toEqual([]);
  });

  it("are those one can connect to, with names one can keep", () => {
    const { peers } = make();
    for (const bad of [
      peerOf("n2", { agent_addr: "" }),
      peerOf("n2", { agent_addr: "http://n2.test" }),
      peerOf("n2", { agent_addr: `${"x".repeat(70_000)}:4100` }),
      peerOf("n2", { incarnation: "x".repeat(257) }),
      peerOf("n".repeat(257)),
    ])
      expect(peers.meet(bad)).toBe(false);
    peers.see([memberOf("n2", { agent_addr: "" })]);
    expect(peers.others()).toEqual([]);
    expect(peers.meet(peerOf("n2", { agent_addr: "[fd00::2]:4100" }))).toBe(true);
  });

  it("follow a node to its new address, and forget who had that address before", () => {
    const { peers } = make();
    peers.meet(peerOf("n2"));
    peers.meet(peerOf("n3"));
    expect(peers.meet(peerOf("n2", { agent_addr: "n3.test:4100" }))).toBe(true);
    expect(peers.others()).toEqual([peerOf("n2", { agent_addr: "n3.test:4100" })]);
  });

  it("are at most 256 beyond the directory; who did not answer makes room for news", async () => {
    const { peers } = make({ "p7.test:4100": helloOf("p7") });
    for (let i = 0; i < 300; i++) peers.meet(peerOf(`p${i}`));
    expect(peers.others()).toHaveLength(256);
    expect(peers.meet(peerOf("late"))).toBe(false);
    await peers.askAll(never());
    expect(peers.meet(peerOf("late"))).toBe(true);
    const ids = peers.others().map((o) => o.id);
    expect(ids).toHaveLength(256);
    expect(ids).toContain("p7");
    expect(ids).not.toContain("p0");
    expect(ids).toContain("p1");
  });
});

describe("who leads", () => {
  it("is what an agent said unasked, not what it had answered before that", async () => {
    const ref = peerOf("n2");
    const { peers, clock } = make({
      [ref.agent_addr]: () => {
        clock.advance(1);
        peers.claim(ref, { leader: null, genesis: "g1" });
        return helloOf("n2", { leader: { id: "n2", term: null } });
      },
    });
    peers.meet(ref);
    await peers.askAll(never());
    expect(peers.claims().map((c) => c.leader)).toEqual([null]);
  });
});

describe("asking everybody", () => {
  it("asks each address once, those that are named too, and gives each life once", async () => {
    const { peers, asked } = make({
      "n2.test:4100": helloOf("n2", { peers: [peerOf("n3"), peerOf("n1"), peerOf("n2")] }),
      "n3.test:4100": helloOf("n3", { peers: [peerOf("n2"), peerOf("n4")] }),
      "n4.test:4100": helloOf("n4"),
      // The same agent by another name.
      "also-n2.test:4100": helloOf("n2"),
    });
    peers.see([memberOf("n1"), memberOf("n2")]);
    peers.meet(peerOf("x", { agent_addr: "also-n2.test:4100" }));
    const hellos = await peers.askAll(never());
    expect(hellos.map((h) => h.node_id).sort()).toEqual(["n2", "n3", "n4"]);
    expect(asked.sort()).toEqual(["also-n2.test:4100", "n2.test:4100", "n3.test:4100", "n4.test:4100"]);
  });

  it("asks those too who introduce themselves while it asks others", async () => {
    const { peers } = make({
      "n2.test:4100": () => {
        peers.meet(peerOf("n3"));
        return helloOf("n2", { peers: [peerOf("n3")] });
      },
      "n3.test:4100": () => {
        peers.meet(peerOf("n4"));
        return helloOf("n3");
      },
      "n4.test:4100": helloOf("n4"),
    });
    peers.see([memberOf("n2")]);
    expect((await peers.askAll(never())).map((h) => h.node_id).sort()).toEqual(["n2", "n3", "n4"]);
  });

  it("ends although somebody new comes all the time", async () => {
    const answers: Answers = {};
    const { peers, asked } = make(answers);
    let last = 0;
    const comes = (): Hello => {
      const id = `p${++last}`;
      answers[`${id}.test:4100`] = comes;
      peers.meet(peerOf(id));
      return helloOf(`p${last - 1}`);
    };
    comes();
    await peers.askAll(never());
    expect(asked.length).toBeLessThan(200);
  });

  it("leaves out who does not answer and says why", async () => {
    const { peers } = make({
      "n2.test:4100": helloOf("n2"),
      "n3.test:4100": new RollcallError("not_an_agent", "n3.test:4100 is rqlited, not a rollcall agent"),
    });
    peers.see(["n2", "n3", "n4"].map((id) => memberOf(id)));
    expect((await peers.askAll(never())).map((h) => h.node_id)).toEqual(["n2"]);
    expect(peers.contact("n2.test:4100")).toMatchObject({ ok: true, problem: null });
    expect(peers.contact("n3.test:4100")).toMatchObject({
      ok: false,
      problem: "n3.test:4100 is rqlited, not a rollcall agent",
    });
    expect(peers.contact("n4.test:4100")).toMatchObject({ ok: false, problem: "connect ECONNREFUSED" });
    expect(peers.contact("never-asked.test:4100")).toBeNull();
  });

  it("takes its own incarnation in an answer for itself, by whatever address", async () => {
    const { peers } = make({ "nat.test:4100": helloOf("n1") });
    peers.meet(peerOf("x", { agent_addr: "nat.test:4100" }));
    expect(await peers.askAll(never())).toEqual([]);
    expect(peers.contact("nat.test:4100")).toMatchObject({ ok: true });
  });

  it("believes an agent about itself, whatever others still say about its address", async () => {
    const old = peerOf("n3", { incarnation: "n3-0" });
    const { peers } = make({
      "n2.test:4100": helloOf("n2", { peers: [old] }),
      "n3.test:4100": helloOf("n3"),
    });
    peers.meet(peerOf("n2"));
    peers.meet(old);
    for (let round = 0; round < 3; round++) {
      await peers.askAll(never());
      expect(peers.others().find((o) => o.id === "n3")?.incarnation).toBe("n3-1");
    }
  });

  it("remembers how it went only for addresses it still knows", async () => {
    const { peers } = make();
    for (let life = 0; life < 50; life++) {
      peers.see([memberOf("n2", { agent_addr: `10.0.0.${life}:4100`, incarnation: "n2-1" })]);
      await peers.askAll(never());
    }
    expect(peers.contact("10.0.0.0:4100")).toBeNull();
    expect(peers.contact("10.0.0.49:4100")).toMatchObject({ ok: false });
  });

  it("believes the later of two questions, whenever the other one comes to nothing", async () => {
    let silent = true;
    const { peers, clock } = make({
      "n2.test:4100": () => (silent ? new Promise(() => {}) : helloOf("n2")),
    });
    peers.meet(peerOf("n2"));
    const first = peers.askAll(never());
    await turns();
    clock.advance(500);
    silent = false;
    await peers.ask("n2.test:4100", never());
    clock.advance(500);
    await first;
    expect(peers.contact("n2.test:4100")).toMatchObject({ ok: true });
    // Or its next hello would be news, each time that an answer got lost.
    expect(peers.meet(peerOf("n2"))).toBe(false);
  });

  it("ends when it is aborted", async () => {
    const { peers } = make();
    peers.meet(peerOf("n2"));
    const stop = new AbortController();
    stop.abort();
    expect(await peers.askAll(stop.signal)).toEqual([]);
  });
});

describe("the survey", () => {
  it("asks once a minute, and soon after the directory changed, so that a settled node knows who answers", async () => {
    const { peers, clock, asked } = make({ "n2.test:4100": helloOf("n2") });
    const stop = new AbortController();
    const running = peers.survey(stop.signal);
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 500) {
        clock.advance(Math.min(500, left));
        await turns(2);
      }
    };
    peers.see([memberOf("n1"), memberOf("n2")]);
    await pass(1_500);
    expect(asked).toEqual(["n2.test:4100"]);
    expect(peers.contact("n2.test:4100")).toMatchObject({ ok: true });
    peers.see([memberOf("n1"), memberOf("n2")]);
    await pass(50_000);
    expect(asked).toHaveLength(1);
    await pass(15_000);
    expect(asked).toHaveLength(2);
    // A directory that changes all the time is asked about once a second at most.
    for (let i = 0; i < 100; i++) {
      peers.see([memberOf("n2", { boot_id: `b${i}` })]);
      await pass(100);
    }
    expect(asked.length).toBeLessThanOrEqual(13);
    stop.abort();
    await running;
    expect(clock.pending()).toBe(0);
  });
});

describe("the cache", () => {
  it("is kept a moment behind, merged, and loaded at the next start", async () => {
    const dir = tempDir("peers");
    const first = make({}, dir);
    const stop = new AbortController();
    const running = first.peers.run(stop.signal);
    await until(() => statSync(first.path).size, { deadlineMs: 2_000, what: "the first write" });
    first.peers.meet(peerOf("n2"));
    first.peers.meet(peerOf("n3"));
    await twoKept(first);
    stop.abort();
    await running;
    expect(first.clock.pending()).toBe(0);
    const second = make({}, dir);
    await second.peers.load();
    expect(second.peers.others()).toEqual([peerOf("n2"), peerOf("n3")]);
  });

  it("is not written again and again when nothing new is heard", async () => {
    const answers: Answers = {
      "n2.test:4100": helloOf("n2", { peers: [peerOf("n3", { incarnation: "n3-0" })] }),
      "n3.test:4100": helloOf("n3", { peers: [peerOf("n2")] }),
    };
    const { peers, clock, path } = make(answers);
    const stop = new AbortController();
    const running = peers.run(stop.signal);
    peers.see([memberOf("n2"), memberOf("n3")]);
    const settle = async () => {
      for (let i = 0; i < 10; i++) {
        clock.advance(300);
        await peers.askAll(never());
        peers.see([memberOf("n2"), memberOf("n3")]);
        await turns();
      }
    };
    await twoKept({ clock, path });
    await settle();
    const before = statSync(path, { bigint: true });
    await settle();
    expect(statSync(path, { bigint: true }).mtimeNs).toBe(before.mtimeNs);
    stop.abort();
    await running;
  });

  it.each([
    ["empty", ""],
    ["cut off", '{"v":1,"peers":[{"id":"n2"'],
    ["of another shape", '{"v":1,"peers":{"n2":true}}'],
    ["of a later version", JSON.stringify({ v: 2, peers: [peerOf("n2")] })],
  ])("is none when it is %s", async (_, text) => {
    const { peers, path } = make();
    writeFileSync(path, text);
    await peers.load();
    expect(peers.others()).toEqual([]);
  });

  it("is none when it cannot be read at all", async () => {
    const { peers, path, lines } = make();
    mkdirSync(path);
    await peers.load();
    expect(peers.others()).toEqual([]);
    expect(lines().map((l) => l.msg)).toEqual(["read the cached peers"]);
  });

  it("that cannot be written is said and costs nothing else", async () => {
    const { peers, path, lines, clock } = make();
    mkdirSync(`${path}.new`);
    const stop = new AbortController();
    const running = peers.run(stop.signal);
    await until(() => lines().length, { deadlineMs: 2_000, what: "the warning" });
    expect(lines()[0]).toMatchObject({ level: "warn", msg: "keep a file" });
    stop.abort();
    await running;
    expect(clock.pending()).toBe(0);
  });

  it("does not fill up with what a stranger makes up", async () => {
    const many = Array.from({ length: 300 }, (_, i) => peerOf(`p${i}`));
    const { peers } = make({ "n2.test:4100": helloOf("n2", { peers: many }) });
    peers.meet(peerOf("n2"));
    await peers.askAll(never());
    expect(peers.others().length).toBeLessThanOrEqual(256);
  });
});

describe("who leads, as the others say", () => {
  const leader = { id: "n2", term: 5 };
  const marker = { genesis_id: "g1", birth: 1 };

  it("is what each that answers said last, under its genesis", async () => {
    let there = true;
    const { peers } = make({
      "n2.test:4100": () => (there ? helloOf("n2", { leader, marker }) : new Error("gone")),
      "n3.test:4100": helloOf("n3"),
    });
    peers.see([memberOf("n2"), memberOf("n3")]);
    await peers.askAll(never());
    expect(peers.claims()).toMatchObject([
      { id: "n2", incarnation: "n2-1", leader, genesis: "g1" },
      { id: "n3", incarnation: "n3-1", leader: null, genesis: null },
    ]);
    there = false;
    await peers.askAll(never());
    expect(peers.claims().map(({ id }) => id)).toEqual(["n3"]);
  });

  it("is told by an agent that is known, without being asked", () => {
    const { peers } = make();
    const said = { leader, genesis: "g1" };
    expect(peers.claim(peerOf("n2"), said)).toBe(false);
    expect(peers.claims()).toEqual([]);
    peers.meet(peerOf("n2"));
    expect(peers.claim(peerOf("n2"), said)).toBe(true);
    expect(peers.claim(peerOf("n2"), said)).toBe(false);
    expect(peers.claim(peerOf("n2"), { ...said, leader: { id: "n2", term: 6 } })).toBe(true);
    expect(peers.claims()).toMatchObject([{ id: "n2", leader: { id: "n2", term: 6 }, genesis: "g1" }]);
  });

  it("is kept for the next agent where no store says it", async () => {
    const record = {
      id: "n2",
      api_addr: "http://n2.test:4001",
      addr: "n2.test:4002",
      genesis_id: "g1",
      term: 5,
    };
    for (const keeps of [true, false]) {
      const dir = tempDir("peers");
      const { peers, path } = make({}, dir, keeps);
      const stop = new AbortController();
      const running = peers.run(stop.signal);
      peers.leads(record);
      peers.meet(peerOf("n3"));
      stop.abort();
      await running;
      expect(JSON.parse(readFileSync(path, "utf8")).leader).toEqual(keeps ? record : undefined);
      const next = make({}, dir, keeps).peers;
      await next.load();
      expect(next.led()).toEqual(keeps ? record : null);
    }
  });
});
