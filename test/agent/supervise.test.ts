import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openSupervisor, type SupervisorOptions } from "../../src/agent/supervise.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { rememberingLog } from "./support/log.ts";
import { valuesOf } from "./support/outcome-values.ts";
import { alive, stateOf, withEnvironment } from "./support/process-tree.ts";

const MARK = `mark-${process.pid}-${Math.random().toString(36).slice(2)}`;
const marked = () => withEnvironment(`TEST_MARK=${MARK}`);
const soon = (what: string) => ({ deadlineMs: 5_000, what });

afterEach(() => {
  for (const pid of marked()) process.kill(pid, "SIGKILL");
});

/** A shell as the database, which finds its folder in $DIR. */
const sh = (script: string) => ["sh", "-c", script];
/** Says its pid, ends with 0 when it is asked to, and meanwhile waits. */
const orderly = sh("trap 'exit 0' TERM; echo $$ >> $DIR/pids; sleep 60 & wait");
const deaf = sh("trap '' TERM; echo $$ >> $DIR/pids; while :; do sleep 60 & wait; done");

type Given = Partial<SupervisorOptions> & { readonly dir?: string };

/** A supervisor of `command` over a folder, on a clock that the test moves. */
function make(command: readonly string[], { dir = tempDir("supervise"), ...given }: Given = {}) {
  const clock = manualClock();
  const { log, lines } = rememberingLog();
  let nonce = 0;
  let changes = 0;
  const stop = new AbortController();
  const path = join(dir, "supervised.json");
  const supervisor = openSupervisor({
    command,
    argumentsAt: null,
    restart: "on-failure",
    stopTimeoutMs: 25_000,
    pacing: { clock, random: () => 0.5 },
    log,
    uuid: () => {
      nonce += 1;
      return `${MARK}-${dir}-${nonce}`;
    },
    env: { PATH: process.env.PATH, TEST_MARK: MARK, DIR: dir },
    path,
    plan: () => ({ values: valuesOf(), files: [] }),
    changed: () => {
      changes += 1;
    },
    ...given,
  });
  const text = (name: string) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), "utf8") : "");
  const pids = () =>
    text("pids")
      .split("\n")
      .filter((line) => line !== "")
      .map(Number);
  return {
    supervisor,
    clock,
    dir,
    path,
    stop,
    text,
    pids,
    lines,
    changes: () => changes,
    run: () => supervisor.run(stop.signal),
    /** Waits until the n-th start has said its pid, and gives that. */
    started: (n = 1) =>
      until(() => (supervisor.state().at === "running" ? pids()[n - 1] : undefined), soon(`start ${n}`)),
    at: (at: string) => until(() => supervisor.state().at === at, soon(`${at}`)),
    said: () => lines().map((line) => line.msg),
  };
}

