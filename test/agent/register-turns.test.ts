/** The agent's part in the register, with the others' answers handed over directly, and a clock that only the test moves. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { TAKE_OVER_MS } from "../../src/agent/asking.ts";
import { openDataDir } from "../../src/agent/identity.ts";
import { openRegister } from "../../src/agent/register.ts";
import { type Hello, VERSION } from "../../src/core/model.ts";
import { manualClock } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { rememberingLog } from "./support/log.ts";
import { helloOf, refTo } from "./support/records.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const founders = ["a", "b", "c"].map((id) => refTo(id));

/** Agent `b` of three, second in the order, with a database to initialise. Nobody answers its messages. */
async function second(save: (write: () => Promise<void>) => Promise<void> = (write) => write()) {
  const clock = manualClock();
  const dataDir = await openDataDir(
    join(tempDir("b"), "data"),
    { key: "rollcall", nodeId: "b", hostName: "host" },
    () => "b-1",
  );
  const hellos = new Map<string, Partial<Hello>>([
    ["a", {}],
    ["c", {}],
  ]);
  const register = await openRegister({
    rules: {
      ...{ key: "rollcall", nodeId: "b", voter: true, expect: 3, genesis: "auto", formation: "single" },
      initialises: true,
    },
    dataDir: { ...dataDir, save: (kept, aside) => save(() => dataDir.save(kept, aside)) },
    dbDataDir: null,
    pacing: { clock, random: () => 0.5 },
    uuid: randomUUID,
    log: rememberingLog().log,
    self: () => refTo("b"),
    onInit: async () => ({ ok: true }),
    settled: () => {},
    changed: () => {},
    alone: () => false,
    heard: () => {},
    client: { say: () => Promise.reject(new Error("unreachable")) },
    peers: {
      askAll: async () => [...hellos].map(([id, more]) => helloOf(id, more)),
      addressOf: () => null,
    } as never,
  });
  const stop = new AbortController();
  const running = register.run(stop.signal);
  ends.push(async () => {
    stop.abort();
    await running;
    await dataDir.close();
  });
  const waitsOn = () => {
    const { phase } = register.state();
    return phase.at === "waiting" ? phase.wait.on : phase.at;
  };
  /** Time passes meanwhile, `stepMs` at a time. */
  const untilOn = (on: string, stepMs = 0) =>
    until(
      () => {
        clock.advance(stepMs);
        return waitsOn() === on;
      },
      { deadlineMs: 5_000, what: `b to wait on ${on}` },
    );
  const onDisk = () => readFileSync(dataDir.path("identity.json"), "utf8");
  return { clock, register, hellos, untilOn, onDisk };
}

describe("those before a node in the order", () => {
  // It has waited for `a` long enough to ask for votes itself, in vain.
  async function impatient() {
    const b = await second();
    await b.untilOn("turn");
    await b.untilOn("votes", 50);
    return b;
  }

  it("have their time to create the cluster from when it is decided that they may", async () => {
    const b = await impatient();
    await b.register.vote({
      ...{ v: VERSION, key: "rollcall", kind: "decided", from: refTo("a") },
      ...{ members: founders, founding: null },
    });
    await b.untilOn("claimer");
    expect(b.register.state().kept.stamp).toBeNull();
    const since = b.clock.now();
    // Then it initialises its own database, and asks for votes.
    await b.untilOn("votes", 50);
    expect(b.clock.now() - since).toBeGreaterThanOrEqual(TAKE_OVER_MS);
    expect(b.register.state().kept.stamp).toMatchObject({ done: true });
  });

  it("have it also where that is heard from somebody else's hello", async () => {
    const b = await impatient();
    for (const id of ["a", "c"]) b.hellos.set(id, { votes: { round: 1, members: founders, founding: null } });
    b.register.wake();
    await b.untilOn("claimer");
    expect(b.register.state().kept.stamp).toBeNull();
  });
});

describe("what a node is told while its disk is full", () => {
  it("is not taken for kept when it is told again, until it is", async () => {
    let full = true;
    let writes = 0;
    const b = await second((write) => {
      writes += 1;
      return full ? Promise.reject(new Error("no space left")) : write();
    });
    await b.untilOn("turn");
    await expect(b.register.assumeLost("d-1")).rejects.toThrow("no space left");
    await expect(b.register.assumeLost("d-1")).rejects.toThrow("no space left");
    full = false;
    expect(await b.register.assumeLost("d-1")).toBe(true);
    expect(b.onDisk()).toContain('"lost":["d-1"]');
    // What is on disk is not written once more.
    const before = writes;
    expect(await b.register.assumeLost("d-1")).toBe(true);
    expect(writes).toBe(before);
  });
});
