import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { bootId, type ProcessId, startChild } from "../../src/agent/child.ts";
import { START_VARIABLE } from "../../src/agent/command.ts";
import { LOOK_MS, openSupervisor, type SupervisorOptions } from "../../src/agent/supervise.ts";
import { keepIntent, keepProcess } from "../../src/agent/take-back.ts";
import { manualClock } from "../lib/manual-clock.ts";
import { inPath, type Process, start } from "../support/processes.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { rememberingLog } from "./support/log.ts";
import { valuesOf } from "./support/outcome-values.ts";
import { alive, withEnvironment } from "./support/process-tree.ts";

const MARK = `mark-${process.pid}-${Math.random().toString(36).slice(2)}`;
const marked = () => withEnvironment(`TEST_MARK=${MARK}`);
const soon = (what: string) => ({ deadlineMs: 10_000, what });

afterEach(() => {
  for (const pid of marked()) process.kill(pid, "SIGKILL");
});

const sh = (script: string) => ["sh", "-c", script];
const orderly = sh("trap 'exit 0' TERM; echo $$ >> $DIR/pids; sleep 60 & wait");
const SCRIPT = join(import.meta.dirname, "support", "supervising.ts");

/** A folder with what the database and the agents of one node leave in it. */
function place() {
  const dir = tempDir("take-back");
  const env = { PATH: process.env.PATH ?? "", TEST_MARK: MARK, DIR: dir };
  const pids = () =>
    (existsSync(join(dir, "pids")) ? readFileSync(join(dir, "pids"), "utf8") : "")
      .split("\n")
      .filter((line) => line !== "")
      .map(Number);
  return { dir, env, path: join(dir, "supervised.json"), pids };
}
type Place = ReturnType<typeof place>;

/** An agent in a process of its own. */
const agent = ({ env, path }: Place, command: readonly string[], more: Partial<SupervisorOptions> = {}) =>
  start({
    name: "agent",
    program: process.execPath,
    args: [SCRIPT, JSON.stringify({ command, path, ...more })],
    env,
  });

/** An agent in this process, on a clock that the test moves. */
function here({ env, path }: Place, command: readonly string[], more: Partial<SupervisorOptions> = {}) {
  const clock = manualClock();
  const { log, lines } = rememberingLog();
  const stop = new AbortController();
  const supervisor = openSupervisor({
    command,
    argumentsAt: null,
    restart: "on-failure",
    stopTimeoutMs: 25_000,
    pacing: { clock, random: () => 0.5 },
    log,
    uuid: () => globalThis.crypto.randomUUID(),
    env,
    path,
    plan: () => null,
    changed: () => {},
    ...more,
  });
  const running = supervisor.run(stop.signal);
  return {
    supervisor,
    clock,
    running,
    said: () => lines().map((line) => line.msg),
    at: (at: string) => until(() => supervisor.state().at === at, soon(at)),
    /** Stops it. A deaf database ends when the clock has moved beyond the stop timeout, any other by itself. */
    async end(deaf = false) {
      const pid = supervisor.state().pid ?? 0;
      stop.abort();
      if (!deaf) await until(() => !alive(pid), soon("the database's end"));
      // The end of a process that is no child shows when it is looked at.
      await until(() => {
        clock.advance(LOOK_MS);
        return supervisor.state().at === "ended";
      }, soon("the end"));
      expect(clock.pending()).toBe(0);
      return running;
    },
  };
}

/** Kills an agent. Not `kill`, which also waits for its output to end: the database has that as its own. */
async function killed(one: Process): Promise<void> {
  one.signal("SIGKILL");
  await until(() => one.exit(), soon("the agent's end"));
}

/** A database that was started by an agent that was then killed. */
async function orphaned(at: Place, command: readonly string[] = orderly): Promise<number> {
  const first = await agent(at, command);
  await until(() => at.pids().length > 0, soon("the database"));
  const [pid = 0] = at.pids();
  await until(() => readFileSync(at.path, "utf8").includes(`"pid":${pid},`), soon("its record"));
  await killed(first);
  expect(alive(pid)).toBe(true);
  return pid;
}