describe("the supervised database", () => {
  it("is started once there is a plan, with the outcome in its arguments and its environment", async () => {
    let ready = false;
    const one = make(
      [...sh('echo "$0" "$@" > $DIR/said; env | grep OUTCOME >> $DIR/said'), "{{join}}", "-x"],
      {
        argumentsAt: 4,
        plan: () => (ready ? { values: valuesOf({ args: ["-a", "b"] }), files: [] } : null),
      },
    );
    const running = one.run();
    await one.at("waiting");
    await turns();
    expect(one.supervisor.state()).toEqual({
      at: "waiting",
      pid: null,
      started_at: null,
      restarts: 0,
      last_exit: null,
      problem: null,
      taken_back: false,
    });
    expect(marked()).toEqual([]);
    ready = true;
    one.supervisor.wake();
    expect(await running).toBe(0);
    expect(one.text("said").trim().split("\n").sort()).toEqual([
      "OUTCOME_ARGS=-a b",
      "OUTCOME_JOIN=b:4002",
      "OUTCOME_KIND=join",
      "OUTCOME_LEADER=b:4001",
      "OUTCOME_MEMBERS=a:4002,b:4002",
      "OUTCOME_ROLE=unknown",
      `OUTCOME_START=${MARK}-${one.dir}-1`,
      "b:4002 -a b -x",
    ]);
    expect(one.clock.pending()).toBe(0);
    expect(existsSync(one.path)).toBe(false);
  });

  it("waits for what the plan waits for, says it once, and finds out by itself that it is over", async () => {
    let wait = true;
    const one = make(orderly, {
      plan: () => (wait ? { wait: "b is not there yet" } : { values: valuesOf(), files: [] }),
    });
    const running = one.run();
    await until(() => one.supervisor.state().problem, soon("the problem"));
    expect(one.supervisor.state()).toMatchObject({ at: "waiting", problem: "b is not there yet" });
    const changes = one.changes();
    for (let i = 0; i < 60; i++) one.clock.advance(1_000);
    expect(one.changes()).toBe(changes);
    expect(one.lines()).toEqual([
      expect.objectContaining({ msg: "the database is not started yet", why: "b is not there yet" }),
    ]);
    wait = false;
    one.clock.advance(1_000);
    const pid = await one.started();
    expect(one.supervisor.state()).toMatchObject({
      at: "running",
      pid,
      started_at: "2026-01-01T00:01:01.000Z",
      problem: null,
    });
    one.stop.abort();
    expect(await running).toBe(0);
  });

  it("finds the plan's files in place before it starts", async () => {
    const dir = tempDir("supervise");
    const file = join(dir, "peers.json");
    const one = make(sh("cp $DIR/peers.json $DIR/seen"), {
      dir,
      plan: () => ({ values: valuesOf(), files: [{ path: file, text: "[1]\n" }] }),
    });
    expect(await one.run()).toBe(0);
    expect(one.text("seen")).toBe("[1]\n");
  });

  it("is tried again when a file cannot be written, and the reason is shown", async () => {
    const dir = tempDir("supervise");
    const file = join(dir, "raft", "peers.json");
    const one = make(sh("cp $DIR/raft/peers.json $DIR/seen"), {
      dir,
      plan: () => ({ values: valuesOf(), files: [{ path: file, text: "[1]\n" }] }),
    });
    const running = one.run();
    await one.at("backing_off");
    expect(one.supervisor.state().problem).toMatch(/^write .*peers\.json: ENOENT/);
    mkdirSync(join(dir, "raft"));
    one.clock.advance(250);
    expect(await running).toBe(0);
    expect(one.text("seen")).toBe("[1]\n");
  });

  it("is not started where its record cannot be kept, and is once it can", async () => {
    const dir = tempDir("supervise");
    const path = join(dir, "data", "supervised.json");
    const one = make(orderly, { dir, path });
    const running = one.run();
    await one.at("backing_off");
    expect(one.supervisor.state().problem).toMatch(/^write .*supervised\.json: ENOENT/);
    expect(marked()).toEqual([]);
    mkdirSync(join(dir, "data"));
    one.clock.advance(250);
    const pid = await one.started();
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pid, nonce: `${MARK}-${dir}-2` });
    expect(readFileSync(`/proc/${pid}/environ`, "utf8")).toContain(`OUTCOME_START=${MARK}-${dir}-2`);
    one.stop.abort();
    expect(await running).toBe(0);
  });

  it("is asked for its plan anew at every start", async () => {
    let n = 0;
    const one = make(sh('echo "$OUTCOME_JOIN" >> $DIR/said; exit 1'), {
      plan: () => {
        n += 1;
        return { values: valuesOf({ join: `node-${n}` }), files: [] };
      },
    });
    const running = one.run();
    for (const ms of [250, 500, 1_000]) {
      await one.at("backing_off");
      one.clock.advance(ms - 1);
      expect(one.supervisor.state().at).toBe("backing_off");
      one.clock.advance(1);
      await until(() => one.supervisor.state().at !== "backing_off", soon("another start"));
    }
    await one.at("backing_off");
    expect(one.text("said")).toBe("node-1\nnode-2\nnode-3\nnode-4\n");
    expect(one.supervisor.state()).toMatchObject({
      restarts: 3,
      last_exit: { code: 1, signal: null },
      problem: "ended with exit 1",
      pid: null,
    });
    one.stop.abort();
    expect(await running).toBe(1);
    expect(existsSync(one.path)).toBe(false);
  });

  it.each([
    ["exit 0", "exit 0", 0],
    ["exit 3", "exit 3", 3],
    ["SIGSEGV", "kill -SEGV $$", 139],
    ["SIGKILL", "kill -KILL $$", 137],
  ])("passes on how it ended where it is never started again: %s", async (_, script, code) => {
    expect(await make(sh(script), { restart: "never" }).run()).toBe(code);
  });

  it("is started again after it was killed, and what it left is killed first", async () => {
    const one = make(sh("trap 'exit 0' TERM; sleep 60 & echo $! >> $DIR/left; echo $$ >> $DIR/pids; wait"));
    const running = one.run();
    const first = await one.started();
    const left = Number(one.text("left"));
    process.kill(first, "SIGKILL");
    await one.at("backing_off");
    expect(one.supervisor.state()).toMatchObject({
      problem: "ended by SIGKILL",
      last_exit: { code: null, signal: "SIGKILL" },
    });
    await until(() => !alive(left), soon("the rest to end"));
    one.clock.advance(250);
    expect(await one.started(2)).not.toBe(first);
    one.stop.abort();
    expect(await running).toBe(0);
    await until(() => marked().length === 0, soon("all to end"));
  });

  it("throws at once, before there is an outcome, when there is no such program", async () => {
    const failure = await make(["rqlitedd", "-x"], { plan: () => null })
      .run()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RollcallError);
    expect(failure).toMatchObject({ code: "command", message: "--: rqlitedd: not found in PATH" });
  });

  it("throws when its program cannot be started", async () => {
    const dir = tempDir("supervise");
    const program = join(dir, "db");
    writeFileSync(program, "#!/no/such/interpreter\n", { mode: 0o755 });
    const one = make([program], { dir });
    await expect(one.run()).rejects.toThrow(`--: ${program}: not found`);
    expect(existsSync(one.path)).toBe(false);
    expect(one.clock.pending()).toBe(0);
  });

  it("says that the adapter's arguments have no place", async () => {
    const one = make(sh("exit 0"), {
      plan: () => ({ values: valuesOf({ args: ["-join", "b"] }), files: [] }),
    });
    expect(await one.run()).toBe(0);
    expect(one.lines()).toContainEqual(
      expect.objectContaining({
        msg: "the command has no place for these; {{args}} marks one",
        args: "-join b",
      }),
    );
  });
});

