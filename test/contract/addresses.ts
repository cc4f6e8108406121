/** What every provider without registers must do: it says where somebody may be, and no more. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Lookup, Provider } from "../../src/core/provider.ts";
import { soon } from "../support/wait.ts";
import { patient } from "./stage.ts";

/** Where the suite plays. */
export type AddressStage = {
  /** Makes these agents, in the form of `10.0.0.1:4100`, all that is to be found. */
  set(agents: readonly string[]): Promise<void>;
  open(): Promise<Provider>;
  /** Whether a provider that is open sees a later `set`. */
  readonly live: boolean;
};

const TWO = ["10.0.0.1:4100", "10.0.0.2:4100"];

/** The suite over one mode. `make` gives one stage for all its tests, which the caller ends. `watches`: it has a watch. */
export function addressContract(name: string, make: () => AddressStage, { watches = false } = {}): void {
  describe(`${name}: addresses`, () => {
    const signal = patient();
    let stage: AddressStage;
    let provider: Provider;

    beforeEach(async () => {
      stage = make();
      await stage.set(TWO);
      provider = await stage.open();
    });
    afterEach(() => provider.close());

    it(`keeps no register and no directory, and has ${watches ? "a" : "no"} watch`, () => {
      const { watch, members, genesis, leaderKey } = provider;
      expect([watch !== undefined, members, genesis, leaderKey]).toEqual([
        watches,
        undefined,
        undefined,
        undefined,
      ]);
    });

    if (watches)
      it("says what there is at once when it is watched, and then each change", async () => {
        const watching = new AbortController();
        const next = follow(provider, watching.signal);
        expect((await next()).addresses).toEqual(TWO);
        const waiting = next();
        await stage.set(["10.0.0.3:4100"]);
        // A source that changes step by step may tell of each.
        let now = await waiting;
        while (now.addresses.join() !== "10.0.0.3:4100") now = await next();
        // Also what changed while nobody waited.
        await stage.set(TWO);
        do now = await next();
        while (now.addresses.join() !== TWO.join());
        const ended = next();
        watching.abort();
        expect(await soon(ended)).toMatchObject({ code: "aborted" });
        expect(await soon(follow(provider, watching.signal)())).toMatchObject({ code: "aborted" });
      });

    if (watches)
      it("may be left in the middle of a watch, and ends it when it is closed", async () => {
        for await (const found of provider.watch?.(signal) ?? []) {
          expect(found.addresses).toEqual(TWO);
          break;
        }
        const next = follow(provider, signal);
        await next();
        const waiting = next();
        await provider.close();
        expect(await soon(waiting)).toMatchObject({ code: "closed" });
      });

    it("gives every address once, in order, and says that these are all", async () => {
      const { ttlMs, ...found } = await provider.lookup(signal);
      expect(found).toEqual({ kind: "complete", addresses: TWO });
      if (ttlMs !== undefined) expect(ttlMs).toBeGreaterThanOrEqual(0);
    });

    it("gives the same to many at once", async () => {
      const all = await Promise.all(Array.from({ length: 20 }, () => provider.lookup(signal)));
      for (const { addresses } of all) expect(addresses).toEqual(TWO);
    });

    it("looks anew each time", async () => {
      expect((await provider.lookup(signal)).addresses).toEqual(TWO);
      await stage.set(["10.0.0.3:4100"]);
      const now = stage.live ? ["10.0.0.3:4100"] : TWO;
      expect((await provider.lookup(signal)).addresses).toEqual(now);
    });

    it("takes no call whose signal is aborted", async () => {
      await expect(provider.lookup(AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
    });

    it("takes no more calls when it is closed, and may be closed twice", async () => {
      await provider.lookup(signal);
      await provider.close();
      await provider.close();
      await expect(provider.lookup(signal)).rejects.toMatchObject({ code: "closed" });
    });
  });
}

/** The watch as a function that gives its next look-up. */
function follow(provider: Provider, signal: AbortSignal): () => Promise<Lookup> {
  const iterator = provider.watch?.(signal)[Symbol.asyncIterator]();
  return async () => {
    const result = await iterator?.next();
    if (result === undefined || result.done) throw new Error("the watch ended without a throw");
    return result.value;
  };
}