const onLinux = (name: string, body: () => void) =>
  bootId() === null ? describe.skip(`${name} [skipped: needs /proc]`, body) : describe(name, body);

onLinux("the database of a killed agent", () => {
  it("is taken back at once, without an outcome, and stopped in order", async () => {
    const at = place();
    const pid = await orphaned(at);
    const next = here(at, orderly);
    await next.at("running");
    expect(next.supervisor.state()).toEqual({
      at: "running",
      pid,
      started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      restarts: 0,
      last_exit: null,
      problem: null,
      taken_back: true,
    });
    expect(at.pids()).toEqual([pid]);
    expect(await next.end()).toBe(0);
    expect(alive(pid)).toBe(false);
    expect(existsSync(at.path)).toBe(false);
    expect(next.said()[0]).toBe("took back the database of the agent before");
  });

  it("is killed with its group when it does not end in time", async () => {
    const at = place();
    const deaf = sh("trap '' TERM; echo $$ >> $DIR/pids; sleep 60 & while :; do sleep 60 & wait; done");
    await orphaned(at, deaf);
    const next = here(at, deaf);
    await next.at("running");
    expect(await next.end(true)).toBe(137);
    await until(() => marked().length === 0, soon("all to end"));
  });

  it("is started again when it ends, as one that failed", async () => {
    const at = place();
    const pid = await orphaned(at);
    const next = here(at, orderly, { plan: () => ({ values: valuesOf(), files: [] }) });
    await next.at("running");
    process.kill(pid, "SIGKILL");
    await until(() => !alive(pid), soon("its end"));
    next.clock.advance(LOOK_MS);
    await next.at("backing_off");
    expect(next.supervisor.state()).toMatchObject({
      problem: "ended",
      last_exit: { code: null, signal: null },
      taken_back: false,
    });
    await until(() => marked().length === 0, soon("its group to be killed"));
    next.clock.advance(250);
    await next.at("running");
    await until(() => at.pids().length === 2, soon("the second start"));
    expect(next.supervisor.state()).toMatchObject({ restarts: 1, taken_back: false });
    expect(await next.end()).toBe(0);
  });

  it("is passed on by every agent that is killed", async () => {
    const at = place();
    const pid = await orphaned(at);
    for (let i = 0; i < 2; i++) {
      const next = await agent(at, orderly);
      await until(() => next.stdout() === "running\n", soon("the agent to take it back"));
      await killed(next);
    }
    const last = here(at, orderly);
    await last.at("running");
    expect([last.supervisor.state().pid, at.pids()]).toEqual([pid, [pid]]);
    expect(await last.end()).toBe(0);
  });

  it("is taken back with another command, which is said, and which its next start takes", async () => {
    const at = place();
    const pid = await orphaned(at);
    const changed = sh("exit 0");
    const next = here(at, changed, { plan: () => ({ values: valuesOf(), files: [] }) });
    await next.at("running");
    expect(next.supervisor.state().pid).toBe(pid);
    expect(next.said()).toContain(
      "the database runs with the command of before; its next start takes the new one",
    );
    process.kill(pid, "SIGKILL");
    await until(() => !alive(pid), soon("its end"));
    next.clock.advance(LOOK_MS);
    await next.at("backing_off");
    next.clock.advance(250);
    expect(await next.running).toBe(0);
  });

  it("is taken back although its program is gone", async () => {
    const at = place();
    const pid = await orphaned(at);
    const next = here(at, ["/no/such/rqlited"]);
    await next.at("running");
    expect(next.supervisor.state().pid).toBe(pid);
    expect(await next.end()).toBe(0);
  });

  it("is found by its nonce when the agent was killed before it knew the process", async () => {
    const at = place();
    await keepIntent(at.path, {
      nonce: `${MARK}-nonce`,
      command: orderly,
      startedAt: "2026-01-01T00:00:00.000Z",
    });
    // In a group of its own, older than the rest; and a descendant that is a leader too.
    const script = "trap 'exit 0' TERM; setsid sleep 60 & echo $$ >> $DIR/pids; sleep 60 & wait";
    const child = await startChild(sh(script), { ...at.env, [START_VARIABLE]: `${MARK}-nonce` }, () => {});
    await until(() => marked().length === 3, soon("its children"));
    const next = here(at, orderly);
    await next.at("running");
    expect(next.supervisor.state()).toMatchObject({
      pid: child.id.pid,
      started_at: "2026-01-01T00:00:00.000Z",
      taken_back: true,
    });
    expect(await next.end()).toBe(0);
    expect(await child.exit).toEqual({ code: 0, signal: null });
  });

  it("is started anew when it is gone as well, and what it left is killed", async () => {
    const at = place();
    const leaving = sh("trap 'exit 0' TERM; sleep 60 & echo $! > $DIR/left; echo $$ >> $DIR/pids; wait");
    const pid = await orphaned(at, leaving);
    const left = Number(readFileSync(join(at.dir, "left"), "utf8"));
    process.kill(pid, "SIGKILL");
    await until(() => !alive(pid), soon("its end"));
    expect(alive(left)).toBe(true);
    const next = here(at, leaving, { plan: () => ({ values: valuesOf(), files: [] }) });
    await until(() => at.pids().length === 2, soon("the second start"));
    await next.at("running");
    await until(() => !alive(left), soon("what it left to end"));
    expect(next.supervisor.state()).toMatchObject({ taken_back: false, restarts: 0 });
    expect(await next.end()).toBe(0);
  });

  it("is started anew when only what it started is found by the nonce", async () => {
    const at = place();
    const earlier = { nonce: `${MARK}-gone`, command: orderly, startedAt: "2026-01-01T00:00:00.000Z" };
    await keepIntent(at.path, earlier);
    const child = await startChild(
      sh("sleep 60 & echo $! > $DIR/left"),
      { ...at.env, [START_VARIABLE]: earlier.nonce },
      () => {},
    );
    await child.exit;
    const left = Number(readFileSync(join(at.dir, "left"), "utf8"));
    const next = here(at, orderly, { plan: () => ({ values: valuesOf(), files: [] }) });
    await until(() => at.pids().length === 1, soon("a start"));
    await next.at("running");
    expect(next.supervisor.state().pid).not.toBe(left);
    await until(() => !alive(left), soon("what it left to end"));
    expect(await next.end()).toBe(0);
  });

  it("is taken back, and not started a second time, when the agent is told of a plan before it looked", async () => {
    const at = place();
    const pid = await orphaned(at);
    const next = here(at, orderly, { plan: () => ({ values: valuesOf(), files: [] }) });
    next.supervisor.wake();
    await next.at("running");
    expect([next.supervisor.state().pid, at.pids()]).toEqual([pid, [pid]]);
    expect(await next.end()).toBe(0);
  });

  it.each([
    ["another start time", (id: ProcessId) => ({ ...id, startTime: `${Number(id.startTime) - 1}` })],
    ["another boot", (id: ProcessId) => ({ ...id, bootId: "00000000-0000-0000-0000-000000000000" })],
  ])("is not a process with its number and %s, which is left alone", async (_, forged) => {
    const at = place();
    const stranger = await startChild(["sleep", "60"], at.env, () => {});
    const earlier = { nonce: `${MARK}-other`, command: orderly, startedAt: "2026-01-01T00:00:00.000Z" };
    keepProcess(at.path, earlier, forged(stranger.id));
    const next = here(at, orderly, { plan: () => ({ values: valuesOf(), files: [] }) });
    await until(() => at.pids().length === 1, soon("a start"));
    await next.at("running");
    expect(next.supervisor.state().pid).not.toBe(stranger.id.pid);
    expect(await next.end()).toBe(0);
    expect(alive(stranger.id.pid)).toBe(true);
  });
});

