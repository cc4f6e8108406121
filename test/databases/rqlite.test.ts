import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NodeReport } from "../../src/core/node-report.ts";
import { describeWith } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { type Fleet, type Node, nativeRecord, newFleet } from "./rqlite-nodes.ts";

const signal = () => AbortSignal.timeout(5_000);
/** Waits for a report of a node that is as wanted. */
const sees = (node: Node, what: string, wanted: (report: NodeReport) => boolean, deadlineMs = 8_000) =>
  until(
    async () => {
      const report = await node.look();
      return wanted(report) ? report : null;
    },
    { deadlineMs, what: `${node.id} to see ${what}`, everyMs: 20 },
  );

/** Waits until a node's own data are these. */
const has = (node: Node, sql: string, rows: unknown) =>
  until(async () => JSON.stringify(await node.server.rows(sql)) === JSON.stringify(rows), {
    deadlineMs: 5_000,
    what: `${JSON.stringify(rows)} on ${node.id}`,
  });

describeWith("rqlited", "a symmetric cluster of three", () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await newFleet(3, "symmetric");
    await fleet.launchAll();
  });
  afterAll(() => fleet.killAll());

  it("forms, and every node reports the same leader, term and members", async () => {
    const { leader, followers } = await fleet.settled();
    const reports = await Promise.all(fleet.nodes.map((n) => n.look()));
    expect(reports.map((r) => r.members?.map((m) => m.id))).toEqual(Array(3).fill(["n1", "n2", "n3"]));
    expect(new Set(reports.map((r) => r.term)).size).toBe(1);
    expect((await leader.look()).role).toBe("leader");
    for (const follower of followers) expect((await follower.look()).role).toBe("replica");
    expect(reports[0]).toMatchObject({
      kind: "rqlite",
      version: "8",
      status: "healthy",
      problem: null,
      leader: {
        id: leader.id,
        addr: leader.server.peerAddr(),
        api_addr: `http://${leader.server.addr()}`,
        voter: true,
        reachable: true,
      },
    });
    await leader.server.execute("CREATE TABLE t (i INTEGER)");
    expect(await followers[0]?.server.execute("INSERT INTO t VALUES (1)")).toContain("rows_affected");
  });

  it("names the new leader, in a higher term, after the old one is killed; the dead node comes back", async () => {
    const { leader, followers } = await fleet.settled();
    const [one] = followers;
    if (one === undefined) throw new Error("no follower");
    const before = await one.look();
    await leader.server.kill();
    const without = await one.look();
    expect(without).toMatchObject({ status: "unhealthy", leader: null, role: "unknown", term: null });
    expect(without.problem).toBe(`nobody in reach leads; no answer from ${leader.id}`);
    const gone = without.members?.find((m) => m.id === leader.id);
    expect(gone).toMatchObject({ reachable: false, api_addr: `http://${leader.server.addr()}` });
    const after = await fleet.settled(followers, 3);
    const report = await after.leader.look();
    expect(report.term).toBeGreaterThan(before.term ?? Number.NaN);
    expect(report.role).toBe("leader");
    expect(await leader.launch()).toBeNull();
    await fleet.settled();
  });

  it("is told from a frozen leader within the time that a look may take", async () => {
    const { leader, followers } = await fleet.settled();
    await leader.server.pause();
    try {
      const looks = await Promise.all(
        followers.map(async (n) => {
          const started = performance.now();
          return { report: await n.look(), took: performance.now() - started };
        }),
      );
      for (const { report, took } of looks) {
        expect(report).toMatchObject({ status: "unhealthy", leader: null });
        expect(took).toBeLessThan(1_900);
      }
      await expect(leader.db().probe(AbortSignal.timeout(300))).rejects.toThrow();
      await fleet.settled(followers, 3);
    } finally {
      leader.server.resume();
    }
    const { leader: now } = await fleet.settled();
    expect(now.id).not.toBe(leader.id);
    expect((await leader.look()).role).toBe("replica");
  });

  it("comes up again after all were stopped at once, also one after another with a majority away", async () => {
    await fleet.settled();
    await fleet.stopAll();
    const [first, ...rest] = fleet.nodes;
    expect(await first?.launch()).toBeNull();
    if (first === undefined) throw new Error("no nodes");
    const alone = await sees(first, "that it is alone", (r) => r.status === "unhealthy");
    expect(alone).toMatchObject({ leader: null, role: "unknown" });
    await Promise.all(rest.map((n) => n.launch()));
    await fleet.settled();
    await has(first, "SELECT i FROM t", [[1]]);
  });

  it("repairs the address of one node that moved", async () => {
    const { followers } = await fleet.settled();
    const [mover] = followers;
    if (mover === undefined) throw new Error("no follower");
    await mover.server.stop();
    await mover.server.move();
    expect(await mover.launch({ led: true })).toBeNull();
    await fleet.settled();
    const { members } = await sees(mover, "its new address", (r) =>
      Boolean(r.members?.some((m) => m.id === mover.id && m.addr === mover.server.peerAddr())),
    );
    expect(members).toHaveLength(3);
  });

  it("keeps its data when all three nodes moved at once", async () => {
    await fleet.settled();
    await fleet.stopAll();
    for (const n of fleet.nodes) await n.server.move();
    const [first] = fleet.nodes;
    expect(await first?.launch({ present: ["n1"] })).toBe(
      "addresses have changed and no leader is known: 1 of 3 voters are here, 2 are needed (missing: n2, n3)",
    );
    await fleet.launchAll();
    const { leader, followers } = await fleet.settled();
    expect(await leader.server.execute("INSERT INTO t VALUES (2)")).toContain("rows_affected");
    for (const node of followers) await has(node, "SELECT i FROM t", [[1], [2]]);
    expect((await leader.look()).members?.map((m) => m.addr)).toEqual(
      fleet.nodes.map((n) => n.server.peerAddr()),
    );
  });

  it("goes on when two moved, recovered, and the third comes later", async () => {
    await fleet.settled();
    await fleet.stopAll();
    for (const n of fleet.nodes) await n.server.move();
    const [one, two, three] = fleet.nodes;
    if (!one || !two || !three) throw new Error("no nodes");
    await Promise.all([one.launch({ present: ["n1", "n2"] }), two.launch({ present: ["n1", "n2"] })]);
    await fleet.settled([one, two], 3);
    await one.server.execute("INSERT INTO t VALUES (3)");
    expect(await three.launch({ led: true })).toBeNull();
    await fleet.settled();
    await has(three, "SELECT max(i) FROM t", [[3]]);
  });
});

