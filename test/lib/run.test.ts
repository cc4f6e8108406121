import { describe, expect, it } from "vitest";
import { releasers, runAll } from "../../src/lib/run.ts";

const ended = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

describe("runAll", () => {
  it("ends the others when one fails, waits for them, and throws the first failure", async () => {
    const left: string[] = [];
    const stop = new AbortController();
    await expect(
      runAll(stop.signal, [
        async (s) => {
          await ended(s);
          left.push("slow");
        },
        async () => {
          throw new Error("disk");
        },
        async (s) => {
          await ended(s);
          throw new Error("because of the abort");
        },
      ]),
    ).rejects.toThrow("disk");
    expect(left).toEqual(["slow"]);
  });

  it("goes on when one returns early, and ends without an error on abort", async () => {
    const stop = new AbortController();
    let returned = false;
    const all = runAll(stop.signal, [
      async () => {
        returned = true;
      },
      async (s) => {
        await ended(s);
        s.throwIfAborted();
      },
    ]);
    await Promise.resolve();
    expect(returned).toBe(true);
    stop.abort();
    await all;
  });
});

describe("releasers", () => {
  it("closes in the opposite order, whatever fails on the way, once", async () => {
    const order: string[] = [];
    const problems: unknown[] = [];
    const opened = releasers((error) => problems.push(error));
    opened.push(() => void order.push("first"));
    opened.push(async () => {
      throw new Error("stuck");
    });
    opened.push(async () => void order.push("last"));
    await opened.close();
    await opened.close();
    expect(order).toEqual(["last", "first"]);
    expect(problems).toEqual([new Error("stuck")]);
  });
});