describe("the record of a supervised database", () => {
  it("is private, and holds what the next agent needs before and after the start", async () => {
    const at = place();
    const earlier = { nonce: "n-1", command: ["db", "{{join}}"], startedAt: "2026-01-01T00:00:00.000Z" };
    await keepIntent(at.path, earlier);
    const intent = JSON.parse(readFileSync(at.path, "utf8"));
    expect(intent).toEqual({
      v: 1,
      nonce: "n-1",
      pid: null,
      start_time: null,
      boot_id: bootId(),
      command: ["db", "{{join}}"],
      started_at: "2026-01-01T00:00:00.000Z",
    });
    keepProcess(at.path, earlier, { pid: 7, startTime: "123", bootId: bootId() });
    expect(JSON.parse(readFileSync(at.path, "utf8"))).toEqual({ ...intent, pid: 7, start_time: "123" });
    expect(statSync(at.path).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["that is damaged", "{", "is not JSON"],
    ["of a later version", '{"v":2}', "is of a later version; this rollcall reads v 1"],
    ["without a nonce", '{"v":1}', "nonce: "],
  ])("%s is refused: a database may run", async (_, text, problem) => {
    const at = place();
    writeFileSync(at.path, text);
    const failure = await here(at, orderly).running.catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "damaged", hint: expect.stringContaining("remove the file") });
    expect(String(failure)).toContain(`${at.path}: ${problem}`);
    expect(readFileSync(at.path, "utf8")).toBe(text);
  });

  it("is no obstacle when a crash of the machine left it empty", async () => {
    const at = place();
    writeFileSync(at.path, "");
    const next = here(at, sh("exit 0"), { plan: () => ({ values: valuesOf(), files: [] }) });
    expect(await next.running).toBe(0);
  });
});

