import { describe, expect, it } from "vitest";
import { openSeeking } from "../../src/agent/seeking.ts";
import type { Lookup, Provider } from "../../src/core/provider.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { bell } from "../../src/lib/loop.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { rememberingLog } from "./support/log.ts";

const answer = (addresses: readonly string[], more: Partial<Lookup> = {}): Lookup => ({
  kind: "complete",
  addresses,
  ...more,
});

/** A search whose looks are answered by `next`, on a clock that the test moves. */
function make(next: () => Lookup | Error, watch?: Provider["watch"]) {
  const clock = manualClock();
  const { log, lines } = rememberingLog();
  const found: (readonly string[])[] = [];
  const state = { forming: true, changes: 0, looks: [] as number[] };
  const seeking = openSeeking({
    pacing: { clock, random: () => 0.5 },
    log,
    forming: () => state.forming,
    found: (addresses) => void found.push(addresses),
    changed: () => void state.changes++,
  });
  const provider: Provider = {
    mode: "dns",
    async lookup() {
      state.looks.push(clock.now());
      const now = next();
      if (now instanceof Error) throw now;
      return now;
    },
    ...(watch === undefined ? {} : { watch }),
    async close() {},
  };
  const stop = new AbortController();
  const running = seeking.run(provider, stop.signal);
  return {
    seeking,
    clock,
    found,
    state,
    lines,
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 50) {
        await turns(2);
        clock.advance(Math.min(50, left));
      }
      await turns(2);
    },
    async end() {
      stop.abort();
      await running;
    },
  };
}
const gaps = (looks: readonly number[]) => looks.slice(1).map((at, i) => at - (looks[i] ?? 0));

describe("looking for agents", () => {
  it("looks within a second again while the cluster forms, and seldom once it has", async () => {
    const { state, pass, end } = make(() => answer(["10.0.0.1:4100"]));
    await pass(5_000);
    expect(Math.max(...gaps(state.looks))).toBeLessThanOrEqual(1_050);
    expect(Math.min(...gaps(state.looks))).toBeGreaterThanOrEqual(75);
    state.forming = false;
    await pass(2_000);
    const before = state.looks.length;
    await pass(60_000);
    expect(state.looks.length - before).toBe(2);
    await end();
  });

  it("looks again when the answer has run out, within bounds", async () => {
    for (const [ttlMs, expected] of [
      [2_000, 2_000],
      [0, 100],
      [3_600_000, 5_000],
    ] as const) {
      const { state, pass, end } = make(() => answer(["10.0.0.1:4100"], { ttlMs }));
      await pass(12_000);
      for (const gap of gaps(state.looks)) expect(Math.abs(gap - expected)).toBeLessThanOrEqual(50);
      expect(state.looks.length).toBeGreaterThan(2);
      await end();
    }
  });

  it("keeps what it found when an answer fails, and says which kind of failure it was", async () => {
    let now: Lookup | Error = answer(["10.0.0.1:4100"]);
    const { seeking, found, state, lines, pass, end } = make(() => now);
    await pass(200);
    expect(seeking.health()).toEqual({ ok: true, problem: null });
    now = new RollcallError("dns_nxdomain", "resolve a.test: NXDOMAIN");
    await pass(2_000);
    expect(seeking.sought()).toMatchObject({
      lookup: { addresses: ["10.0.0.1:4100"] },
      problems: [{ code: "dns_nxdomain", text: "resolve a.test: NXDOMAIN" }],
    });
    expect(seeking.health()).toEqual({ ok: false, problem: "resolve a.test: NXDOMAIN" });
    expect(found.every((addresses) => addresses.length === 1)).toBe(true);
    expect(lines().filter((line) => line.msg === "not all agents can be found; looking again")).toHaveLength(
      1,
    );
    expect(state.changes).toBe(2);
    now = answer(["10.0.0.1:4100"], { kind: "partial", problems: ["b.test: SERVFAIL"] });
    await pass(2_000);
    expect(seeking.sought().problems).toEqual([{ code: "partial", text: "b.test: SERVFAIL" }]);
    await end();
  });

  it("looks at once when the provider tells of a change, and at the pace of before while its watch fails", async () => {
    let now = answer(["10.0.0.1:4100"]);
    const changes = bell();
    let failing = false;
    let watches = 0;
    const { state, found, pass, end } = make(
      () => now,
      async function* () {
        watches += 1;
        if (failing) throw new Error("no watch");
        for (;;) {
          yield now;
          await changes.wait(manualClock(), 1, new AbortController().signal);
          if (failing) throw new Error("no watch");
        }
      },
    );
    state.forming = false;
    await pass(1_000);
    const before = state.looks.length;
    changes.ring();
    await pass(1_000);
    expect(state.looks.length).toBe(before);
    now = answer(["10.0.0.2:4100"]);
    changes.ring();
    await pass(100);
    expect([state.looks.length, found.at(-1)]).toEqual([before + 1, ["10.0.0.2:4100"]]);
    failing = true;
    changes.ring();
    await pass(60_000);
    // One of them to see what is wrong.
    expect(state.looks.length - before - 1).toBe(3);
    expect(watches).toBeGreaterThan(5);
    expect(watches).toBeLessThan(40);
    await end();
  });

  it("says at once that a list which is watched is gone, and that it is back", async () => {
    let now: Lookup | Error = answer(["10.0.0.1:4100"]);
    const changes = bell();
    const { seeking, state, lines, pass, end } = make(
      () => now,
      async function* () {
        for (;;) {
          if (now instanceof Error) throw now;
          yield now;
          await changes.wait(manualClock(), 1, new AbortController().signal);
        }
      },
    );
    await pass(1_000);
    state.forming = false;
    await pass(2_000);
    now = new RollcallError("file", "read agents: ENOENT");
    changes.ring();
    await pass(1_000);
    expect(seeking.health()).toEqual({ ok: false, problem: "read agents: ENOENT" });
    const told = () => lines().map((line) => line.msg);
    expect(told()).toEqual(["not all agents can be found; looking again"]);
    const before = state.looks.length;
    await pass(20_000);
    expect(state.looks.length).toBe(before);
    now = answer(["10.0.0.1:4100"]);
    await pass(6_000);
    expect(seeking.health()).toEqual({ ok: true, problem: null });
    expect(told()).toHaveLength(2);
    now = new Error("the end");
    changes.ring();
    await end();
  });

  it("tells nobody of an answer that is as it was", async () => {
    const { state, pass, end } = make(() => answer(["10.0.0.1:4100"]));
    await pass(5_000);
    expect(state.changes).toBe(1);
    await end();
  });
});
