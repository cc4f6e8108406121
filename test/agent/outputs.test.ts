import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openOutputs } from "../../src/agent/outputs.ts";
import { type MemberRef, Outcome } from "../../src/core/model.ts";
import { envText, hostsText, jsonText, type OutputFacts } from "../../src/core/outputs.ts";
import { type ManualClock, manualClock, turns } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { rememberingLog } from "./support/log.ts";
import { valuesOf } from "./support/outcome-values.ts";

const LIMIT = { deadlineMs: 10_000 };
const node: MemberRef = {
  id: "n1",
  incarnation: "n1-1",
  agent_addr: "",
  api_addr: "10.0.0.1:4001",
  addr: "10.0.0.1:4002",
};

function facts(more: Partial<OutputFacts> = {}): OutputFacts {
  const outcome = Outcome.parse({
    kind: "join",
    genesis_id: "g1",
    formation: "single",
    members: [node],
    leader: null,
    revision: 1,
  });
  return { outcome, members: [node], node, role: "unknown", values: valuesOf(), ...more };
}

function opened(
  dir: string,
  kinds: readonly ("env" | "json" | "hosts")[] = ["env", "json", "hosts"],
  clock: ManualClock = manualClock(),
) {
  const { log, lines } = rememberingLog();
  const path = (kind: "env" | "json" | "hosts") => (kinds.includes(kind) ? join(dir, kind) : null);
  const stop = new AbortController();
  const known: { facts: OutputFacts | null } = { facts: null };
  let changes = 0;
  const outputs = openOutputs({
    files: { env: path("env"), json: path("json"), hosts: path("hosts") },
    pacing: { clock, random: () => 1 },
    log,
    facts: () => known.facts,
    changed: () => changes++,
  });
  let ran: Promise<void> | null = null;
  const end = async () => {
    stop.abort();
    await ran;
  };
  onTestFinished(end);
  return {
    outputs,
    clock,
    lines,
    end,
    changes: () => changes,
    run() {
      ran = outputs.run(stop.signal);
    },
    set(next: OutputFacts | null) {
      known.facts = next;
      outputs.changed();
    },
    read: (kind: string) => readFileSync(join(dir, kind), "utf8"),
    /** Waits until the file holds this text. */
    holds: (kind: string, text: string) =>
      until(() => readFileSync(join(dir, kind), "utf8") === text, { ...LIMIT, what: `the text of ${kind}` }),
    gone: (kind: string) =>
      until(() => !existsSync(join(dir, kind)), { ...LIMIT, what: `${kind} to be gone` }),
  };
}

describe("the files kept with the outcome", () => {
  it("are there once there is an outcome, for everybody to read, and follow it", async () => {
    const dir = tempDir("outputs");
    const before = process.umask(0o077);
    onTestFinished(() => void process.umask(before));
    const agent = opened(dir);
    await agent.outputs.prepare();
    agent.run();
    await turns();
    expect(readdirSync(dir)).toEqual([]);
    agent.set(facts());
    await agent.holds("env", envText(valuesOf()));
    await agent.holds("json", jsonText(facts()));
    await agent.holds("hosts", hostsText([node], null));
    for (const kind of ["env", "json", "hosts"]) expect(statSync(join(dir, kind)).mode & 0o777).toBe(0o644);
    const values = valuesOf({ leader: "c:4001" });
    agent.set(facts({ values }));
    await agent.holds("env", envText(values));
    await until(() => readdirSync(dir).length === 3, { ...LIMIT, what: "no temporary file" });
    expect(agent.outputs.problems()).toEqual([]);
  });

  it("are never seen half written", async () => {
    const dir = tempDir("outputs");
    const agent = opened(dir, ["hosts"]);
    const members = Array.from({ length: 2_000 }, (_, i) => ({ ...node, id: `node-${i}` }));
    agent.run();
    const seen = new Set<number>();
    for (let round = 0; round < 20; round++) {
      agent.set(facts({ members: members.slice(round) }));
      const text = hostsText(members.slice(round), null);
      await until(
        () => {
          if (existsSync(join(dir, "hosts"))) seen.add(agent.read("hosts").split("\n").length);
          return existsSync(join(dir, "hosts")) && agent.read("hosts") === text;
        },
        { ...LIMIT, everyMs: 0, what: "the text" },
      );
    }
    expect([...seen].filter((lines) => lines < 2_002 - 19)).toEqual([]);
  });

  it("are written only when their content changes, also by the next agent", async () => {
    const dir = tempDir("outputs");
    const first = opened(dir, ["json", "hosts"]);
    first.run();
    first.set(facts());
    await first.holds("json", jsonText(facts()));
    await first.holds("hosts", hostsText([node], null));
    const inode = (kind: string) => lstatSync(join(dir, kind)).ino;
    const inodes = { json: inode("json"), hosts: inode("hosts") };
    await first.end();
    const moves: string[] = [];
    const watcher = watch(dir, (_, name) => void moves.push(String(name)));
    onTestFinished(() => watcher.close());
    const second = opened(dir, ["json", "hosts"]);
    await second.outputs.prepare();
    second.run();
    second.set(facts());
    await turns(20);
    second.set(facts({ role: "leader" }));
    await second.holds("json", jsonText(facts({ role: "leader" })));
    await turns(20);
    expect(inode("json")).not.toBe(inodes.json);
    expect(inode("hosts")).toBe(inodes.hosts);
    expect(moves.filter((name) => name.startsWith("hosts"))).toEqual([]);
  });

  it("come back when somebody removes or changes them", async () => {
    const dir = tempDir("outputs");
    const agent = opened(dir, ["env", "hosts"]);
    agent.run();
    agent.set(facts());
    await agent.holds("env", envText(valuesOf()));
    await agent.holds("hosts", hostsText([node], null));
    rmSync(join(dir, "env"));
    writeFileSync(join(dir, "hosts"), "else");
    // Also where something is always changing that concerns no file.
    for (let i = 0; i < 31; i++) {
      await turns();
      agent.clock.advance(1_000);
      agent.outputs.changed();
    }
    await agent.holds("env", envText(valuesOf()));
    await agent.holds("hosts", hostsText([node], null));
  });
});

