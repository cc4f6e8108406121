import { afterEach, describe, expect, it } from "vitest";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores, oneGenesis, openFleet } from "./stores.ts";

onBothStores("formation", (store) => {
  const fleet = openFleet();
  afterEach(() => fleet.end());
  const voters = (key: string, expectVoters: number) => [
    ...store().flags(key),
    "-bootstrap-expect",
    String(expectVoters),
  ];

  it("makes one cluster of three that start at once, and a fourth joins it", async () => {
    const key = freshKey();
    const agents = await fleet.start(["a", "b", "c"], voters(key, 3));
    const genesis = await oneGenesis(agents);
    const kinds = await Promise.all(agents.map(async (agent) => (await agent.settled()).kind));
    expect(kinds.filter((kind) => kind === "bootstrap")).toHaveLength(1);
    const fourth = await fleet.one("d", voters(key, 3));
    expect(await fourth.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    const record = await store().genesis(key);
    expect(record).toMatchObject({ state: "sealed", genesis_id: genesis, expect: 3 });
    await until(
      async () =>
        (await agents[0]?.outcome())?.members.length === 4 ||
        (await agents[1]?.outcome())?.members.length === 4,
      { deadlineMs: 5_000, what: "the members to include the fourth" },
    );
  });

  it("gives all listed members of a symmetric cluster the identical list", async () => {
    const agents = await fleet.start(
      ["a", "b", "c", "d", "e"],
      [...voters(freshKey(), 5), "-formation", "symmetric"],
    );
    await oneGenesis(agents);
    const outcomes = await Promise.all(agents.map((agent) => agent.settled()));
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(Array(5).fill("bootstrap"));
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome.members))).size).toBe(1);
    expect(outcomes[0]?.members.map((member) => member.id)).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("comes back to the same genesis when all restart with the same flags", async () => {
    const agents = await fleet.start(["a", "b", "c"], voters(freshKey(), 3));
    const genesis = await oneGenesis(agents);
    await Promise.all(agents.map((agent) => agent.kill()));
    await Promise.all(agents.map((agent) => agent.restart()));
    expect(await oneGenesis(agents)).toBe(genesis);
    for (const agent of agents) expect((await agent.settled()).kind).toBe("existing");
  });

  it("creates nothing for a non-voter that comes first, and lets it join later", async () => {
    const key = freshKey();
    const reader = await fleet.one("a-reader", [...store().flags(key), "-non-voter"]);
    const waiting = await reader.waitsFor("no_record");
    expect(waiting.unblock.join(" ")).toContain("Start the voters");
    expect(await store().genesis(key)).toBeNull();
    const agents = await fleet.start(["b", "c"], voters(key, 2));
    const genesis = await oneGenesis(agents);
    expect(await reader.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    const record = await store().genesis(key);
    expect(record?.state === "sealed" ? record.members.map((member) => member.id) : record).toEqual([
      "b",
      "c",
    ]);
    const late = await fleet.one("late-reader", [...store().flags(key), "-non-voter"]);
    expect(await late.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
  });

  it("makes one cluster of six that start at once with expect 3", async () => {
    const key = freshKey();
    const agents = await fleet.start(["a", "b", "c", "d", "e", "f"], voters(key, 3));
    await oneGenesis(agents);
    const record = await store().genesis(key);
    expect(record?.state === "sealed" && record.members).toHaveLength(3);
    await until(async () => (await agents[5]?.outcome())?.members.length === 6, {
      deadlineMs: 30_000,
      what: "all six to be members",
    });
  });

  it("does not form while voters expect different numbers, says who, and forms once they agree", async () => {
    const key = freshKey();
    const first = await fleet.one("a", voters(key, 2));
    await first.waitsFor("voters");
    const other = await fleet.one("b", voters(key, 3));
    const mismatch = await other.waitsFor("expect_mismatch");
    expect(mismatch.summary).toContain("-bootstrap-expect 3");
    const waiting = await until(
      async () => {
        const now = await first.explain();
        return now.not_counted.some((peer) => peer.id === "b") ? now : null;
      },
      { deadlineMs: 30_000, what: "a to say why b is not counted" },
    );
    expect(waiting.not_counted).toContainEqual(expect.objectContaining({ id: "b", why: "other_expect" }));
    expect(await first.outcome()).toBeNull();
    await other.restart({ args: voters(key, 2) });
    await oneGenesis([first, other]);
  });

  it("keeps two clusters with two keys in one store apart", async () => {
    const [x, y] = [freshKey(), freshKey()];
    const [left, right] = await Promise.all([
      fleet.start(["a", "b"], voters(x, 2)),
      fleet.start(["a", "b"], voters(y, 2)),
    ]);
    const [one, two] = await Promise.all([oneGenesis(left), oneGenesis(right)]);
    expect(one).not.toBe(two);
    expect((await left[0]?.settled())?.members).toHaveLength(2);
  });

  it("refuses the second of two agents with one node id, and lets it go on when the first has gone", async () => {
    const key = freshKey();
    const first = await fleet.one("same", voters(key, 1));
    await first.settled();
    // Somebody stays whom the second one can join.
    const other = await fleet.one("other", voters(key, 1));
    await other.settled();
    const second = await fleet.one("same", voters(key, 1));
    const explained = await second.waitsFor("duplicate_node_id");
    expect(explained.unblock.join(" ")).toContain("-node-id");
    expect((await second.get("/v1/outcome")).status).toBe(409);
    expect((await first.explain()).code).toBe("settled");
    await first.stop();
    expect((await second.settled()).kind).toBe("join");
  });

  it("follows a node to a new address, and a node with an empty disk to a new incarnation", async () => {
    const key = freshKey();
    const agents = await fleet.start(["a", "b", "c"], voters(key, 3));
    const genesis = await oneGenesis(agents);
    const [a, b, c] = agents;
    if (a === undefined || b === undefined || c === undefined) throw new Error("three agents");
    await b.restart({ moved: true });
    expect(await b.settled()).toMatchObject({ kind: "existing", genesis_id: genesis });
    await until(async () => (await a.outcome())?.members.some((member) => member.agent_addr === b.addr()), {
      deadlineMs: 30_000,
      what: "b's new address",
    });
    await c.stop();
    await c.restart({ wipe: true });
    expect(await c.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    const record = await store().genesis(key);
    expect(record).toMatchObject({ state: "sealed", genesis_id: genesis });
  });

  it("waits for the operator with -genesis=strict, and only ever joins with -genesis=never", async () => {
    const key = freshKey();
    const strict = await fleet.one("a", [...voters(key, 1), "-genesis", "strict"]);
    const explained = await strict.waitsFor("no_record");
    expect(explained.unblock.join(" ")).toContain("rollcall genesis init");
    const never = await fleet.one("b", [...voters(key, 1), "-genesis", "never"]);
    await never.waitsFor("no_record");
    expect(await store().genesis(key)).toBeNull();
    const auto = await fleet.one("c", voters(key, 1));
    await oneGenesis([strict, never, auto]);
    expect((await never.settled()).kind).toBe("join");
  });
});

describe("one agent", () => {
  it("ends with 2 and one line, and makes nothing, when its flags are wrong", async () => {
    const fleet = openFleet();
    const agent = await fleet.one("a", ["-disco-mode", "consul"]);
    expect((await agent.process().ended).code).toBe(2);
    expect(agent.process().stderr().trim().split("\n")).toHaveLength(1);
    expect(agent.process().stderr()).toContain("consul-kv");
    await fleet.end();
  });
});
