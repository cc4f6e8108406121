import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type GenesisRecord, type Member, memberHash, type Sealed } from "../../src/core/model.ts";
import type { Provider } from "../../src/core/provider.ts";
import { createMemory } from "../support/memory.ts";
import { tempDir } from "../support/temp.ts";
import { rollcall } from "./fake-io.ts";

const store = ["-disco-mode=etcd-kv", "-disco-key=prod/orders"];
const confirmed = [...store, "-confirm=prod/orders"];
const signal = new AbortController().signal;

const member: Member = {
  v: 1,
  id: "n1",
  incarnation: "11111111-aaaa",
  boot_id: "boot",
  agent_addr: "10.0.0.1:4100",
  api_addr: "http://10.0.0.1:4001",
  addr: "10.0.0.1:4002",
  voter: true,
  expect: 3,
  status: "waiting",
  genesis_id: null,
};
const unborn: GenesisRecord = { v: 1, state: "unborn", init_id: "first", birth: 1, expect: 3 };
const claimed: GenesisRecord = {
  ...unborn,
  state: "claimed",
  gen: 1,
  claim_id: "claim",
  node: "n1",
  incarnation: member.incarnation,
  formation: "single",
  members: [],
  hash: memberHash([]),
};
const sealed: Sealed = { ...claimed, state: "sealed", genesis_id: "claim" };

type Before = { record?: GenesisRecord; leader?: string; members?: readonly Member[] };

/** A store with that in it. Its provider is open for a look behind. */
async function storeWith({ record, leader, members }: Before = {}) {
  const memory = createMemory();
  const provider = memory.open("prod/orders");
  if (record !== undefined) await provider.genesis?.swap(null, JSON.stringify(record), signal);
  if (leader !== undefined) await provider.leaderKey?.swap(null, leader, signal);
  for (const one of members ?? []) await memory.open("prod/orders").members?.announce(one, signal);
  const now = async (): Promise<unknown> => {
    const value = (await provider.genesis?.read(signal)) ?? null;
    return value === null ? null : JSON.parse(value.value);
  };
  return { memory, now, open: (): Provider => memory.open("prod/orders") };
}

function dataDirWith(marker: Sealed | null): string {
  const dir = join(tempDir("marker"), "data");
  mkdirSync(dir);
  const kept = { incarnation: member.incarnation, claim: null, stamp: null, marker, opened: true };
  writeFileSync(
    join(dir, "identity.json"),
    JSON.stringify({ v: 1, key: "prod/orders", node_id: "n1", ...kept }),
  );
  return dir;
}

describe("genesis show", () => {
  it.each<[GenesisRecord | undefined, string]>([
    [undefined, "prod/orders: absent\n"],
    [unborn, "prod/orders: unborn (birth 1, expect 3)\n"],
    [claimed, "prod/orders: claimed by n1 (birth 1, expect 3, claim claim)\n"],
    [sealed, "prod/orders: sealed, genesis claim (birth 1, expect 3, created by n1)\n"],
  ])("prints the record %#", async (record, text) => {
    const { open } = await storeWith(record === undefined ? {} : { record });
    expect(await rollcall(["genesis", "show", ...store], { provider: open })).toMatchObject({
      code: 0,
      out: text,
    });
  });

  it("prints JSON", async () => {
    const { open } = await storeWith({ record: sealed });
    const { out } = await rollcall(["genesis", "show", ...store, "-o=json"], { provider: open });
    expect(JSON.parse(out)).toEqual({ key: "prod/orders", mode: "etcd-kv", genesis: sealed });
  });

  it("fails where the record cannot be read", async () => {
    const { open } = await storeWith({ record: { ...unborn, v: 2 } });
    const { code, out } = await rollcall(["genesis", "show", ...store], { provider: open });
    expect([code, out]).toEqual([1, "prod/orders: has v 2; this rollcall reads v 1\n"]);
  });
});

