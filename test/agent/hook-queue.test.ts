import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type HookCommands, hookCommands, openHooks } from "../../src/agent/hook-queue.ts";
import type { HookEvent, HookFacts, HookPayload } from "../../src/core/hooks.ts";
import { type MemberRef, Outcome } from "../../src/core/model.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { type ManualClock, manualClock, turns } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { rememberingLog } from "./support/log.ts";

const env = { PATH: process.env.PATH };
const LIMIT = { deadlineMs: 10_000 };
const sh = (script: string) => ["sh", "-c", script] as const;

function member(id: string, more: Partial<MemberRef> = {}): MemberRef {
  return { id, incarnation: `${id}-1`, agent_addr: "", api_addr: `${id}:4001`, addr: `${id}:4002`, ...more };
}
const [a, b, c] = [member("a"), member("b"), member("c")];

function outcome(leader: MemberRef | null = null, kind = "join"): Outcome {
  return Outcome.parse({
    kind,
    genesis_id: "g1",
    formation: "single",
    members: [a, b],
    leader,
    revision: 1,
  });
}

const settled: HookFacts = {
  outcome: outcome(),
  first: "join",
  members: [a, b],
  role: "unknown",
  node: a,
  values: null,
};

/** One agent's hooks, running. `dir` outlives it; `calls` reads what its commands wrote with `note`. */
function running(
  commands: HookCommands,
  more: { dir?: string; facts?: HookFacts; clock?: Clock; limitMs?: number } = {},
) {
  const dir = more.dir ?? tempDir("hooks");
  const { log, lines } = rememberingLog();
  const clock = more.clock ?? systemClock;
  const stop = new AbortController();
  const told = { facts: more.facts ?? settled };
  const { limitMs } = more;
  const hooks = openHooks({
    commands,
    path: join(dir, "hooks.json"),
    pacing: { clock, random: () => 1 },
    log,
    env: { ...env, DIR: dir },
    facts: () => told.facts,
    changed() {},
    ...(limitMs === undefined ? {} : { limitMs }),
  });
  const ran = hooks.load().then(() => hooks.run(stop.signal));
  const end = async () => {
    stop.abort();
    await ran;
  };
  onTestFinished(end);
  return {
    dir,
    hooks,
    lines,
    end,
    stop,
    set(next: Partial<HookFacts>) {
      told.facts = { ...told.facts, ...next };
      hooks.wake();
    },
    calls: () => callsIn(dir),
    /** Waits until the commands have noted so many calls. */
    noted: (count: number) =>
      until(() => callsIn(dir).length >= count && callsIn(dir), { ...LIMIT, what: `${count} calls` }),
    /** Waits until nothing runs and the hook of this event has ended so. */
    ended: (event: HookEvent, ok: boolean) =>
      until(() => hooks.results()[event]?.ok === ok && !hooks.results()[event]?.running, {
        ...LIMIT,
        what: `${event} to end`,
      }),
    kept: () => JSON.parse(readFileSync(join(dir, "hooks.json"), "utf8")),
  };
}

/** Appends what it reads to the notes. */
const note = sh('cat >> "$DIR/notes"');

function callsIn(dir: string): HookPayload[] {
  const file = join(dir, "notes");
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}

const names = (calls: readonly HookPayload[]) => calls.map((call) => call.event);