describe("stopping", () => {
  it("asks it to end, passes on its code, and leaves nothing of its group", async () => {
    const one = make(sh("trap 'exit 4' TERM; (trap '' TERM; sleep 60) & echo $$ >> $DIR/pids; wait"));
    const running = one.run();
    await one.started();
    one.stop.abort();
    expect(one.supervisor.state().at).toBe("stopping");
    expect(await running).toBe(4);
    await until(() => marked().length === 0, soon("all to end"));
    expect(existsSync(one.path)).toBe(false);
    expect(one.clock.pending()).toBe(0);
    expect(one.said()).toEqual([
      "the database was started",
      "stopping the database",
      "the database has ended",
    ]);
  });

  it("takes the end by its SIGTERM for a clean one", async () => {
    const one = make(sh("echo $$ >> $DIR/pids; exec sleep 60"));
    const running = one.run();
    await one.started();
    one.stop.abort();
    expect(await running).toBe(0);
  });

  it("kills the whole group when it does not end in time", async () => {
    const one = make(deaf);
    const running = one.run();
    const pid = await one.started();
    one.stop.abort();
    one.clock.advance(24_999);
    await turns(20);
    expect(alive(pid)).toBe(true);
    one.clock.advance(1);
    expect(await running).toBe(137);
    await until(() => marked().length === 0, soon("all to end"));
  });

  it("kills at once without a stop timeout", async () => {
    const one = make(deaf, { stopTimeoutMs: 0 });
    const running = one.run();
    await one.started();
    one.stop.abort();
    expect(await running).toBe(137);
    await until(() => marked().length === 0, soon("all to end"));
  });

  it.each([
    ["ends in order once it is woken", orderly, 0, 0],
    ["is killed when it does not end", deaf, 25_000, 137],
  ])("a paused database %s", async (_, command, ms, code) => {
    const one = make(command);
    const running = one.run();
    const pid = await one.started();
    process.kill(pid, "SIGSTOP");
    await until(() => stateOf(pid) === "T", soon("it to be paused"));
    one.stop.abort();
    one.clock.advance(ms);
    expect(await running).toBe(code);
  });

  it("ends a database that forks all the time", async () => {
    const one = make(sh("trap '' TERM; echo $$ >> $DIR/pids; while :; do (sleep 60) & (:) & done"));
    const running = one.run();
    await one.started();
    await until(() => marked().length > 20, soon("many processes"));
    one.stop.abort();
    one.clock.advance(25_000);
    expect(await running).toBe(137);
    await until(() => marked().length === 0, soon("all to end"));
  });

  it("starts nothing when it is told to stop first", async () => {
    const one = make(orderly);
    one.stop.abort();
    expect(await one.run()).toBeNull();
    expect(marked()).toEqual([]);
    expect(existsSync(one.path)).toBe(false);
  });

  it("ends at once while there is no plan", async () => {
    const one = make(orderly, { plan: () => null });
    const running = one.run();
    await turns();
    one.stop.abort();
    expect(await running).toBeNull();
    expect(one.clock.pending()).toBe(0);
    one.supervisor.wake();
    await turns();
    expect(one.supervisor.state().at).toBe("ended");
  });

  it("kills without waiting when the agent itself waits for nothing more", async () => {
    const one = make(deaf);
    const running = one.run();
    await one.started();
    one.stop.abort();
    one.supervisor.kill();
    expect(await running).toBe(137);
  });
});

describe("signals", () => {
  it("reach the database, and only it", async () => {
    const one = make(
      sh(
        "(trap 'echo child >> $DIR/got' USR1; echo c >> $DIR/ready; while :; do sleep 60 & wait; done) & " +
          "trap 'echo usr1 >> $DIR/got' USR1; trap 'echo hup >> $DIR/got' HUP; trap 'exit 0' TERM; " +
          "echo $$ >> $DIR/pids; while :; do wait; sleep 60 & wait; done",
      ),
    );
    const running = one.run();
    await one.started();
    await until(() => one.text("ready"), soon("the child"));
    one.supervisor.forward("SIGUSR1");
    await until(() => one.text("got") === "usr1\n", soon("SIGUSR1"));
    one.supervisor.forward("SIGHUP");
    await until(() => one.text("got") === "usr1\nhup\n", soon("SIGHUP"));
    one.stop.abort();
    expect(await running).toBe(0);
    one.supervisor.forward("SIGUSR1");
    one.supervisor.kill();
  });

  it("are lost while it does not run", async () => {
    const one = make(orderly, { plan: () => null });
    const running = one.run();
    await turns();
    one.supervisor.forward("SIGHUP");
    one.stop.abort();
    expect(await running).toBeNull();
  });
});
