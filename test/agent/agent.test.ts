import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { GenesisRecord, type Member } from "../../src/core/model.ts";
import type { Members, Provider, Register } from "../../src/core/provider.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { makeCertificates } from "../support/certificates.ts";
import { createMemory, type Memory } from "../support/memory.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { type Agent, type AgentOptions, databaseOf, hooksOf, startAgent } from "./support/agents.ts";

const running: Agent[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((agent) => agent.stop()));
});

async function start(memory: Memory, options: AgentOptions = {}): Promise<Agent> {
  const agent = await startAgent(memory, options);
  running.push(agent);
  return agent;
}
const three = (memory: Memory, config: AgentOptions["config"] = {}) =>
  Promise.all(
    ["n1", "n2", "n3"].map((id) => start(memory, { id, config: { bootstrapExpect: 3, ...config } })),
  );

const membersOf = ({ registers }: Memory): Member[] =>
  registers.view("rollcall").members.map((text) => JSON.parse(text));
const recordOf = ({ registers }: Memory): GenesisRecord | null => {
  const entry = registers.read("rollcall", "genesis");
  return entry === null ? null : GenesisRecord.parse(JSON.parse(entry.value));
};
/** A directory of a database with data in it. */
function usedDb(): string {
  const dir = join(tempDir("db"), "db");
  mkdirSync(dir);
  writeFileSync(join(dir, "data"), "x");
  return dir;
}

/** A store whose calls are counted. */
function counted() {
  const calls = { announce: 0, renew: 0, read: 0, swap: 0, lookup: 0 };
  const provider = (inner: Provider): Provider => {
    const [members, register] = [inner.members as Members, inner.genesis as Register];
    return {
      ...inner,
      lookup(signal) {
        calls.lookup += 1;
        return inner.lookup(signal);
      },
      members: {
        ttlMs: members.ttlMs,
        announce(member, signal) {
          calls.announce += 1;
          return members.announce(member, signal);
        },
        renew(signal) {
          calls.renew += 1;
          return members.renew(signal);
        },
        withdraw: (signal) => members.withdraw(signal),
      },
      genesis: {
        read(signal) {
          calls.read += 1;
          return register.read(signal);
        },
        swap(...given) {
          calls.swap += 1;
          return register.swap(...given);
        },
      },
    };
  };
  return { calls, provider };
}