describe("the queue of hooks", () => {
  it("costs nothing without a hook", async () => {
    const { hooks, dir, end } = running({ join: null });
    await hooks.load();
    hooks.wake();
    expect(await hooks.once("leave", new AbortController().signal)).toEqual({ ok: true });
    await end();
    expect(existsSync(join(dir, "hooks.json"))).toBe(false);
    expect([hooks.results(), hooks.failing()]).toEqual([{}, []]);
  });

  it("tells each hook what concerns it, in order, and nothing twice", async () => {
    const facts = { ...settled, outcome: null, members: null };
    const node = running({ join: note, "members-change": note, "leader-change": note }, { facts });
    node.set({ outcome: outcome(b), members: [a, b], role: "replica" });
    expect(names(await node.noted(3))).toEqual(["join", "members-change", "leader-change"]);
    node.set({ outcome: outcome(a) });
    const calls = await node.noted(4);
    expect(calls[3]).toMatchObject({
      event: "leader-change",
      reason: "the leader is a, was b",
      role: "replica",
      node: a,
      previous: { leader: { id: "b" } },
    });
    await node.ended("leader-change", true);
    expect(node.hooks.results()["leader-change"]).toEqual({
      running: false,
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      ok: true,
      problem: null,
      tries: 0,
      next_try_ms: null,
    });
  });

  it("gives the outcome in the environment, also to a hook of a node whose database may not start", async () => {
    const command = sh('printf "%s|%s|%s" "$OUTCOME_KIND" "$OUTCOME_LEADER" "$OUTCOME_JOIN" > "$DIR/env"');
    const node = running({ "leader-change": command }, { facts: { ...settled, outcome: outcome(b) } });
    await node.ended("leader-change", true);
    expect(readFileSync(join(node.dir, "env"), "utf8")).toBe("join|b:4001|b:4002");
  });

  it("never runs two at a time, and tells what changed meanwhile in one further call", async () => {
    const command = sh(
      'mkdir "$DIR/busy" || echo two >> "$DIR/clash"; cat >> "$DIR/notes"; until [ -e "$DIR/go" ]; do sleep 0.01; done; rmdir "$DIR/busy"',
    );
    const node = running({ "members-change": command, "role-change": command });
    await node.noted(1);
    expect(node.hooks.results()["members-change"]?.running).toBe(true);
    node.set({ members: [a, c] });
    node.set({ role: "leader" });
    node.set({ members: [a, b, c], role: "replica" });
    node.set({ members: [b, c] });
    writeFileSync(join(node.dir, "go"), "");
    const calls = await node.noted(3);
    await node.ended("role-change", true);
    await turns();
    expect(names(node.calls())).toEqual(["members-change", "members-change", "role-change"]);
    expect(calls[1]).toMatchObject({ added: [c], removed: [a], changed: [] });
    expect(calls[2]?.role).toBe("replica");
    expect(existsSync(join(node.dir, "clash"))).toBe(false);
  });

  it("says nothing of what changed back while a hook ran", async () => {
    const command = sh(
      'cat >> "$DIR/notes"; echo started > "$DIR/started"; until [ -e "$DIR/go" ]; do sleep 0.01; done',
    );
    const node = running({ "members-change": command, "leader-change": note });
    await node.noted(1);
    node.set({ members: [a, b, c] });
    node.set({ members: [b, a] });
    node.set({ outcome: outcome(c) });
    writeFileSync(join(node.dir, "go"), "");
    await node.ended("leader-change", true);
    expect(names(node.calls())).toEqual(["members-change", "leader-change"]);
  });
});