describeWith("rqlited", "a single cluster that others join", () => {
  let fleet: Fleet;
  let reader: Node;
  beforeAll(async () => {
    fleet = await newFleet(1, "single");
    await fleet.add("n2");
    await fleet.add("n3");
    reader = await fleet.add("n4", false);
  });
  afterAll(() => fleet.killAll());

  it("forms although those who join were there first, and never without the founder", async () => {
    const [founder, ...others] = fleet.nodes;
    await Promise.all(others.map((n) => n.launch()));
    if (founder === undefined || others[0] === undefined) throw new Error("no nodes");
    const early = await sees(others[0], "that it belongs to nobody", (r) => r.members !== null);
    expect(early).toMatchObject({ status: "joining", members: [], leader: null, role: "unknown" });
    await founder.launch();
    await fleet.settled();
  });

  it("has a non-voter that follows and is not counted", async () => {
    const report = await reader.look();
    expect(report).toMatchObject({ status: "healthy", role: "replica" });
    expect(report.members?.map((m) => m.voter)).toEqual([true, true, true, false]);
  });

  it("reports the shard with its offset, and its lag where the leader has told", async () => {
    const { leader, followers } = await fleet.settled();
    // Raft tells how far it is a moment after the election.
    const report = await sees(leader, "how far it is", (r) => r.shards[0]?.lag != null);
    const [shard] = report.shards;
    expect(shard).toMatchObject({ id: "rqlite", role: "primary", lag: { unit: "index", value: 0 } });
    expect(shard?.commit_offset?.value).toBeGreaterThan(0);
    expect((await followers[0]?.look())?.shards[0]?.role).toBe("secondary");
  });

  it("is asked at another node's client address, with or without a scheme", async () => {
    const { leader, followers } = await fleet.settled();
    const db = followers[0]?.db();
    const report = await db?.ask?.(`http://${leader.server.addr()}`, signal());
    expect(report).toMatchObject({ role: "leader", leader: { id: leader.id }, status: "healthy" });
    expect((await db?.ask?.(reader.server.addr(), signal()))?.role).toBe("replica");
  });

  it("takes in a node that knows only the record which a native node wrote", async () => {
    const { leader } = await fleet.settled();
    const guest = await fleet.add("n5");
    expect(await guest.launch({ members: [guest.ref()], leader: nativeRecord(leader) })).toBeNull();
    await fleet.settled();
  });

  it("joins again with an empty disk", async () => {
    const { followers } = await fleet.settled();
    const blank = followers.find((n) => n !== reader);
    if (blank === undefined) throw new Error("no voter follows");
    await blank.server.wipe();
    expect(await blank.launch({ formed: null, led: true })).toBeNull();
    await fleet.settled();
  });

  it("removes a node from any other, and the removed one says that it is out", async () => {
    const { followers } = await fleet.settled();
    const from = followers.find((n) => n !== reader);
    if (from === undefined) throw new Error("no voter follows");
    await from.db().removeMember?.(reader.id, signal());
    // The leader has removed it; a follower hears of that a moment later.
    const isListed = ({ members }: NodeReport) => members?.some((m) => m.id === reader.id);
    await sees(from, "the removal", (report) => report.members !== null && !isListed(report));
    const out = await sees(reader, "its removal", (r) => r.status === "not_in_cluster");
    expect(out).toMatchObject({ problem: "it is no longer a member of its cluster" });
    await from.db().removeMember?.("nobody", signal());
  });

  it("removes the leader from itself", async () => {
    const staying = fleet.nodes.filter((n) => n !== reader);
    const { leader } = await fleet.settled(staying, 4);
    await leader.db().removeMember?.(leader.id, signal());
    const { leader: next } = await fleet.settled(
      staying.filter((n) => n !== leader),
      3,
    );
    expect(next.id).not.toBe(leader.id);
    await sees(leader, "its removal", (r) => r.status === "not_in_cluster");
  });

  it("does not remove anybody without a leader", async () => {
    const gone = new Set([reader.id]);
    const staying = fleet.nodes.filter((n) => n.formed() !== null && !gone.has(n.id));
    const living = [];
    for (const n of staying) if ((await n.look()).status === "healthy") living.push(n);
    const [last, ...dead] = living;
    for (const n of dead) await n.server.kill();
    if (last === undefined) throw new Error("nobody is left");
    await sees(last, "no leader", (r) => r.status === "unhealthy");
    await until(
      async () => {
        const error = await last
          .db()
          .removeMember?.("n1", signal())
          .catch((e: Error) => e.message);
        return error === undefined ? null : /^remove n1: rqlited answers 503/.test(error);
      },
      { deadlineMs: 5_000, what: "a refusal" },
    );
  });
});

describe("a lone node", () => {
  describeWith("rqlited", "with real rqlited", () => {
    let fleet: Fleet;
    beforeAll(async () => {
      fleet = await newFleet(1, "symmetric");
      await fleet.launchAll();
    });
    afterAll(() => fleet.killAll());

    it("restarts, and keeps its data when its address is another", async () => {
      const { leader: node } = await fleet.settled();
      await node.server.execute("CREATE TABLE t (i INTEGER)");
      await node.server.stop();
      await node.launch();
      await fleet.settled();
      await node.server.stop();
      await node.server.move();
      await node.launch();
      await fleet.settled();
      expect((await node.look()).leader?.addr).toBe(node.server.peerAddr());
      expect(await node.server.execute("INSERT INTO t VALUES (1)")).toContain("rows_affected");
    });
  });
});