describe("agents", () => {
  it("form one cluster: one creates, two join, a fourth and a non-voter join later", async () => {
    const memory = createMemory();
    const agents = await three(memory);
    const outcomes = await Promise.all(agents.map((a) => a.settled()));
    expect(outcomes.map((o) => o.kind).sort()).toEqual(["bootstrap", "join", "join"]);
    expect(new Set(outcomes.map((o) => o.genesis_id)).size).toBe(1);
    const late = await start(memory, { id: "n4", config: { bootstrapExpect: 3 } });
    const reader = await start(memory, { id: "r1", config: { bootstrapExpect: 1, voter: false } });
    expect((await late.settled()).kind).toBe("join");
    expect((await reader.settled()).kind).toBe("join");
    // Everybody comes to the same list of members.
    await until(
      async () => {
        const lists = await Promise.all([...agents, late, reader].map((a) => a.settled()));
        return lists.every((o) => o.members.map((m) => m.id).join() === "n1,n2,n3,n4,r1");
      },
      { deadlineMs: 5_000, what: "five members everywhere" },
    );
    const peers = await late.get("/v1/peers", { headers: { accept: "text/plain" } });
    expect(peers.body).toBe("n1.test:4001\nn2.test:4001\nn3.test:4001\nn4.test:4001\nr1.test:4001\n");
    for (const agent of agents) {
      expect((await agent.get("/readyz")).status).toBe(200);
      expect(await agent.explain()).toMatchObject({ code: "settled", settled: true, phase: "open" });
    }
  });

  it("form one with a cluster secret and TLS, and not with an agent that has another secret", async () => {
    const memory = createMemory();
    const certificates = await makeCertificates(["127.0.0.1"]);
    const tls = {
      certFile: certificates.server.certFile,
      keyFile: certificates.server.keyFile,
      caFile: certificates.ca.certFile,
      clientAuth: true,
    };
    const secretOf = (text: string) => {
      const path = join(tempDir("secret"), "secret");
      writeFileSync(path, `${text}\n`);
      return path;
    };
    const clusterSecretFile = secretOf("the secret of this cluster");
    const trusted = { tls: { ca: certificates.ca.cert } };
    const config = { bootstrapExpect: 2, tls, clusterSecretFile };
    const first = await start(memory, { id: "n1", config });
    const wrong = { ...config, clusterSecretFile: secretOf("another secret, as long") };
    const stranger = await start(memory, { id: "n2", config: wrong });
    const said = await until(
      async () => {
        const answer = JSON.parse((await first.get("/v1/peers", trusted)).body);
        return answer.peers.find((p: { id: string }) => p.id === "n2")?.problem ?? null;
      },
      { deadlineMs: 10_000, what: "the stranger to be refused" },
    );
    expect(said).toContain("another cluster secret");
    expect(recordOf(memory)?.state).toBe("unborn");
    await stranger.stop();
    const second = await start(memory, { id: "n3", config });
    for (const agent of [first, second])
      await until(async () => (await agent.get("/v1/outcome", trusted)).status === 200, {
        deadlineMs: 10_000,
        what: `the outcome of ${agent.id}`,
      });
    // The one that creates restarts, counts its calls from 1 again, and is heard all the same.
    await first.stop();
    const again = await start(memory, { id: "n1", config, dir: first.dir, port: first.port });
    await until(async () => (await again.get("/v1/outcome", trusted)).status === 200, {
      deadlineMs: 10_000,
      what: "the outcome after a restart",
    });
  });

  it("take a node back as what it was after a restart, and its lease is not waited for", async () => {
    const memory = createMemory();
    const agents = await three(memory);
    const outcomes = await Promise.all(agents.map((a) => a.settled()));
    const [first] = agents;
    await first?.stop();
    const again = await start(memory, {
      id: "n1",
      dir: first?.dir ?? "",
      config: { bootstrapExpect: 3 },
    });
    const outcome = await again.settled();
    expect(outcome).toMatchObject({ kind: "existing", genesis_id: outcomes[0]?.genesis_id });
    // Whoever has seen the first agent's outcome sees that this is another one.
    expect(outcome.revision).toBeGreaterThan(outcomes[0]?.revision ?? 0);
  });

  it("tell a node id that is used twice from a node that was wiped", async () => {
    const memory = createMemory();
    const first = await start(memory, { id: "n1", config: { bootstrapExpect: 2 } });
    await first.waitsFor("voters");
    const second = await start(memory, { id: "n1", config: { bootstrapExpect: 2 } });
    const said = await second.waitsFor("duplicate_node_id");
    expect(said.summary).toContain(first.addr);
    const answer = await second.get("/v1/outcome");
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([409, "duplicate_node_id"]);
    // Neither is counted: a third node, who makes it two ids, must not create a cluster with either.
    const third = await start(memory, { id: "n2", config: { bootstrapExpect: 2 } });
    await until(async () => (await third.explain()).not_counted.some((n) => n.why === "duplicate_node_id"), {
      deadlineMs: 10_000,
      what: "the count to name the duplicate",
      giveUp: () => (recordOf(memory)?.state === "unborn" ? null : "somebody claimed"),
    });
    expect(recordOf(memory)?.state).toBe("unborn");
    await first.stop();
    // The id is free as soon as the first has deregistered.
    expect((await second.settled()).members.map((m) => m.id)).toEqual(["n1", "n2"]);
  });
});