describe("the file that a database is started from", () => {
  it("of an earlier life is taken away before anything else; the others stay", async () => {
    const dir = tempDir("outputs");
    for (const kind of ["env", "json", "hosts"]) writeFileSync(join(dir, kind), "old");
    const agent = opened(dir);
    await agent.outputs.prepare();
    expect(readdirSync(dir).sort()).toEqual(["hosts", "json"]);
    agent.run();
    agent.set(facts());
    await agent.holds("env", envText(valuesOf()));
    await agent.holds("json", jsonText(facts()));
  });

  it("is away while the database must not be started", async () => {
    const dir = tempDir("outputs");
    const agent = opened(dir);
    agent.run();
    agent.set(facts());
    await agent.holds("env", envText(valuesOf()));
    agent.set(facts({ values: null }));
    await agent.gone("env");
    await agent.holds("json", jsonText(facts({ values: null })));
    agent.set(facts());
    await agent.holds("env", envText(valuesOf()));
  });

  it("goes with the agent; the others stay", async () => {
    const dir = tempDir("outputs");
    const agent = opened(dir);
    agent.run();
    agent.set(facts());
    for (const kind of ["env", "json", "hosts"])
      await until(() => existsSync(join(dir, kind)), { ...LIMIT, what: kind });
    await agent.end();
    expect(readdirSync(dir).sort()).toEqual(["hosts", "json"]);
  });

  it("goes with an agent that ends while it writes", async () => {
    for (let round = 0; round < 20; round++) {
      const dir = tempDir("outputs");
      const agent = opened(dir, ["env"]);
      agent.run();
      await turns(1);
      agent.set(facts());
      await turns(round % 7);
      await agent.end();
      expect(readdirSync(dir)).toEqual([]);
    }
  });
});

describe("a disk that fails", () => {
  it("is said, tried again with backoff, and forgotten when it is well", async () => {
    const dir = join(tempDir("outputs"), "later");
    const manual = manualClock();
    const slept: number[] = [];
    const sleep = (ms: number, signal: AbortSignal) => {
      slept.push(ms);
      return manual.sleep(ms, signal);
    };
    const agent = opened(dir, ["json"], { ...manual, sleep });
    await agent.outputs.prepare();
    agent.set(facts());
    agent.run();
    for (let tries = 1; tries <= 9; tries++) {
      await until(() => slept.length >= tries, { ...LIMIT, what: `try ${tries}` });
      if (tries < 9) manual.advance(slept.at(-1) ?? 0);
    }
    // What changes meanwhile does not hurry it.
    agent.set(facts({ role: "leader" }));
    agent.set(facts());
    await turns();
    expect(slept).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60, 60].map((s) => s * 1_000));
    expect(agent.outputs.problems()).toEqual([expect.stringMatching(/^write .*\/later\/json: ENOENT/)]);
    expect(agent.lines().filter((line) => line.level === "warn")).toHaveLength(1);
    const changes = agent.changes();
    mkdirSync(dir);
    agent.clock.advance(60_000);
    await agent.holds("json", jsonText(facts()));
    await until(() => agent.outputs.problems().length === 0, { ...LIMIT, what: "no problem" });
    expect(agent.changes()).toBe(changes + 1);
  });

  it("does not hold up the other files", async () => {
    const dir = tempDir("outputs");
    mkdirSync(join(dir, "env"));
    const agent = opened(dir);
    await agent.outputs.prepare();
    agent.run();
    agent.set(facts());
    await agent.holds("json", jsonText(facts()));
    await agent.holds("hosts", hostsText([node], null));
    expect(agent.outputs.problems()).toEqual([
      `${join(dir, "env")} is not a regular file, and is left alone`,
    ]);
  });

  it("that keeps an old environment is named, and the file goes as soon as it can", async () => {
    const dir = tempDir("outputs");
    const path = join(dir, "env");
    const agent = opened(dir, ["env"]);
    symlinkSync("/dev/null", path);
    await agent.outputs.prepare();
    expect(agent.outputs.problems()[0]).toMatch(/is not a regular file/);
    agent.run();
    rmSync(path);
    writeFileSync(path, "old");
    await turns();
    agent.clock.advance(1_000);
    await agent.gone("env");
    await until(() => agent.outputs.problems().length === 0, { ...LIMIT, what: "no problem" });
  });

  it("leaves a device and a directory alone", async () => {
    const dir = tempDir("outputs");
    symlinkSync("/dev/null", join(dir, "json"));
    mkdirSync(join(dir, "hosts"));
    const agent = opened(dir, ["json", "hosts"]);
    await agent.outputs.prepare();
    agent.run();
    agent.set(facts());
    await until(() => agent.outputs.problems().length === 2, { ...LIMIT, what: "both problems" });
    expect(lstatSync(join(dir, "json")).isSymbolicLink()).toBe(true);
    expect(lstatSync(join(dir, "hosts")).isDirectory()).toBe(true);
    expect(readdirSync(dir).sort()).toEqual(["hosts", "json"]);
  });
});

describe("no file", () => {
  it("is kept where none was asked for", async () => {
    const agent = opened(tempDir("outputs"), []);
    await agent.outputs.prepare();
    agent.run();
    agent.set(facts());
    await agent.end();
    expect(agent.outputs.problems()).toEqual([]);
    expect(agent.clock.pending()).toBe(0);
  });
});
