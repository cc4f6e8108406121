/** What every leased directory of members must do. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Member } from "../../src/core/model.ts";
import type { Members, Provider } from "../../src/core/provider.ts";
import { until } from "../support/wait.ts";
import { again, type MakeStage, member, patient, type Stage } from "./stage.ts";

/** The suite over one kind of store. Its leases should be short: some tests wait for their end. */
export function membersContract(name: string, make: MakeStage): void {
  describe(`${name}: members`, () => {
    let stage: Stage;
    let provider: Provider;
    let members: Members;
    const signal = patient();

    beforeEach(async () => {
      stage = await make();
      provider = await stage.open();
      members = membersOf(provider);
    });
    afterEach(() => stage.close());

    const seen = async (): Promise<readonly Member[]> => (await provider.lookup(signal)).members ?? [];
    const gone = (id: string) =>
      until(
        async () => {
          stage.elapse?.();
          return (await seen()).every((one) => one.id !== id);
        },
        { deadlineMs: 3 * members.ttlMs + 2_000, what: `the entry of ${id} to lapse`, everyMs: 20 },
      );

    it("creates an entry that everybody sees, unknown fields too", async () => {
      const own = { ...member(), rack: "r1" };
      expect(await members.announce(own, signal)).toEqual({ kind: "held" });
      const other = await stage.open();
      expect((await other.lookup(signal)).members).toEqual([own]);
      expect(await members.renew(signal)).toBe(true);
    });

    it("replaces the entry of the same incarnation, and keeps its lease", async () => {
      await members.announce(member(), signal);
      const changed = member({ status: "ready", agent_addr: "10.0.0.9:4100" });
      expect(await members.announce(changed, signal)).toEqual({ kind: "held" });
      expect(await members.announce(changed, signal)).toEqual({ kind: "held" });
      expect(await seen()).toEqual([changed]);
      expect(await members.renew(signal)).toBe(true);
      await members.withdraw(signal);
      expect(await seen()).toEqual([]);
    });

    it("leaves the entry of another incarnation alone, and says whose it is", async () => {
      await members.announce(member(), signal);
      const other = membersOf(await stage.open());
      const second = member({ incarnation: "n1-life-2" });
      expect(await other.announce(second, signal)).toEqual({ kind: "taken", by: member() });
      expect(await other.renew(signal)).toBe(false);
      await other.withdraw(signal);
      expect(await seen()).toEqual([member()]);
      expect(await members.renew(signal)).toBe(true);
    });

    it("lets exactly one of several incarnations have a free node id", async () => {
      const lives = ["a", "b", "c", "d"].map((incarnation) => member({ incarnation }));
      const ended = await Promise.all(
        lives.map(async (life) => membersOf(await stage.open()).announce(life, signal)),
      );
      const held = ended.findIndex((one) => one.kind === "held");
      expect(ended.filter((one) => one.kind === "held")).toHaveLength(1);
      expect(await seen()).toEqual([lives[held]]);
      for (const one of ended) if (one.kind === "taken") expect(one.by).toEqual(lives[held]);
    });

    it("gives a restarted node its entry back at once, and ends the lease of its earlier life", async () => {
      await members.announce(member(), signal);
      const restarted = membersOf(await stage.open());
      const now = member({ boot_id: "n1-boot-2" });
      expect(await restarted.announce(now, signal)).toEqual({ kind: "held" });
      expect(await seen()).toEqual([now]);
      expect(await members.renew(signal)).toBe(false);
      await members.withdraw(signal);
      expect(await seen()).toEqual([now]);
      expect(await restarted.renew(signal)).toBe(true);
    });

    it("lets an entry lapse that nobody renews; then another incarnation may have it", async () => {
      await members.announce(member(), signal);
      await gone("n1");
      expect(await members.renew(signal)).toBe(false);
      const next = member({ incarnation: "n1-life-2" });
      expect(await membersOf(await stage.open()).announce(next, signal)).toEqual({ kind: "held" });
      expect(await members.announce(member(), signal)).toEqual({ kind: "taken", by: next });
    });

    it("keeps an entry for as long as it is renewed", async () => {
      await members.announce(member(), signal);
      const other = membersOf(await stage.open());
      await other.announce(member({ id: "n2" }), signal);
      await until(
        async () => {
          stage.elapse?.();
          expect(await members.renew(signal)).toBe(true);
          const ids = (await seen()).map((one) => one.id);
          expect(ids).toContain("n1");
          return !ids.includes("n2");
        },
        {
          deadlineMs: 3 * members.ttlMs + 2_000,
          what: "the entry of n2 to lapse",
          everyMs: members.ttlMs / 5,
        },
      );
    });

    it("announces again after the lease was lost", async () => {
      await members.announce(member(), signal);
      await stage.wipe();
      expect(await members.renew(signal)).toBe(false);
      expect(await members.announce(member(), signal)).toEqual({ kind: "held" });
      expect(await members.renew(signal)).toBe(true);
      expect(await seen()).toEqual([member()]);
    });

    it("withdraws its own entry only, twice if need be, and may come back", async () => {
      const other = membersOf(await stage.open());
      await members.announce(member(), signal);
      await other.announce(member({ id: "n2" }), signal);
      await members.withdraw(signal);
      await members.withdraw(signal);
      expect((await seen()).map((one) => one.id)).toEqual(["n2"]);
      expect(await members.renew(signal)).toBe(false);
      expect(await members.announce(member(), signal)).toEqual({ kind: "held" });
      expect((await seen()).map((one) => one.id)).toEqual(["n1", "n2"]);
    });

    it("withdraws nothing before it announced anything", async () => {
      await membersOf(await stage.open()).announce(member(), signal);
      expect(await members.renew(signal)).toBe(false);
      await members.withdraw(signal);
      expect(await seen()).toEqual([member()]);
    });

    it("leaves the entry when it is closed", async () => {
      await members.announce(member(), signal);
      await provider.close();
      await provider.close();
      const other = await stage.open();
      expect((await other.lookup(signal)).members).toEqual([member()]);
    });

    it("throws when it cannot tell", async () => {
      await members.announce(member(), signal);
      await stage.down();
      const unreachable = { code: "store_unreachable" };
      await expect(members.renew(signal)).rejects.toMatchObject(unreachable);
      await expect(members.announce(member(), signal)).rejects.toMatchObject(unreachable);
      await expect(members.withdraw(signal)).rejects.toMatchObject(unreachable);
      await stage.up();
      await again(() => members.withdraw(signal));
      expect(await again(seen)).toEqual([]);
    });
  });
}

function membersOf(provider: Provider): Members {
  if (provider.members === undefined) throw new TypeError(`${provider.mode} has no members`);
  return provider.members;
}