describe("the pace", () => {
  it("of an agent that refuses is calm: one announcement, one line, one transition", async () => {
    const memory = createMemory();
    const { calls, provider } = counted();
    const db = databaseOf({ dataDir: usedDb() });
    const watcher = await start(memory, { id: "n9", config: { bootstrapExpect: 3 } });
    await watcher.waitsFor("voters");
    const agent = await start(memory, { id: "n1", provider, config: { bootstrapExpect: 3, db } });
    await agent.waitsFor("foreign_data");
    await until(() => membersOf(memory).find((m) => m.id === "n1")?.status === "refused", {
      deadlineMs: 5_000,
      what: "the refusal in the directory",
    });
    const before = { ...calls, seq: JSON.parse((await agent.get("/v1/state")).body).seq };
    const reads = calls.read;
    await until(() => calls.read >= reads + 4, { deadlineMs: 15_000, what: "four more looks" });
    expect(calls.announce).toBe(before.announce);
    expect(JSON.parse((await agent.get("/v1/state")).body).seq).toBe(before.seq);
    expect(agent.lines().filter((l) => l.msg === "staying closed")).toHaveLength(1);
    for (let i = 0; i < 5; i++) expect((await agent.get("/v1/outcome")).status).toBe(409);
  });

  it("of an agent that waits is calm: its state does not change while it looks again", async () => {
    const memory = createMemory();
    const { calls, provider } = counted();
    const agent = await start(memory, { provider, config: { bootstrapExpect: 3 } });
    await agent.waitsFor("voters");
    await until(() => calls.lookup > 2, { deadlineMs: 5_000, what: "a few looks" });
    const state = await agent.get("/v1/state");
    const tag = String(state.headers.etag);
    const asked = calls.lookup;
    await until(() => calls.lookup >= asked + 3, { deadlineMs: 15_000, what: "three more looks" });
    expect((await agent.get("/v1/state", { headers: { "if-none-match": tag } })).status).toBe(304);
    expect(calls.announce).toBe(1);
  });

  it("of settled agents is calmer still", async () => {
    const memory = createMemory();
    const { calls, provider } = counted();
    const agent = await start(memory, { provider });
    await agent.settled();
    await until(() => membersOf(memory)[0]?.status === "settled", { deadlineMs: 5_000, what: "its entry" });
    // Another registers and leaves twenty times: that is not this node's record.
    const before = { ...calls };
    const other = memory.open();
    for (let i = 0; i < 20; i++) {
      await other.members?.announce(
        { ...(membersOf(memory)[0] as Member), id: "x" },
        new AbortController().signal,
      );
      await other.members?.withdraw(new AbortController().signal);
    }
    await until(async () => (await agent.settled()).revision >= 1, { deadlineMs: 1_000, what: "a moment" });
    expect(calls.read - before.read).toBeLessThanOrEqual(2);
    expect(calls.announce).toBe(before.announce);
    await other.close();
  });
});

describe("an agent that is told to stop", () => {
  const phases: readonly [string, (memory: Memory) => Promise<Agent>][] = [
    [
      "while the store hangs from the start",
      async (memory) => {
        memory.hang();
        const agent = await start(memory);
        await agent.waitsFor("starting");
        return agent;
      },
    ],
    [
      "while it waits for voters",
      async (memory) => {
        const agent = await start(memory, { config: { bootstrapExpect: 3 } });
        await agent.waitsFor("voters");
        return agent;
      },
    ],
    [
      "while it refuses",
      async (memory) => {
        const db = databaseOf({ dataDir: usedDb() });
        const agent = await start(memory, { config: { db } });
        await agent.waitsFor("foreign_data");
        return agent;
      },
    ],
    [
      "while its hook runs and ignores SIGTERM",
      async (memory) => {
        const agent = await start(memory, {
          config: { hooks: hooksOf({ init: ["sh", "-c", "trap '' TERM; sleep 300 & wait"] }) },
        });
        await agent.waitsFor("initialising");
        return agent;
      },
    ],
    [
      "while the store is down",
      async (memory) => {
        const agent = await start(memory);
        await agent.settled();
        memory.down();
        await until(async () => (await agent.get("/metrics")).body.includes("rollcall_store_up 0"), {
          deadlineMs: 10_000,
          what: "the store to be missed",
        });
        return agent;
      },
    ],
    [
      "once it has settled",
      async (memory) => {
        const agent = await start(memory);
        await agent.settled();
        return agent;
      },
    ],
  ];

  it.each(phases)("%s ends within five seconds and lets go of everything", async (_, prepare) => {
    const memory = createMemory();
    const agent = await prepare(memory);
    // Somebody waits for a newer outcome, and somebody has a connection open.
    const waiting = agent.get("/v1/outcome?wait=60s&revision=99", { timeoutMs: 10_000 });
    await agent.get("/livez");
    expect(await agent.stop()).toBeLessThan(5_000);
    expect(agent.end()).toEqual({ gave: "stop" });
    expect([503, 409]).toContain((await waiting).status);
    memory.up();
    expect(readdirSync(join(agent.dir, "data")).filter((name) => /lock|\.new$/.test(name))).toEqual([]);
    // The port and the directory are free at once.
    const again = await start(memory, { id: agent.id, dir: agent.dir, port: agent.port });
    expect(
      (await until(() => again.get("/livez"), { deadlineMs: 5_000, what: "the next agent" })).status,
    ).toBe(200);
  });

  it("takes its entry out of the directory", async () => {
    const memory = createMemory();
    const agent = await start(memory);
    await agent.settled();
    expect(membersOf(memory)).toHaveLength(1);
    await agent.stop();
    expect(membersOf(memory)).toEqual([]);
  });

  it("is not held by a store that answers nothing and ignores that it is not waited for", async () => {
    const memory = createMemory();
    const deaf = () => new Promise<never>(() => {});
    const agent = await start(memory, {
      provider: (inner) => ({
        ...inner,
        members: { ...(inner.members as Members), withdraw: deaf },
        close: deaf,
      }),
    });
    await agent.settled();
    expect(await agent.stop()).toBeLessThan(5_000);
    expect(agent.end()).toEqual({ gave: "stop" });
    expect(
      agent
        .lines()
        .filter((l) => l.level === "warn")
        .map((l) => l.msg),
    ).toEqual(["could not deregister; the lease will lapse", "closing"]);
  });

  it("before it has begun leaves nothing behind", async () => {
    const memory = createMemory();
    const agent = await start(memory);
    await agent.stop();
    expect(agent.end()).toEqual({ gave: "stop" });
    expect(membersOf(memory)).toEqual([]);
  });
});