describe("a hook that fails", () => {
  const failing = sh('cat >> "$DIR/notes"; [ -e "$DIR/well" ] || { echo "no disk" >&2; exit 3; }');

  /** Moves the clock past the wait, once there is one, and gives what it was. */
  async function skip(node: ReturnType<typeof running>, clock: ManualClock, tries: number): Promise<number> {
    await until(() => node.hooks.results()["members-change"]?.tries === tries, {
      ...LIMIT,
      what: `${tries} tries`,
    });
    await turns();
    const waitMs = node.hooks.results()["members-change"]?.next_try_ms ?? 0;
    clock.advance(waitMs - 1);
    await turns();
    expect(node.calls()).toHaveLength(tries);
    clock.advance(1);
    return waitMs;
  }

  it("is run again after 1 s, doubling to 60 s, until it succeeds; the others are not held up", async () => {
    const clock = manualClock();
    const node = running({ "members-change": failing, "role-change": note }, { clock });
    const waits = [];
    for (let tries = 1; tries <= 8; tries++) waits.push(await skip(node, clock, tries));
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((s) => s * 1_000));
    expect(node.hooks.failing()).toEqual(["members-change"]);
    await node.noted(9);
    await until(() => node.hooks.results()["members-change"]?.tries === 9, { ...LIMIT, what: "try 9" });
    expect(node.hooks.results()["members-change"]).toMatchObject({
      ok: false,
      problem: "sh: exit 3: no disk",
    });
    node.set({ role: "leader" });
    await node.ended("role-change", true);
    writeFileSync(join(node.dir, "well"), "");
    clock.advance(60_000);
    await node.ended("members-change", true);
    expect(node.hooks.failing()).toEqual([]);
    // The same problem over and over is one line.
    const said = node.lines().filter((line) => line.level === "warn");
    expect(said).toMatchObject([
      { event: "members-change", problem: "sh: exit 3: no disk", msg: "hook failed" },
    ]);
  });

  it("is told the newest, not what it failed at, and no sooner than after 1 s", async () => {
    const clock = manualClock();
    const node = running({ "members-change": failing }, { clock });
    for (let tries = 1; tries <= 4; tries++) await skip(node, clock, tries);
    await node.noted(5);
    await until(() => node.hooks.results()["members-change"]?.tries === 5, { ...LIMIT, what: "try 5" });
    writeFileSync(join(node.dir, "well"), "");
    node.set({ members: [a, b, c] });
    await turns();
    expect(node.hooks.results()["members-change"]).toMatchObject({
      running: false,
      tries: 0,
      next_try_ms: 1_000,
    });
    rmSync(join(node.dir, "well"));
    clock.advance(1_000);
    await until(() => node.hooks.results()["members-change"]?.tries === 1, { ...LIMIT, what: "the newest" });
    expect(node.hooks.results()["members-change"]?.next_try_ms).toBe(1_000);
    writeFileSync(join(node.dir, "well"), "");
    clock.advance(1_000);
    await node.ended("members-change", true);
    expect(node.calls().at(-1)).toMatchObject({ added: [a, b, c] });
    expect(node.calls()).toHaveLength(7);
  });

  it("is left in peace when what it should say no longer holds", async () => {
    const clock = manualClock();
    const leading = { ...settled, outcome: outcome(b) };
    const node = running({ "leader-change": note }, { clock, facts: leading });
    await node.ended("leader-change", true);
    await node.end();
    const later = running({ "leader-change": failing }, { clock, facts: leading, dir: node.dir });
    later.set({ outcome: outcome(c) });
    await later.ended("leader-change", false);
    expect(later.hooks.failing()).toEqual(["leader-change"]);
    later.set({ outcome: outcome(b) });
    await until(() => later.hooks.failing().length === 0, { ...LIMIT, what: "nothing to fail at" });
    clock.advance(3_600_000);
    await turns();
    expect(names(later.calls())).toEqual(["leader-change", "leader-change"]);
    expect(later.hooks.results()["leader-change"]).toMatchObject({ ok: false, next_try_ms: null });
  });

  it("that hangs is ended at its limit, and the next one runs", async () => {
    const hangs = sh('echo $$ > "$DIR/pid"; trap "" TERM; sleep 300 & wait; sleep 300');
    const node = running({ join: hangs, "role-change": note }, { limitMs: 300 });
    node.set({ role: "leader" });
    expect(names(await node.noted(1))).toEqual(["role-change"]);
    expect(node.hooks.results().join).toMatchObject({ ok: false, problem: "sh: still running after 0.3 s" });
    expect(node.hooks.failing()).toEqual(["join"]);
  });

  it("is said not to be there", async () => {
    const node = running({ join: ["/no/such/hook"] });
    await node.ended("join", false);
    expect(node.hooks.results().join?.problem).toMatch(/ENOENT/);
  });
});