describe("genesis init -forget-leader", () => {
  const leader = '{"id":"old-1","api_addr":"http://10.0.0.7:4001","addr":"10.0.0.7:4002"}';
  const forget = (id: string) => [
    "genesis",
    "init",
    ...confirmed,
    "-bootstrap-expect=3",
    `-forget-leader=${id}`,
  ];

  it.each<[string, Before]>([
    ["an absent record", { leader }],
    ["an unborn record", { leader, record: unborn }],
  ])(
    "writes into %s which very leader record forbids nothing any more, and leaves the key alone",
    async (_name, before) => {
      const { open, now } = await storeWith(before);
      const run = () => rollcall(forget("old-1"), { provider: open });
      expect(await run()).toMatchObject({ code: 0, err: "" });
      expect(await now()).toMatchObject({ state: "unborn", birth: 1, expect: 3, forgets: leader });
      expect((await open().leaderKey?.read(signal))?.value).toBe(leader);
      expect(await run()).toMatchObject({ code: 0, out: expect.stringContaining("unchanged: ") });
    },
  );

  it.each<[string, Before, string, RegExp]>([
    ["another than it names", { leader }, "old-2", /names old-1 at http:\/\/10\.0\.0\.7:4001, not old-2/],
    ["one where there is none", {}, "old-1", /there is no leader record that a database wrote itself/],
    ["an agent's", { leader: '{"id":"old-1","genesis_id":"g"}' }, "old-1", /there is no leader record/],
    ["one under a sealed record", { leader, record: sealed }, "old-1", /no leader record stands in its way/],
  ])("does not forget %s", async (_name, before, id, why) => {
    const { open, now } = await storeWith(before);
    const { code, err } = await rollcall(forget(id), { provider: open });
    expect(code).toBe(1);
    expect(err).toMatch(why);
    expect(await now()).toEqual(before.record ?? null);
  });

  it("gives up a claim that nobody may take over beside the leader record", async () => {
    const { open, now } = await storeWith({ leader, record: { ...claimed, birth: 2 } });
    const { code, out } = await rollcall(forget("old-1"), { provider: open });
    expect([code, out]).toEqual([0, expect.stringContaining("note: the claim of n1 is given up\n")]);
    expect(await now()).toEqual({ ...unborn, birth: 2, forgets: leader });
  });

  it("is what init without it says", async () => {
    const { open } = await storeWith({ leader });
    const { err } = await rollcall(["genesis", "init", ...confirmed, "-bootstrap-expect=3"], {
      provider: open,
    });
    expect(err).toContain("-forget-leader old-1");
  });
});

