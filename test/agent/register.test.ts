import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type DataDir, openDataDir } from "../../src/agent/identity.ts";
import { openPeers } from "../../src/agent/peers.ts";
import { openRegister, type Register } from "../../src/agent/register.ts";
import { type Rules, type Settled, testimony } from "../../src/core/genesis-state.ts";
import type { Hello, MemberRef } from "../../src/core/model.ts";
import type { Message, Reply } from "../../src/core/votes.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { silentLog } from "./support/log.ts";
import { helloOf, refTo } from "./support/records.ts";

type Node = {
  readonly id: string;
  readonly register: Register;
  readonly settled: Settled[];
  readonly self: () => MemberRef;
  readonly dir: string;
  run(): void;
  kill(): Promise<unknown>;
};
type Fabric = {
  readonly nodes: Map<string, Node>;
  /** What was said to whom, in order. */
  readonly said: { readonly to: string; readonly message: Message; readonly reply: Reply }[];
  /** Writes of identity.json that fail. */
  readonly full: Set<string>;
  readonly clock: ReturnType<typeof manualClock>;
  random: () => number;
};

const running: Node[] = [];
afterEach(async () => {
  for (const node of running.splice(0)) await node.kill();
});

function fabric(): Fabric {
  return { nodes: new Map(), said: [], full: new Set(), clock: manualClock(), random: Math.random };
}

/** A node whose agent knows all others of the fabric, and speaks to them without a network. */
async function open(all: Fabric, id: string, rules: Partial<Rules> = {}, dir = tempDir(id)): Promise<Node> {
  const { clock } = all;
  const dataDir: DataDir = await openDataDir(
    join(dir, "data"),
    { key: "rollcall", nodeId: id, hostName: "host" },
    randomUUID,
  );
  const whole: Rules = {
    key: "rollcall",
    nodeId: id,
    voter: true,
    expect: 3,
    genesis: "auto",
    formation: "single",
    initialises: false,
    ...rules,
  };
  const self = () => refTo(id, { incarnation: register.state().kept.incarnation });
  const reach = (address: string): Node => {
    const node = all.nodes.get(address);
    if (node === undefined) throw new RollcallError("unreachable", "connect ECONNREFUSED");
    return node;
  };
  const client = {
    hello: async (address: string): Promise<Hello> => hellos.get(reach(address))?.() as Hello,
    async say(address: string, message: Message): Promise<Reply> {
      const reply = await reach(address).register.vote(message);
      all.said.push({ to: address, message, reply });
      return reply;
    },
  };
  const peers = openPeers({ path: dataDir.path("peers.json"), clock, log: silentLog, self, client });
  const settled: Settled[] = [];
  const register = await openRegister({
    rules: whole,
    dataDir: {
      ...dataDir,
      async save(kept, aside) {
        if (all.full.has(id)) throw new RollcallError("disk", "write identity.json: no space left on device");
        await dataDir.save(kept, aside);
      },
    },
    dbDataDir: null,
    peers,
    client,
    pacing: { clock, random: all.random },
    uuid: randomUUID,
    log: silentLog,
    self,
    alone: () => false,
    heard: () => {},
    onInit: async () => ({ ok: true }),
    settled: (one) => void settled.push(one),
    changed: () => {},
  });
  const stop = new AbortController();
  let ended: Promise<unknown> = Promise.resolve();
  const node: Node = {
    id,
    register,
    settled,
    self,
    dir,
    run() {
      peers.seek([...all.nodes.keys(), ...["a", "b", "c", "d"].map((name) => refTo(name).agent_addr)]);
      all.nodes.set(refTo(id).agent_addr, node);
      ended = register.run(stop.signal).catch((error: unknown) => error);
    },
    async kill() {
      stop.abort();
      all.nodes.delete(refTo(id).agent_addr);
      const threw = await ended;
      await dataDir.close();
      return threw;
    },
  };
  const about = { key: whole.key, voter: whole.voter, expect: whole.expect };
  hellos.set(node, () => helloOf(id, { ...self(), ...about, ...testimony(register.state()) }));
  running.push(node);
  return node;
}
const hellos = new Map<Node, () => Hello>();

async function passUntil({ clock }: Fabric, condition: () => unknown, what: string): Promise<void> {
  const look = () => {
    const seen = condition();
    // No faster than the real disk: what it is waited for would be late on a clock that runs ahead.
    if (!seen) clock.advance(2);
    return seen;
  };
  await until(look, { deadlineMs: 20_000, what, everyMs: 1 });
}
const genesisOf = (node: Node) => node.settled[0]?.record.genesis_id;

