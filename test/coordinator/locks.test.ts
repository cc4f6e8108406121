import { describe, expect, it } from "vitest";
import { openLocks } from "../../src/coordinator/locks.ts";

describe("the locks", () => {
  it("give a cluster to one, and to the next only when it is released", () => {
    const locks = openLocks();
    const release = locks.take("a");
    expect(locks.take("a")).toBeNull();
    expect(locks.take("b")).not.toBeNull();
    expect(locks.isHeld("a")).toBe(true);
    release?.();
    expect(locks.isHeld("a")).toBe(false);
    expect(locks.take("a")).not.toBeNull();
  });

  it("let work on one cluster happen in the order in which it was asked for", async () => {
    const locks = openLocks();
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    const first = locks.inTurn(["a", "b"], async () => {
      await gate.promise;
      done.push("first");
    });
    const second = locks.inTurn(["b", "c"], async () => void done.push("second"));
    const third = locks.inTurn(["c"], async () => void done.push("third"));
    const other = locks.inTurn(["d"], async () => void done.push("other"));
    await other;
    expect(done).toEqual(["other"]);
    gate.resolve();
    await Promise.all([first, second, third]);
    expect(done).toEqual(["other", "first", "second", "third"]);
  });

  it("go on after work that failed, and give its failure to who asked", async () => {
    const locks = openLocks();
    const failed = locks.inTurn(["a"], async () => {
      throw new Error("no");
    });
    const next = locks.inTurn(["a"], async () => "yes");
    await expect(failed).rejects.toThrow("no");
    expect(await next).toBe("yes");
  });
});