describe("an agent that cannot go on", () => {
  it("ends with the error when its disk fails, and lets go of port, entry and directory", async () => {
    const memory = createMemory();
    const agent = await start(memory, { config: { bootstrapExpect: 2 } });
    await agent.waitsFor("voters");
    mkdirSync(join(agent.dir, "data", "identity.json.new"));
    const other = await start(memory, { id: "n2", config: { bootstrapExpect: 2 } });
    const how = await agent.ended;
    expect(how).toMatchObject({ threw: { code: "disk" } });
    expect(membersOf(memory).map((m) => m.id)).toEqual(["n2"]);
    await expect(agent.get("/livez")).rejects.toThrow();
    expect(readdirSync(join(agent.dir, "data"))).not.toContain("agent.lock");
    expect(other.end()).toBeNull();
  });

  it("ends with `listen` when its port is taken, closes the store, and leaves no lock", async () => {
    const memory = createMemory();
    const first = await start(memory);
    await until(() => first.get("/livez"), { deadlineMs: 5_000, what: "the first agent" });
    let closed = 0;
    const second = await start(memory, {
      id: "n2",
      port: first.port,
      provider: (inner) => ({
        ...inner,
        async close() {
          closed += 1;
          await inner.close();
        },
      }),
    });
    expect(await second.ended).toMatchObject({
      threw: {
        code: "listen",
        message: expect.stringContaining(`-http-addr: cannot listen on ${first.addr}`),
      },
    });
    expect(closed).toBe(1);
    expect(readdirSync(join(second.dir, "data"))).toEqual(["identity.json"]);
  });

  it("ends with the provider's error when it cannot be opened", async () => {
    const agent = await start(createMemory(), {
      openProvider: () => Promise.reject(new Error("cannot load the provider")),
    });
    expect(await agent.ended).toMatchObject({ threw: { message: "cannot load the provider" } });
    await expect(agent.get("/livez")).rejects.toThrow();
  });

  it("says so when the provider cannot be opened, and does not listen", async () => {
    const agent = await start(createMemory(), {
      openProvider: () => Promise.reject(new Error("cannot load the provider")),
    });
    expect(await agent.ended).toMatchObject({ threw: { message: "cannot load the provider" } });
    await expect(agent.get("/livez")).rejects.toThrow();
  });

  it("ends with `usage` for a provider that keeps no record", async () => {
    const memory = createMemory();
    const agent = await start(memory, {
      openProvider: async () => {
        const { genesis: _, ...rest } = memory.open();
        return rest;
      },
    });
    expect(await agent.ended).toMatchObject({ threw: { code: "usage" } });
  });

  it("ends with one line that names the flag for a certificate that is none", async () => {
    const dir = tempDir("bad-certificate");
    writeFileSync(join(dir, "cert.pem"), "no certificate");
    const files = { certFile: join(dir, "cert.pem"), keyFile: join(dir, "cert.pem") };
    const agent = await start(createMemory(), {
      config: { tls: { ...files, caFile: null, clientAuth: false } },
    });
    expect(await agent.ended).toMatchObject({
      threw: { code: "listen", message: expect.stringContaining("-tls-cert") },
    });
  });
});