describe("genesis adopt", () => {
  const node = (id: string) => ({ id, addr: `${id}:4002`, api_addr: `http://${id}:4001`, voter: true });
  const running = { role: "leader", leader: node("n1"), members: [node("n1"), node("n2")] };

  /** Runs the command with a database that says this, or with none that answers. */
  async function adopt(before: Before, says: unknown, ...more: string[]) {
    const server = createServer((_request, reply) => reply.end(JSON.stringify(says)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { open, now } = await storeWith(before);
    const db = ["-db=http", `-db-addr=http://127.0.0.1:${port}/`];
    try {
      if (says === null) await new Promise((resolve) => server.close(resolve));
      const said = await rollcall(["genesis", "adopt", ...confirmed, ...db, ...more], { provider: open });
      return { ...said, now: await now() };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it.each<[string, Before]>([
    ["absent", {}],
    ["unborn", { record: unborn }],
  ])(
    "seals, where the record is %s, what the database says, with the agents beside its nodes",
    async (_name, before) => {
      const stranger = { ...member, id: "n9", incarnation: "99999999" };
      const { code, out, now } = await adopt({ ...before, members: [member, stranger] }, running);
      expect(code).toBe(0);
      expect(out).toContain("note: no agent is registered of n2");
      expect(out).toMatch(/is: sealed, genesis \S+ \(birth 1, expect [23], adopted by operator\)/);
      const { id, incarnation, agent_addr, api_addr, addr } = member;
      expect(now).toMatchObject({
        state: "sealed",
        birth: 1,
        members: [{ id, incarnation, agent_addr, api_addr, addr }],
        adopted: { by: "operator", leader: { id: "n1" }, nodes: [node("n1"), node("n2")] },
      });
      const record = now as Sealed;
      expect(record.genesis_id).toBe(record.claim_id);
      // Nobody may take itself for the creator.
      expect(record.incarnation).not.toBe(incarnation);
      expect(record.hash).toBe(memberHash(record.members));
    },
  );

  it.each<[string, Before, unknown, RegExp]>([
    ["a claimed record", { record: claimed, members: [member] }, running, /only where there is none/],
    ["a sealed record", { record: sealed, members: [member] }, running, /only where there is none/],
    ["no leader", { members: [member] }, { status: "unhealthy" }, /knows of no leader/],
    ["no agent beside it", {}, running, /no agent is registered of any node that the database lists: n1, n2/],
    [
      "a node of another genesis",
      { members: [{ ...member, genesis_id: "old" }] },
      running,
      /n1 already belongs to genesis old/,
    ],
    [
      "another cluster's leader record",
      { members: [member], leader: '{"id":"x","addr":"x:1"}' },
      running,
      /the leader record names x at x:1, which the database does not list/,
    ],
    ["no answer", { members: [member] }, null, /ask the database at http:\/\/127\.0\.0\.1:\d+\/: /],
  ])("writes nothing with %s", async (_name, before, says, why) => {
    const { code, err, now } = await adopt(before, says);
    expect(code).toBe(1);
    expect(err).toMatch(why);
    expect(err).toMatch(/^[^\n]+\n$/);
    expect(now).toEqual(before.record ?? null);
  });

  it("needs a database to ask", async () => {
    expect(await rollcall(["genesis", "adopt", ...confirmed])).toMatchObject({
      code: 2,
      err: "rollcall: -db: is required: the running cluster's database is asked\n",
    });
  });
});

describe("confirmation", () => {
  it("is required where nobody can be asked, before the store is asked", async () => {
    const { code, err } = await rollcall(["genesis", "init", ...store, "-bootstrap-expect=3"]);
    expect([code, err]).toEqual([
      2,
      "rollcall: -confirm: is required where nobody can be asked: the cluster's key, once more\n",
    ]);
  });

  it("must be the key", async () => {
    const { open, now } = await storeWith();
    const { code, err } = await rollcall(
      ["genesis", "init", ...store, "-bootstrap-expect=3", "-confirm=orders"],
      {
        provider: open,
      },
    );
    expect([code, err, await now()]).toEqual([
      2,
      "rollcall: -confirm: is not the key, prod/orders; nothing was written\n",
      null,
    ]);
  });

  it("is asked for on a terminal, after saying what will be", async () => {
    const { open, now } = await storeWith();
    const world = { provider: open, typed: "prod/orders" };
    const { code, out, asked } = await rollcall(["genesis", "init", ...store, "-bootstrap-expect=3"], world);
    expect(asked).toEqual(["Type the key, prod/orders, to confirm: "]);
    expect([code, out]).toEqual([
      0,
      "was: absent\nwill be: unborn (birth 1, expect 3)\nis: unborn (birth 1, expect 3)\n",
    ]);
    expect(await now()).toEqual({ ...unborn, init_id: "uuid-1" });
  });

  it("writes nothing when a person types something else", async () => {
    const { open, now } = await storeWith();
    const { code } = await rollcall(["genesis", "init", ...store, "-bootstrap-expect=3"], {
      provider: open,
      typed: "yes",
    });
    expect([code, await now()]).toEqual([2, null]);
  });
});

describe("genesis init", () => {
  const init = (open: () => Provider) =>
    rollcall(["genesis", "init", ...confirmed, "-bootstrap-expect=3"], { provider: open });

  it("creates the record where there is none, and leaves it where it is there", async () => {
    const { open, now } = await storeWith();
    expect(await init(open)).toMatchObject({ code: 0, out: "was: absent\nis: unborn (birth 1, expect 3)\n" });
    const first = await now();
    expect(await init(open)).toMatchObject({
      code: 0,
      out: expect.stringContaining("unchanged: the record exists"),
    });
    expect(await now()).toEqual(first);
  });

  it.each<[string, Before, string]>([
    [
      "a claimed record with another expect",
      { record: { ...claimed, expect: 5 } },
      "the record expects 5, not 3, and is claimed by n1 (birth 1, expect 5, claim claim)",
    ],
    [
      "a sealed record with another expect",
      { record: { ...sealed, expect: 5 } },
      "the record expects 5, not 3, and is sealed, genesis claim",
    ],
    [
      "a native leader",
      { leader: '{"id":"x","api_addr":"http://10.0.0.7:4001"}' },
      "a database without rollcall says that it leads: x at http://10.0.0.7:4001",
    ],
    [
      "a node that belongs to a cluster",
      { members: [{ ...member, genesis_id: "old" }] },
      "n1 already belongs to genesis old",
    ],
  ])("refuses beside %s", async (_what, before, why) => {
    const { open, now } = await storeWith(before);
    const { code, err } = await init(open);
    expect(code).toBe(1);
    expect(err).toContain(`rollcall: prod/orders: ${why}`);
    expect(await now()).toEqual(before.record ?? null);
  });

  it("needs -bootstrap-expect, and takes it from the environment too", async () => {
    const { open, now } = await storeWith();
    const { code, err } = await rollcall(["genesis", "init", ...confirmed], { provider: open });
    expect([code, err.startsWith("rollcall: -bootstrap-expect: is required"), await now()]).toEqual([
      2,
      true,
      null,
    ]);
    const env = { ROLLCALL_BOOTSTRAP_EXPECT: "2" };
    expect((await rollcall(["genesis", "init", ...confirmed], { provider: open, env })).code).toBe(0);
    expect(await now()).toMatchObject({ state: "unborn", expect: 2 });
  });

  it("changes what an unborn record expects, and nothing else of it", async () => {
    const record = { ...unborn, birth: 2, expect: 5, later: "kept" };
    const { open, now } = await storeWith({ record });
    const { code, out } = await init(open);
    expect(code).toBe(0);
    expect(out).toContain("was: unborn (birth 2, expect 5)\nnote: the record expected 5");
    expect(out).toContain("is: unborn (birth 2, expect 3)\n");
    expect(await now()).toEqual({ ...record, expect: 3 });
  });

  it("reads back a write whose acknowledgement was lost", async () => {
    const { open, memory, now } = await storeWith();
    memory.inject("swap", "lose");
    expect(await init(open)).toMatchObject({ code: 0, err: "" });
    expect(await now()).toMatchObject({ state: "unborn" });
  });

  it("does not repeat a write that may still arrive, and says so", async () => {
    const { open, memory, now } = await storeWith();
    memory.inject("swap", "late");
    const { code, err } = await init(open);
    expect([code, await now()]).toEqual([1, null]);
    expect(err).toMatch(
      /^rollcall: write genesis: .*; the record is as it was; the write may still arrive: look with/,
    );
    expect(memory.land()).toBe(1);
    expect(await now()).toMatchObject({ state: "unborn" });
  });

  it("says so when it cannot even read back", async () => {
    const { open, memory } = await storeWith();
    memory.inject("swap", "fail");
    const provider = open();
    let reads = 0;
    const failing: Provider = {
      ...provider,
      genesis: {
        read: (abort) => {
          reads += 1;
          if (reads > 1) return Promise.reject(new Error("connection refused"));
          return provider.genesis?.read(abort) ?? Promise.resolve(null);
        },
        swap: async () => ({ kind: "unknown", cause: new Error("connection reset") }),
      },
    };
    const { code, err } = await init(() => failing);
    expect(code).toBe(1);
    expect(err).toContain("write genesis: connection reset; it could not be read back: connection refused");
  });

  it("reports another's write that came first", async () => {
    const { open } = await storeWith();
    const provider = open();
    const current = { value: JSON.stringify(unborn), revision: "9" };
    const beaten: Provider = {
      ...provider,
      genesis: { read: async () => null, swap: async () => ({ kind: "lost", current }) },
    };
    const { code, err } = await init(() => beaten);
    expect([code, err]).toEqual([
      1,
      "rollcall: another write came first; the record is unborn (birth 1, expect 3)\n",
    ]);
  });
});

describe("genesis rebirth", () => {
  const rebirth = (open: () => Provider, id = "claim") =>
    rollcall(["genesis", "rebirth", ...confirmed, `-genesis=${id}`, "-bootstrap-expect=5"], {
      provider: open,
    });

  it("gives up the sealed genesis for the next birth", async () => {
    const { open, now } = await storeWith({ record: sealed, members: [{ ...member, genesis_id: "claim" }] });
    const { code, out } = await rebirth(open);
    expect(code).toBe(0);
    expect(out).toContain("note: still running in the old genesis: n1; wipe them to join the new one");
    expect(out).toContain("is: unborn (birth 2, expect 5)");
    expect(await now()).toEqual({ v: 1, state: "unborn", init_id: "first", birth: 2, expect: 5 });
  });

  it("keeps which leader record forbids nothing any more", async () => {
    const { open, now } = await storeWith({ record: { ...sealed, forgets: "old" } });
    await rebirth(open);
    expect(await now()).toMatchObject({ state: "unborn", birth: 2, forgets: "old" });
  });

  it("keeps what the old record expects unless told", async () => {
    const { open, now } = await storeWith({ record: sealed });
    const { code } = await rollcall(["genesis", "rebirth", ...confirmed, "-genesis=claim"], {
      provider: open,
    });
    expect([code, await now()]).toEqual([0, { ...unborn, birth: 2, expect: 3 }]);
  });

  it.each<[GenesisRecord | undefined, string, string]>([
    [undefined, "claim", "there is no sealed genesis to give up; the record is absent"],
    [claimed, "claim", "there is no sealed genesis to give up; the record is claimed by n1"],
    [sealed, "other", "the sealed genesis is claim, not the given one"],
  ])("refuses for record %#", async (record, id, why) => {
    const { open, now } = await storeWith(record === undefined ? {} : { record });
    const { code, err } = await rebirth(open, id);
    expect([code, err.includes(why)], err).toEqual([1, true]);
    expect(await now()).toEqual(record ?? null);
  });
});

describe("genesis restore", () => {
  const restore = (open: () => Provider, marker: Sealed | null) =>
    rollcall(["genesis", "restore", ...confirmed, `-data-dir=${dataDirWith(marker)}`], { provider: open });

  it.each<[string, GenesisRecord | undefined, string]>([
    ["nothing", undefined, "uuid-1"],
    ["an unborn record", { ...unborn, init_id: "second" }, "second"],
    ["a claimed record", { ...claimed, init_id: "second", claim_id: "other" }, "second"],
  ])("writes the marker in the place of %s", async (_what, record, initId) => {
    const { open, now } = await storeWith(record === undefined ? {} : { record });
    const { code, out } = await restore(open, sealed);
    expect(code).toBe(0);
    expect(out).toContain("is: sealed, genesis claim (birth 1, expect 3, created by n1)");
    expect(await now()).toEqual({ ...sealed, init_id: initId });
  });

  it("leaves its own sealed record as it is", async () => {
    const { open, now } = await storeWith({ record: { ...sealed, init_id: "x" } });
    expect(await restore(open, sealed)).toMatchObject({ code: 0, out: expect.stringContaining("unchanged") });
    expect(await now()).toEqual({ ...sealed, init_id: "x" });
  });

  it.each<[string, Before, Sealed | null, string]>([
    ["without a marker", {}, null, "this node has no marker in -data-dir"],
    [
      "over another's sealed record",
      { record: { ...sealed, genesis_id: "other" } },
      sealed,
      "the record is another's",
    ],
    [
      "over a record of a higher birth",
      { record: { ...unborn, birth: 2 } },
      sealed,
      "of a higher birth than this node's marker, 1",
    ],
    [
      "beside a node of another genesis",
      { members: [{ ...member, id: "n2", genesis_id: "other" }] },
      sealed,
      "n2 belongs to another genesis, other",
    ],
  ])("refuses %s", async (_what, before, marker, why) => {
    const { open, now } = await storeWith(before);
    const { code, err } = await restore(open, marker);
    expect([code, err.includes(why)], err).toEqual([1, true]);
    expect(await now()).toEqual(before.record ?? null);
  });
});

describe("discover", () => {
  it("prints the members, the record and the leader", async () => {
    const members = [
      member,
      { ...member, id: "n2", incarnation: "22222222-bbbb", voter: false, genesis_id: "claimclaim" },
    ];
    const { open } = await storeWith({ record: sealed, members, leader: '{"id":"x","addr":"h:1"}' });
    expect((await rollcall(["discover", ...store], { provider: open })).out).toMatchInlineSnapshot(`
      "key      prod/orders (etcd-kv)
      genesis  sealed, genesis claim (birth 1, expect 3, created by n1)
      leader   x at h:1 (foreign: written by a database itself)
      members  2

      ID  INCARNATION  AGENT          DB                    VOTER  EXPECT  STATUS   GENESIS
      n1  11111111     10.0.0.1:4100  http://10.0.0.1:4001  yes    3       waiting  -
      n2  22222222     10.0.0.1:4100  http://10.0.0.1:4001  no     -       waiting  claimcla
      "
    `);
  });

  it("prints JSON", async () => {
    const { open } = await storeWith({ record: unborn, members: [member] });
    const { out } = await rollcall(["discover", ...store, "-o=json"], { provider: open });
    expect(JSON.parse(out)).toEqual({
      key: "prod/orders",
      mode: "etcd-kv",
      kind: "complete",
      addresses: ["10.0.0.1:4100"],
      members: [member],
      genesis: unborn,
      leader: null,
    });
  });

  it("says in one line that the store does not answer", async () => {
    const { open, memory } = await storeWith();
    memory.down();
    const { code, out, err } = await rollcall(["discover", ...store], { provider: open });
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^rollcall: [^\n]*connection reset[^\n]*\n$/);
  });

  it("lets no member drive the terminal", async () => {
    const { open } = await storeWith({ members: [{ ...member, status: "\u001b[2J\nforged" }] });
    const { out } = await rollcall(["discover", ...store], { provider: open });
    expect(out).toContain("[2J forged");
    expect(out).not.toContain("\u001b");
  });
});
