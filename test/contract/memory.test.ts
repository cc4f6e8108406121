import { describe, expect, it } from "vitest";
import type { Provider } from "../../src/core/provider.ts";
import { createMemory } from "../support/memory.ts";
import { membersContract } from "./members.ts";
import { providerContract } from "./provider.ts";
import { registerContract } from "./register.ts";
import { freshKey, member, patient, type Stage } from "./stage.ts";

const TTL_MS = 1_000;

async function stage(): Promise<Stage> {
  const memory = createMemory({ ttlMs: TTL_MS });
  const key = freshKey();
  const opened: Provider[] = [];
  return {
    async open(suffix = "") {
      const provider = memory.open(`${key}${suffix}`);
      opened.push(provider);
      return provider;
    },
    down: async () => memory.down(),
    hang: async () => memory.hang(),
    up: async () => memory.up(),
    loseAnswer: () => memory.inject("swap", "lose"),
    wipe: async () => memory.wipe(),
    elapse: () => memory.advance(TTL_MS * 0.4),
    async close() {
      await Promise.all(opened.map((provider) => provider.close()));
    },
  };
}

registerContract("memory", "genesis", stage);
registerContract("memory", "leaderKey", stage);
membersContract("memory", stage);
providerContract("memory", stage);

describe("memory: faults", () => {
  const signal = patient();

  it("fails one call and no other", async () => {
    const memory = createMemory();
    const [one, two] = [memory.open(), memory.open()];
    const failed = memory.inject("read", "fail");
    expect(failed()).toBe(0);
    expect(await one.lookup(signal)).toMatchObject({ genesis: null });
    await expect(two.genesis?.read(signal)).rejects.toMatchObject({ code: "store_unreachable" });
    expect(failed()).toBe(1);
    expect(await one.genesis?.read(signal)).toBeNull();
  });

  it("lets a late write land over nothing but what it expected", async () => {
    const memory = createMemory();
    const { genesis } = memory.open();
    memory.inject("swap", "late");
    memory.inject("swap", "late");
    expect(await genesis?.swap(null, "late", signal)).toMatchObject({ kind: "unknown" });
    expect(await genesis?.swap(null, "later", signal)).toMatchObject({ kind: "unknown" });
    expect(await genesis?.read(signal)).toBeNull();
    expect(memory.land()).toBe(2);
    expect(await genesis?.read(signal)).toMatchObject({ value: "late" });
    expect(memory.land()).toBe(0);
  });

  it("shows a wipe to a watch, and lets no late write of the earlier life win", async () => {
    const memory = createMemory();
    const provider = memory.open();
    await provider.members?.announce(member(), signal);
    await provider.genesis?.swap(null, "old", signal);
    const before = (await provider.genesis?.read(signal)) ?? null;
    const watching = provider.watch?.(signal)[Symbol.asyncIterator]();
    expect((await watching?.next())?.value).toMatchObject({ genesis: { value: "old" } });
    memory.inject("swap", "late");
    await provider.genesis?.swap(before, "late", signal);
    memory.wipe();
    expect((await watching?.next())?.value).toMatchObject({ genesis: null, members: [] });
    memory.land();
    expect(await provider.genesis?.read(signal)).toBeNull();
    expect(await provider.members?.renew(signal)).toBe(false);
  });
});