describe("certificates that are replaced", () => {
  it("are used without a restart; one that cannot be used is complained of once", async () => {
    const dir = tempDir("tls");
    const [old, next] = await Promise.all([makeCertificates(["127.0.0.1"]), makeCertificates(["127.0.0.1"])]);
    const put = (cert: string, key: string) => {
      writeFileSync(join(dir, "cert.pem"), cert);
      writeFileSync(join(dir, "key.pem"), key);
    };
    put(old.server.cert, old.server.key);
    let looks = 0;
    const clock = {
      ...systemClock,
      sleep(ms: number, signal: AbortSignal) {
        if (ms !== 5_000) return systemClock.sleep(ms, signal);
        looks += 1;
        return systemClock.sleep(5, signal);
      },
    };
    const files = { certFile: join(dir, "cert.pem"), keyFile: join(dir, "key.pem") };
    const agent = await start(createMemory(), {
      clock,
      config: { tls: { ...files, caFile: null, clientAuth: false } },
    });
    const ask = (ca: string) => agent.get("/livez", { tls: { ca } });
    await until(() => ask(old.ca.cert), { deadlineMs: 5_000, what: "the agent" });
    put(next.server.cert, old.server.key);
    const before = looks;
    await until(() => looks > before + 20, { deadlineMs: 5_000, what: "twenty looks" });
    const complaints = () => agent.lines().filter((l) => String(l.msg).startsWith("the new certificate"));
    expect(complaints()).toHaveLength(1);
    expect((await ask(old.ca.cert)).status).toBe(200);
    put(next.server.cert, next.server.key);
    expect((await until(() => ask(next.ca.cert), { deadlineMs: 5_000, what: "the new one" })).status).toBe(
      200,
    );
    expect(complaints()).toHaveLength(1);
  });
});

describe("an agent that is overdue", () => {
  it("says so and goes on", async () => {
    const memory = createMemory();
    const agent = await start(memory, { config: { bootstrapExpect: 2, bootstrapExpectTimeoutMs: 200 } });
    const before = await agent.waitsFor("voters");
    expect(before.overdue).toBe(false);
    const tag = String((await agent.get("/v1/state")).headers.etag);
    const said = await until(
      async () => {
        const explanation = await agent.explain();
        return explanation.overdue ? explanation : null;
      },
      { deadlineMs: 5_000, what: "overdue" },
    );
    expect(said.summary).toContain("-bootstrap-expect-timeout");
    // Whoever polls the state is told.
    expect((await agent.get("/v1/state", { headers: { "if-none-match": tag } })).status).toBe(200);
    expect(agent.lines().filter((l) => String(l.msg).startsWith("overdue"))).toHaveLength(1);
    await start(memory, { id: "n2", config: { bootstrapExpect: 2 } });
    await agent.settled();
    expect((await agent.explain()).overdue).toBe(false);
  });

  it("ends as overdue with -exit-on-timeout", async () => {
    const memory = createMemory();
    const config = { bootstrapExpect: 2, bootstrapExpectTimeoutMs: 200, exitOnTimeout: true };
    const agent = await start(memory, { config });
    expect(await agent.ended).toEqual({ gave: "overdue" });
    expect(membersOf(memory)).toEqual([]);
  });

  it("is not, once it has settled", async () => {
    const memory = createMemory();
    let due = () => {};
    const clock = {
      ...systemClock,
      after(ms: number, then: () => void) {
        if (ms === 77_777) due = then;
        return systemClock.after(ms, then);
      },
    };
    const config = { bootstrapExpectTimeoutMs: 77_777, exitOnTimeout: true };
    const agent = await start(memory, { clock, config });
    await agent.settled();
    due();
    expect((await agent.get("/readyz")).status).toBe(200);
    expect(agent.end()).toBeNull();
  });
});