describe("hooks across restarts", () => {
  it("are not told again what they were told", async () => {
    const commands = { join: note, "members-change": note, "leader-change": note, "role-change": note };
    const facts: HookFacts = { ...settled, outcome: outcome(b), role: "replica" };
    const first = running(commands, { facts });
    await first.noted(4);
    await first.ended("role-change", true);
    await first.end();
    // The next one knows little at first, and the rest bit by bit.
    const second = running(commands, {
      dir: first.dir,
      facts: { ...settled, outcome: null, members: null },
    });
    second.set({ outcome: outcome(null, "existing") });
    await turns();
    second.set({ outcome: outcome(b, "existing"), members: [b, a] });
    await turns();
    second.set({ outcome: outcome(c, "existing"), role: "replica" });
    expect((await second.noted(5)).slice(4)).toMatchObject([{ event: "leader-change" }]);
  });

  it("are told what an agent that was stopped in the middle had not finished saying", async () => {
    const hangs = sh('cat >> "$DIR/notes"; sleep 300');
    const first = running({ join: note, "members-change": hangs });
    await first.noted(2);
    await first.end();
    expect(first.hooks.results()["members-change"]).toMatchObject({ running: false, ok: null, tries: 0 });
    const second = running(
      { join: note, "members-change": note },
      { dir: first.dir, facts: { ...settled, outcome: outcome(null, "existing"), members: [a, b, c] } },
    );
    expect((await second.noted(3))[2]).toMatchObject({ event: "members-change", added: [a, b, c] });
    await second.ended("members-change", true);
    expect(second.hooks.results().join?.at).toBeNull();
  });

  it("owe the start from the moment it is known", async () => {
    const first = running({ bootstrap: sh("exit 1") }, { facts: { ...settled, outcome: null } });
    await until(() => first.kept().genesis_id === null, { ...LIMIT, what: "the file" });
    first.set({ outcome: outcome(null, "bootstrap") });
    await first.ended("bootstrap", false);
    expect(first.kept()).toMatchObject({ genesis_id: "g1", start: "bootstrap" });
    await first.end();
    const facts = { ...settled, outcome: outcome(null, "existing"), first: null };
    const second = running({ bootstrap: note }, { dir: first.dir, facts });
    await second.noted(1);
    await second.ended("bootstrap", true);
    await second.end();
    expect(second.kept()).toMatchObject({ start: null });
  });

  it("begin anew with a file that cannot be read, and say so", async () => {
    const dir = tempDir("hooks");
    writeFileSync(join(dir, "hooks.json"), "{}");
    const node = running({ "members-change": note }, { dir });
    await node.noted(1);
    expect(node.lines()).toContainEqual(
      expect.objectContaining({ msg: "what hooks were told is forgotten" }),
    );
  });

  it("run also while their file cannot be written, which follows later", async () => {
    const clock = manualClock();
    const dir = join(tempDir("hooks"), "data");
    // Its notes need the directory, its result does not.
    const node = running({ join: sh("exit 0") }, { clock, dir });
    await node.ended("join", true);
    expect(node.lines().filter((line) => line.level === "warn")).toHaveLength(1);
    mkdirSync(dir);
    clock.advance(60_000);
    await until(() => node.kept().start === null, { ...LIMIT, what: "the file" });
  });
});

describe("the hook for leaving", () => {
  it("runs when asked, after the one that runs, and gives its result", async () => {
    const slow = sh('cat >> "$DIR/notes"; until [ -e "$DIR/go" ]; do sleep 0.01; done');
    const node = running({ join: slow, leave: sh('cat >> "$DIR/notes"; echo gone >&2; exit 4') });
    await node.noted(1);
    const left = node.hooks.once("leave", new AbortController().signal);
    await turns();
    expect(node.hooks.results()).toMatchObject({ join: { running: true }, leave: { running: false } });
    writeFileSync(join(node.dir, "go"), "");
    expect(await left).toEqual({ ok: false, problem: "sh: exit 4: gone" });
    expect(node.calls()[1]).toMatchObject({ event: "leave", reason: "this node has left the cluster" });
    expect(node.hooks.results().leave).toMatchObject({ ok: false, tries: 1, next_try_ms: null });
    expect(node.hooks.failing()).toEqual([]);
  });

  it("runs also when the others no longer do", async () => {
    const node = running({ join: note, leave: note });
    await node.noted(1);
    await node.end();
    expect(await node.hooks.once("leave", new AbortController().signal)).toEqual({ ok: true });
    expect(names(node.calls())).toEqual(["join", "leave"]);
  });
});

describe("the commands of hooks", () => {
  it("are taken from the flags by event", () => {
    const flags = {
      init: ["i"],
      bootstrap: ["b"],
      join: null,
      membersChange: ["m"],
      leaderChange: ["l"],
      roleChange: ["r"],
      leave: ["x"],
    };
    expect(hookCommands(flags)).toEqual({
      bootstrap: ["b"],
      join: null,
      "members-change": ["m"],
      "leader-change": ["l"],
      "role-change": ["r"],
      leave: ["x"],
    });
  });
});
