/** Agents without a store whose disk is full when a vote is to be synced. */
import { readFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { describeAsRoot } from "../support/root.ts";
import { openSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { listing, seated, seatsFor } from "./lists.ts";
import { freshKey, oneGenesis, openFleet } from "./stores.ts";

describeAsRoot(["mount"], "agents whose disk is full", () => {
  const fleet = openFleet();
  const disks: SmallDisk[] = [];
  afterEach(async () => {
    await fleet.end();
    await Promise.all(disks.splice(0).map((disk) => disk.end()));
  });

  /** Three seats, and an agent at the one of this id, alone as yet, on a disk that is full. */
  async function fullAt(id: string) {
    const key = freshKey();
    const seats = await seatsFor(["a", "b", "c"]);
    const args = listing(seats, key, 3);
    const dir = tempDir("full");
    const disk = await openSmallDisk(dir);
    disks.push(disk);
    const [seat] = seats.filter((one) => one.id === id);
    if (seat === undefined) throw new Error("no such seat");
    const [full] = await seated(fleet, [seat], args, { dir, inside: disk.inside });
    if (full === undefined) throw new Error("one agent");
    await full.waitsFor("voters");
    const identity = () => JSON.parse(readFileSync(disk.path("data/identity.json"), "utf8"));
    const before = identity();
    disk.fill();
    const others = await seated(
      fleet,
      seats.filter((one) => one !== seat),
      args,
    );
    return { full, others, disk, identity, before };
  }

  it("give no vote that is not on disk, and form one cluster once there is room", async () => {
    const { full, others, disk, identity, before } = await fullAt("b");
    for (const agent of others.slice(0, 1))
      expect((await agent.waitsFor("votes")).summary).toContain("b does not answer");
    expect(identity()).toEqual(before);
    expect(full.process().stderr()).toContain("ENOSPC");
    disk.free();
    await oneGenesis([full, ...others]);
    expect(identity()).toMatchObject({ incarnation: before.incarnation, votes: { lost: [] } });
  }, 60_000);

  it("end where they cannot keep what they are about to propose, with nothing lost", async () => {
    const { full, others, disk, identity, before } = await fullAt("a");
    await until(() => full.process().exit(), { deadlineMs: 30_000, what: "a to end" });
    expect(full.process().exit()).toEqual({ code: 1, signal: null });
    expect(full.process().stderr().trim().split("\n").at(-1)).toMatch(
      /^rollcall: write .*identity\.json: ENOSPC/,
    );
    expect(identity()).toEqual(before);
    disk.free();
    await full.restart();
    await oneGenesis([full, ...others]);
    expect(identity().incarnation).toBe(before.incarnation);
  }, 60_000);
});