describe("the store", () => {
  it("that goes away and comes back is said, and a settled node stays ready", async () => {
    const memory = createMemory();
    const agent = await start(memory);
    await agent.settled();
    memory.down();
    await agent.waitsFor("store");
    expect((await agent.get("/readyz")).status).toBe(200);
    expect((await agent.get("/v1/outcome")).status).toBe(200);
    const away = JSON.parse((await agent.get("/v1/state")).body);
    expect(away).toMatchObject({ settled: true, store: { ok: false, problem: expect.any(String) } });
    memory.up();
    await agent.waitsFor("settled");
    await until(async () => JSON.parse((await agent.get("/v1/state")).body).store.ok, {
      deadlineMs: 10_000,
      what: "the watch to be back",
    });
    await until(() => membersOf(memory).length === 1, { deadlineMs: 5_000, what: "its entry" });
  });

  it("that was wiped gets record and entries back without anybody's help", async () => {
    const memory = createMemory();
    const agents = await three(memory);
    const outcomes = await Promise.all(agents.map((a) => a.settled()));
    memory.wipe();
    await until(() => recordOf(memory)?.state === "sealed" && membersOf(memory).length === 3, {
      deadlineMs: 10_000,
      what: "record and entries",
    });
    expect(recordOf(memory)).toMatchObject({ genesis_id: outcomes[0]?.genesis_id });
  });

  it("that takes a write late, after everybody went on, has one cluster", async () => {
    const memory = createMemory();
    for (let i = 0; i < 2; i++) memory.inject("swap", "late");
    const agents = await three(memory);
    const outcomes = await Promise.all(agents.map((a) => a.settled()));
    const before = recordOf(memory);
    expect(memory.land()).toBe(2);
    for (const agent of agents) expect((await agent.explain()).code).toBe("settled");
    expect(recordOf(memory)).toEqual(before);
    expect(new Set(outcomes.map((o) => o.genesis_id)).size).toBe(1);
  });

  it("that forbids registering is named as what this node waits for", async () => {
    const memory = createMemory();
    const denied = () => Promise.reject(new Error("write members/n1: 403 Permission denied"));
    const agent = await start(memory, {
      provider: (inner) => ({ ...inner, members: { ...(inner.members as Members), announce: denied } }),
    });
    const said = await agent.waitsFor("registration_failing");
    expect(said.summary).toContain("403 Permission denied");
    expect(said.unblock.join(" ")).toContain("rollcall/members/n1");
    expect(JSON.parse((await agent.get("/v1/state")).body)).toMatchObject({ registration: "failing" });
  });
});

describe("what is shown", () => {
  it("is complete, and the same everywhere", async () => {
    const memory = createMemory();
    const agent = await start(memory, { config: { bootstrapExpect: 2 } });
    await agent.waitsFor("voters");
    const state = JSON.parse((await agent.get("/v1/state")).body);
    expect(state).toEqual({
      v: 1,
      boot_id: expect.any(String),
      seq: expect.any(Number),
      agent: JSON.parse((await agent.get("/v1/agent")).body),
      phase: "waiting",
      code: "voters",
      summary: expect.any(String),
      settled: false,
      overdue: false,
      outcome: null,
      registration: "held",
      store: { mode: "disco", ok: true, problem: null },
      node: expect.objectContaining({ node_id: "n1", kind: "none", status: "unknown" }),
      leader: { record: null, source: null, verified: false, stale_for: null, trouble: null },
      process: null,
      hooks: {},
      outputs: [],
      peers: JSON.parse((await agent.get("/v1/peers")).body).peers,
      transitions: expect.any(Array),
    });
    const seqs = state.transitions.map((t: { seq: number }) => t.seq);
    expect(seqs).toEqual(seqs.map((_: number, i: number) => i + 2));
    expect(seqs.at(-1)).toBe(state.seq);
    expect(state.agent).toMatchObject({
      node_id: "n1",
      key: "rollcall",
      agent_addr: agent.addr,
      api_addr: "n1.test:4001",
      addr: "n1.test:4002",
      voter: true,
      expect: 2,
      version: "0.0.0-test",
    });
    expect(state.peers).toEqual([expect.objectContaining({ id: "n1", self: true, registered: true })]);
    const metrics = (await agent.get("/metrics")).body;
    expect(metrics).toContain('rollcall_waiting{code="voters"} 1\n');
    expect(metrics).toContain("rollcall_expected_voters 2\n");
    for (const line of metrics.trimEnd().split("\n"))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [\d.]+)$/);
  });

  it("holds no secret", async () => {
    const memory = createMemory();
    const path = join(tempDir("secret"), "secret");
    writeFileSync(path, "a-secret-nobody-may-see\n");
    const config = { clusterSecretFile: path, tokenFile: path, bootstrapExpect: 2 };
    const agents = await Promise.all(["n1", "n2"].map((id) => start(memory, { id, config })));
    await Promise.all(agents.map((a) => a.settled()));
    const pages = await Promise.all(
      ["/v1/state", "/v1/agent", "/v1/explain", "/v1/peers", "/metrics"].map((p) => agents[0]?.get(p)),
    );
    const all = [...pages.map((p) => p?.body), JSON.stringify(agents.map((a) => a.lines()))].join();
    expect(all).not.toContain("nobody-may-see");
    expect(readFileSync(join(agents[0]?.dir ?? "", "data", "identity.json"), "utf8")).not.toContain(
      "nobody-may-see",
    );
  });
});