describe("agents without a store", () => {
  it.each(["single", "symmetric"] as const)("form one cluster: %s", async (formation) => {
    const all = fabric();
    const nodes = await Promise.all(["a", "b", "c"].map((id) => open(all, id, { formation })));
    for (const node of nodes) node.run();
    await passUntil(all, () => nodes.every((n) => n.settled.length === 1), "three outcomes");
    expect(new Set(nodes.map(genesisOf)).size).toBe(1);
    expect(nodes.map((n) => n.settled[0]?.kind).sort()).toEqual(
      formation === "single" ? ["bootstrap", "join", "join"] : ["bootstrap", "bootstrap", "bootstrap"],
    );
    const late = await open(all, "d", { formation });
    late.run();
    await passUntil(all, () => late.settled.length, "the fourth");
    expect([late.settled[0]?.kind, genesisOf(late)]).toEqual(["join", genesisOf(nodes[0] as Node)]);
  });

  it("open again after all were killed, each with what it kept", async () => {
    const all = fabric();
    const nodes = await Promise.all(["a", "b", "c"].map((id) => open(all, id)));
    for (const node of nodes) node.run();
    await passUntil(all, () => nodes.every((n) => n.settled.length === 1), "three outcomes");
    for (const node of nodes) await node.kill();
    const again = await Promise.all(nodes.map(({ id, dir }) => open(all, id, {}, dir)));
    for (const node of again) node.run();
    await passUntil(all, () => again.every((n) => n.settled.length === 1), "three again");
    expect(again.map((n) => n.settled[0]?.kind)).toEqual(["existing", "existing", "existing"]);
    expect(new Set([...nodes, ...again].map(genesisOf)).size).toBe(1);
  });

  it("let those before them go first anew once the founders are decided", async () => {
    const all = fabric();
    all.random = () => 0;
    const nodes = await Promise.all(["a", "b", "c"].map((id) => open(all, id)));
    const [a, b, c] = nodes as [Node, Node, Node];
    // They answer and vote, and ask for nothing themselves.
    for (const node of [a, c]) all.nodes.set(refTo(node.id).agent_addr, node);
    b.run();
    const waitsForA = () => {
      const { phase } = b.register.state();
      return phase.at === "waiting" && phase.wait.on === "turn" && phase.wait;
    };
    await until(waitsForA, { deadlineMs: 5_000, what: "b to wait its turn" });
    all.clock.advance(199);
    const before = waitsForA();
    const members = nodes.map((node) => node.self());
    const from = a.self();
    await b.register.vote({ v: 1, key: "rollcall", from, kind: "decided", members, founding: null });
    await until(() => waitsForA() !== before && waitsForA(), { deadlineMs: 5_000, what: "b to wait again" });
    // Its first turn would be over now.
    all.clock.advance(100);
    await until(() => b.register.nextTryMs() !== null, { deadlineMs: 5_000, what: "b to rest" });
    expect(waitsForA()).toBeTruthy();
    expect(all.said).toEqual([]);
    await passUntil(all, () => all.said.length > 0, "its second");
    expect(all.said[0]?.message).toMatchObject({ kind: "prepare", decree: "genesis" });
  });

  it("use no ballot for two proposals", async () => {
    const all = fabric();
    const nodes = await Promise.all(["a", "b", "c"].map((id) => open(all, id)));
    for (const node of nodes) node.run();
    await passUntil(all, () => nodes.every((n) => n.settled.length === 1), "three outcomes");
    const proposed = new Map<string, string>();
    for (const { message } of all.said) {
      if (message.kind !== "accept") continue;
      const { ballot, members, founding } = message;
      const decree = founding === null ? "members" : "genesis";
      const value = JSON.stringify(founding ?? members.map((m) => m.incarnation));
      const name = `${decree} ${ballot.round} ${ballot.incarnation}`;
      expect(proposed.get(name) ?? value).toBe(value);
      proposed.set(name, value);
    }
    expect(proposed.size).toBeGreaterThan(0);
  });

  it("give no vote that is not on disk, and give it once it can be", async () => {
    const all = fabric();
    const nodes = await Promise.all(["a", "b", "c"].map((id) => open(all, id)));
    const [a, b, c] = nodes as [Node, Node, Node];
    all.full.add("c");
    // Nothing but its vote is asked of c: its own turn never comes.
    a.run();
    b.run();
    all.nodes.set(refTo("c").agent_addr, c);
    await passUntil(
      all,
      () => a.register.state().phase.at === "waiting" && all.clock.now() > 1_000,
      "a to wait",
    );
    const given = all.said.filter(({ reply }) => reply.kind !== "rejected");
    expect(given.filter(({ to }) => to === refTo("c").agent_addr)).toEqual([]);
    expect([...a.settled, ...b.settled]).toEqual([]);
    const kept = await openKept(c);
    expect(kept).toBeNull();
    all.full.delete("c");
    c.run();
    await passUntil(all, () => nodes.every((n) => n.settled.length === 1), "three outcomes");
    expect(new Set(nodes.map(genesisOf)).size).toBe(1);
  });

  it("leave the one whose ballots they hear of its time, and go on when it is silent", async () => {
    const all = fabric();
    const nodes = await Promise.all(["a", "b", "c"].map((id) => open(all, id)));
    const [a, b, c] = nodes as [Node, Node, Node];
    // They answer, and do nothing by themselves.
    for (const node of [a, c]) all.nodes.set(refTo(node.id).agent_addr, node);
    b.run();
    const isItsTurn = () => {
      const { phase } = b.register.state();
      return phase.at === "waiting" && phase.wait.on === "turn";
    };
    await passUntil(all, isItsTurn, "b to let a go first");
    const members = nodes.map((node) => node.self());
    for (let round = 1; round <= 30; round++) {
      expect((await b.register.vote(prepareOf("a", round, members))).kind).toBe("promise");
      all.clock.advance(30);
      await turns();
    }
    expect(all.said).toEqual([]);
    await passUntil(all, () => all.said.length > 0, "b to ask for votes itself");
  });

  it("pause between their tries where others know founders that an operator has ruled out", async () => {
    const all = fabric();
    const [a, b] = (await Promise.all(["a", "b"].map((id) => open(all, id, { expect: 2 })))) as [Node, Node];
    const lost = refTo("b", { incarnation: "lost-1" });
    expect(await b.register.assumeLost("lost-1")).toBe(true);
    const members = [a.self(), lost];
    await a.register.vote({ v: 1, key: "rollcall", from: lost, kind: "decided", members, founding: null });
    // It answers, and asks for nothing itself.
    all.nodes.set(refTo("a").agent_addr, a);
    b.run();
    const prepared = () => all.said.filter(({ message }) => message.kind === "prepare").length;
    await passUntil(all, prepared, "b to ask for votes when its turn has come");
    const before = { tries: prepared(), at: all.clock.now() };
    await passUntil(all, () => all.clock.now() > before.at + 2_000, "two seconds");
    expect(b.register.state().phase).toMatchObject({ at: "waiting", wait: { on: "votes" } });
    expect(prepared() - before.tries).toBeLessThan(20);
  });

  it("say that a voter is lost all the while that they try again", async () => {
    const all = fabric();
    const nodes = await Promise.all(["a", "b", "d"].map((id) => open(all, id)));
    const [a, b, d] = nodes as [Node, Node, Node];
    const gone = refTo("c");
    const members = [a.self(), b.self(), gone];
    const ballot = { round: 1, incarnation: gone.incarnation };
    for (const node of [a, b]) {
      const accept = { kind: "accept", ballot, members, founding: null } as const;
      expect((await node.register.vote({ v: 1, key: "rollcall", from: gone, ...accept })).kind).toBe(
        "accepted",
      );
    }
    // They answer, and ask for nothing themselves.
    for (const node of [b, d]) all.nodes.set(refTo(node.id).agent_addr, node);
    a.run();
    const says = () => {
      const { phase } = a.register.shown();
      return phase.at === "waiting" ? phase.wait.on : phase.at;
    };
    await passUntil(all, () => says() === "lost_voters", "a to miss c");
    const [saidAt, seen] = [all.clock.now(), new Set<string>()];
    await passUntil(all, () => seen.add(says()) && all.clock.now() > saidAt + 3_000, "three seconds");
    expect([...seen]).toEqual(["lost_voters"]);
  });

  it("write what they promise one after the other, the newest last", async () => {
    const all = fabric();
    const node = await open(all, "a");
    const members = ["a", "b", "c"].map((id) => (id === "a" ? node.self() : refTo(id)));
    const prepare = (round: number) => node.register.vote(prepareOf("b", round, members));
    const replies = await Promise.all([1, 2, 3, 4].map(prepare));
    expect(replies.map((reply) => reply.kind)).toEqual(["promise", "promise", "promise", "promise"]);
    expect((await prepare(4)).kind).toBe("rejected");
    expect(await openKept(node)).toMatchObject({ members: { promised: { round: 4, incarnation: "b-1" } } });
  });
});

function prepareOf(from: string, round: number, members: readonly MemberRef[]): Message {
  const { id, incarnation, agent_addr } = members.find((m) => m.id === from) ?? refTo(from);
  return {
    ...{ v: 1, key: "rollcall", from: { id, incarnation, agent_addr } },
    ...{ kind: "prepare", decree: "members", ballot: { round, incarnation }, members: [...members] },
  };
}

/** The votes on a node's disk, as the next agent finds them. */
async function openKept(node: Node) {
  const { readFile } = await import("node:fs/promises");
  return JSON.parse(await readFile(join(node.dir, "data", "identity.json"), "utf8")).votes;
}