const namespaces = await (async () => {
  if (inPath("unshare") === null) return false;
  const probe = await start({ program: "unshare", args: ["--pid", "--fork", "--mount-proc", "true"] });
  return (await probe.ended).code === 0;
})();
const asFirst = (name: string, body: () => void) =>
  namespaces ? describe(name, body) : describe.skip(`${name} [skipped: needs unshare and its rights]`, body);

asFirst("an agent as process 1 of a container", () => {
  /** The agent in a process namespace of its own; `signal` reaches it as from outside a container. */
  async function contained(at: Place, command: readonly string[], more: Partial<SupervisorOptions> = {}) {
    const options = JSON.stringify({ command, path: at.path, ...more });
    const args = ["--pid", "--fork", "--mount-proc", "--kill-child", process.execPath, SCRIPT, options];
    const outer = await start({ name: "unshare", program: "unshare", args, env: at.env });
    await until(() => at.pids().length > 0, soon("the database"));
    const children = readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, "utf8");
    return { outer, first: Number(children.trim()) };
  }

  it("stops the database and ends with its code", async () => {
    const at = place();
    const { outer, first } = await contained(
      at,
      sh("trap 'exit 5' TERM; echo $$ >> $DIR/pids; sleep 60 & wait"),
    );
    process.kill(first, "SIGTERM");
    expect(await outer.ended).toEqual({ code: 5, signal: null });
    expect(marked()).toEqual([]);
  });

  it("kills a deaf database and what it left", async () => {
    const at = place();
    const deaf = sh("trap '' TERM; (sleep 60) & echo $$ >> $DIR/pids; while :; do sleep 60 & wait; done");
    const { outer, first } = await contained(at, deaf, { stopTimeoutMs: 100 });
    process.kill(first, "SIGTERM");
    expect(await outer.ended).toEqual({ code: 137, signal: null });
    expect(marked()).toEqual([]);
  });
});
