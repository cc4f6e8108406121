/** What look-ups and watches of every store must do. */
import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Lookup, Provider, Versioned } from "../../src/core/provider.ts";
import { again, type MakeStage, member, patient, record, type Stage } from "./stage.ts";

const EMPTY = { kind: "complete", addresses: [], members: [], genesis: null, leader: null };

/** The suite over one kind of store. */
export function providerContract(name: string, make: MakeStage): void {
  describe(`${name}: provider`, () => {
    let stage: Stage;
    let provider: Provider;
    let another: Provider;
    const signal = patient();
    let watching: AbortController;

    beforeEach(async () => {
      stage = await make();
      provider = await stage.open();
      another = await stage.open();
      watching = new AbortController();
    });
    afterEach(async () => {
      watching.abort();
      await stage.close();
    });

    it("looks up nothing where there is nothing", async () => {
      expect(await provider.lookup(signal)).toEqual(EMPTY);
    });

    it("looks up all rows at one moment", async () => {
      const n1 = member({ agent_addr: "10.0.0.1:4100" });
      const n2 = member({ id: "n2", agent_addr: "10.0.0.2:4100" });
      await provider.members?.announce(n1, signal);
      await another.members?.announce(n2, signal);
      const genesis = record(randomUUID(), "genesis");
      const leader = JSON.stringify({ id: "n1", api_addr: "http://10.0.0.1:4001", addr: "10.0.0.1:4002" });
      await provider.genesis?.swap(null, genesis, signal);
      await provider.leaderKey?.swap(null, leader, signal);
      expect(await another.lookup(signal)).toEqual({
        kind: "complete",
        addresses: ["10.0.0.1:4100", "10.0.0.2:4100"],
        members: [n1, n2],
        genesis: await provider.genesis?.read(signal),
        leader: await provider.leaderKey?.read(signal),
      });
    });

    it("names every address once", async () => {
      await provider.members?.announce(member({ id: "n1" }), signal);
      await another.members?.announce(member({ id: "n2" }), signal);
      const found = await provider.lookup(signal);
      expect(found.members).toHaveLength(2);
      expect(found.addresses).toEqual(["10.0.0.1:4100"]);
    });

    it("throws when it cannot tell", async () => {
      await stage.down();
      await expect(provider.lookup(signal)).rejects.toMatchObject({ code: "store_unreachable" });
      await stage.up();
      expect(await again(() => provider.lookup(signal))).toEqual(EMPTY);
    });

    it("keeps keys apart that begin with each other, or lie within each other", async () => {
      const own = member();
      await provider.members?.announce(own, signal);
      for (const suffix of ["b", "/b", "/b/c"]) {
        const neighbour = await stage.open(suffix);
        expect(await neighbour.lookup(signal), suffix).toEqual(EMPTY);
        expect((await neighbour.genesis?.swap(null, record(randomUUID(), suffix), signal))?.kind).toBe("won");
        expect(await neighbour.members?.announce(member({ incarnation: suffix }), signal)).toEqual({
          kind: "held",
        });
      }
      const found = await provider.lookup(signal);
      expect(found).toEqual({ ...EMPTY, addresses: [own.agent_addr], members: [own] });
    });

    it("says what there is at once when it is watched, and then each change", async () => {
      await provider.members?.announce(member(), signal);
      const next = follow(provider, watching.signal);
      expect(await next()).toEqual({ ...EMPTY, addresses: ["10.0.0.1:4100"], members: [member()] });

      const initId = randomUUID();
      await another.genesis?.swap(null, record(initId, "born"), signal);
      expect((await next()).genesis?.value).toBe(record(initId, "born"));

      await another.members?.announce(member({ id: "n2", agent_addr: "10.0.0.2:4100" }), signal);
      expect((await next()).addresses).toEqual(["10.0.0.1:4100", "10.0.0.2:4100"]);

      await another.members?.withdraw(signal);
      expect((await next()).members).toEqual([member()]);

      await another.leaderKey?.swap(null, record(initId, "leads"), signal);
      expect((await next()).leader?.value).toBe(record(initId, "leads"));
      expect(await next.ended(watching)).toBe("rejected");
    });

    it("says nothing in a watch where nothing changed", async () => {
      await provider.members?.announce(member(), signal);
      const next = follow(provider, watching.signal);
      let last = await next();
      const neighbour = await stage.open("/b");
      for (let i = 0; i < 5; i++) {
        // Not a change of this cluster: the same entry again, a renewal, another cluster's rows below the key.
        await provider.members?.announce(member(), signal);
        await provider.members?.renew(signal);
        await neighbour.members?.announce(member({ status: `${i}` }), signal);
      }
      await another.leaderKey?.swap(null, record("i", "leads"), signal);
      while (last.leader === null) {
        const now = await next();
        expect(now).not.toEqual(last);
        last = now;
      }
      expect(await another.lookup(signal)).toEqual(last);
    });

    it("merges changes that nobody waited for, and misses none", async () => {
      const next = follow(provider, watching.signal);
      expect(await next()).toEqual(EMPTY);
      let before: Versioned | null = null;
      for (let i = 0; i < 20; i++) {
        await another.leaderKey?.swap(before, record("i", `${i}`), signal);
        before = (await another.leaderKey?.read(signal)) ?? null;
        expect(before?.value).toBe(record("i", `${i}`));
      }
      let asked = 0;
      for (let last: Lookup | null = null; last?.leader?.value !== before?.value; asked++)
        last = await next();
      expect(asked).toBeLessThanOrEqual(20);
    });

    it("ends a watch promptly on abort", async () => {
      const next = follow(provider, watching.signal);
      await next();
      const began = performance.now();
      expect(await next.ended(watching)).toBe("rejected");
      expect(performance.now() - began).toBeLessThan(500);
      const late = follow(provider, watching.signal);
      await expect(late()).rejects.toThrow();
    });

    it("ends a watch by throwing when the store goes away; a new one goes on", async () => {
      const next = follow(provider, watching.signal);
      await next();
      const waiting = next();
      await stage.down();
      await expect(waiting).rejects.toMatchObject({ code: "store_unreachable" });
      await stage.up();
      await again(() => another.leaderKey?.swap(null, record("i", "meanwhile"), signal) ?? Promise.reject());
      const { now, more } = await again(async () => {
        const reopened = follow(provider, watching.signal);
        return { now: await reopened(), more: reopened };
      });
      expect(now.leader?.value).toBe(record("i", "meanwhile"));
      await another.members?.announce(member(), signal);
      expect((await more()).members).toEqual([member()]);
    });

    it("may be left in the middle of a watch", async () => {
      for await (const found of provider.watch?.(watching.signal) ?? []) {
        expect(found).toEqual(EMPTY);
        break;
      }
      expect(await provider.lookup(signal)).toEqual(EMPTY);
    });

    it("takes no more calls when it is closed", async () => {
      await provider.lookup(signal);
      await provider.close();
      await provider.close();
      await expect(provider.lookup(signal)).rejects.toThrow();
      expect((await provider.genesis?.swap(null, record("i", "late"), signal))?.kind).toBe("unknown");
      expect(await another.lookup(signal)).toEqual(EMPTY);
    });
  });
}

/** The watch as a function that gives its next look-up; `ended` aborts one that waits and tells what came of it. */
function follow(provider: Provider, signal: AbortSignal) {
  const iterator = provider.watch?.(signal)[Symbol.asyncIterator]();
  const next = async (): Promise<Lookup> => {
    const result = await iterator?.next();
    if (result === undefined || result.done) throw new Error("the watch ended without a throw");
    return result.value;
  };
  const ended = async (controller: AbortController): Promise<string> => {
    const waiting = next();
    controller.abort();
    const [outcome] = await Promise.allSettled([waiting]);
    return outcome.status;
  };
  return Object.assign(next, { ended });
}
