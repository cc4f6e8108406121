import { describe, expect, it } from "vitest";
import { openProbe } from "../../src/agent/probe.ts";
import { blankReport, type NodeReport } from "../../src/core/node-report.ts";
import type { Database } from "../../src/databases/database.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { rememberingLog } from "./support/log.ts";

const healthy = { ...blankReport("rqlite", "healthy", null), role: "leader" } as NodeReport;

/** A probe of a database that answers what the test says; `hang`: it does not answer. */
type Answer = NodeReport | "refused" | "hang";

function make(intervalMs = 250, answer: Answer = healthy) {
  const clock = manualClock();
  const { log, lines } = rememberingLog();
  const now = { answer, asked: 0, at: [] as number[], running: true };
  const database: Database = {
    kind: "rqlite",
    probe(signal) {
      now.asked += 1;
      now.at.push(clock.now());
      if (now.answer === "refused")
        return Promise.reject(new RollcallError("unreachable", "connection refused"));
      if (now.answer !== "hang") return Promise.resolve(now.answer);
      return new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
      );
    },
    clientAddress: (address) => address,
    close: () => {},
  };
  const seen: NodeReport[] = [];
  const probe = openProbe({
    database,
    intervalMs,
    pacing: { clock, random: () => 1 },
    log,
    running: () => now.running,
    changed: (report) => void seen.push(report),
  });
  const stop = new AbortController();
  const running = probe.run(stop.signal);
  return {
    probe,
    clock,
    now,
    seen,
    lines,
    async pass(ms: number, steps = 1) {
      for (let i = 0; i < steps; i++) {
        clock.advance(ms / steps);
        await turns(2);
      }
    },
    async end() {
      stop.abort();
      await running;
      expect(clock.pending()).toBe(0);
    },
  };
}

describe("asking the database", () => {
  it("keeps a steady pace, and tells only what is another than before", async () => {
    const one = make();
    await turns();
    await one.pass(2_500, 100);
    expect(one.now.asked).toBe(11);
    expect(one.seen).toEqual([healthy]);
    await one.end();
  });

  it("is slower while nobody answers, and at its pace again after", async () => {
    const one = make(250, "refused");
    await turns();
    expect(one.probe.report()).toMatchObject({ status: "unavailable", problem: "connection refused" });
    await one.pass(20_000, 200);
    expect(one.now.asked).toBeLessThan(15);
    one.now.answer = healthy;
    await one.pass(2_000, 20);
    expect(one.probe.report()).toEqual(healthy);
    const before = one.now.asked;
    await one.pass(1_000, 40);
    expect(one.now.asked - before).toBe(4);
    await one.end();
  });

  it("asks one question at a time, and gives each two seconds", async () => {
    const one = make(250, "hang");
    await turns();
    await one.pass(1_900, 19);
    expect(one.now.asked).toBe(1);
    await one.pass(200, 2);
    expect(one.probe.report()).toMatchObject({
      status: "unavailable",
      problem: "ask the database: no answer in 2 s",
    });
    await one.end();
  });

  it("does not ask whoever has the port of a database that was not started", async () => {
    const one = make();
    one.now.running = false;
    one.probe.soon();
    await one.pass(1_000, 10);
    const asked = one.now.asked;
    await one.pass(1_000, 10);
    expect(one.now.asked).toBe(asked);
    expect(one.probe.report().status).toBe("unknown");
    one.now.running = true;
    one.probe.soon();
    await turns();
    expect(one.probe.report()).toEqual(healthy);
    await one.end();
  });

  it("looks at once when told that something happened", async () => {
    const one = make(3_600_000);
    await turns();
    one.now.answer = { ...healthy, role: "replica" };
    one.probe.soon();
    await turns();
    expect(one.probe.report().role).toBe("replica");
    await one.end();
  });

  it("says a change of the status once, and not every error text", async () => {
    const one = make();
    await turns();
    one.now.answer = "refused";
    await one.pass(5_000, 50);
    expect(one.lines().filter((line) => line.status === "unavailable")).toHaveLength(1);
    await one.end();
  });

  it("gives a decision one look of its own, and null where nobody answers", async () => {
    const one = make();
    await turns();
    const signal = new AbortController().signal;
    expect(await one.probe.look(signal)).toEqual(healthy);
    one.now.answer = "refused";
    expect(await one.probe.look(signal)).toBeNull();
    await one.end();
  });
});
