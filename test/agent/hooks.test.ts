import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runHook } from "../../src/agent/hooks.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { manualClock } from "../lib/manual-clock.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";

const env = { PATH: process.env.PATH };
const never = () => new AbortController().signal;
const sh = (script: string) => ["sh", "-c", script] as const;
const run = (command: readonly string[], payload: unknown = {}) =>
  runHook(command, payload, { clock: systemClock, signal: never(), env });

/** Whether a process runs; a zombie does not. */
function alive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    return false;
  }
}

/** Processes of ours that have ended and were never waited for. */
function zombies(): number {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ");
  return children.filter((pid) => pid !== "" && !alive(Number(pid))).length;
}

/** Ends a process once the test is over, however that ends. */
function endLater(pid: number): void {
  onTestFinished(() => {
    if (alive(pid)) process.kill(pid, "SIGKILL");
  });
}

const notProgram = join(tempDir("hook"), "not-a-program");
writeFileSync(notProgram, "", { mode: 0o644 });

describe("runHook", () => {
  it("succeeds with exit 0", async () => {
    expect(await run(sh("exit 0"))).toEqual({ ok: true });
  });

  it.each([
    ["exit code", "exit 3", "sh: exit 3"],
    [
      "last line of standard error",
      "echo one >&2; echo 'the disk is full' >&2; exit 1",
      "sh: exit 1: the disk is full",
    ],
    ["signal", "kill -TERM $$", "sh: ended by SIGTERM"],
  ])("fails with the %s", async (_, script, problem) => {
    expect(await run(sh(script))).toEqual({ ok: false, problem });
  });

  it("never loses what a failing command says last", async () => {
    const problems = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        // Much to say first: the end of the process is then known before its last line is read.
        run(sh(`head -c 60000 /dev/zero | tr '\\0' x >&2; echo >&2; echo "why ${i}" >&2; exit 1`)),
      ),
    );
    expect(problems.filter((p, i) => p.ok || p.problem !== `sh: exit 1: why ${i}`)).toEqual([]);
  });

  it("gives the payload as one line of JSON, and no more environment than it is given", async () => {
    const file = join(tempDir("hook"), "stdin");
    const result = await runHook(
      sh('cat > "$OUT"; env >> "$OUT"'),
      { event: "init", text: "é\n" },
      {
        clock: systemClock,
        signal: never(),
        env: { ...env, OUT: file },
      },
    );
    expect(result).toEqual({ ok: true });
    const [json, ...rest] = readFileSync(file, "utf8").split("\n");
    expect(JSON.parse(json ?? "")).toEqual({ event: "init", text: "é\n" });
    const names = rest.filter((line) => line !== "").map((line) => line.split("=")[0]);
    expect(
      names.filter((name) => !["PATH", "OUT", "PWD", "SHLVL", "_", "OLDPWD"].includes(name ?? "")),
    ).toEqual([]);
  });

  it("takes arguments as they are, without a shell", async () => {
    const file = join(tempDir("hook"), "args");
    writeFileSync(`${file}.sh`, `#!/bin/sh\nprintf '%s|' "$@" > ${file}\n`, { mode: 0o755 });
    expect(await run([`${file}.sh`, "a b", "$HOME", "*", ""])).toEqual({ ok: true });
    expect(readFileSync(file, "utf8")).toBe("a b|$HOME|*||");
  });

  it("does not mind a command that reads nothing of a large payload", async () => {
    expect(await run(sh("exit 0"), { text: "x".repeat(1_000_000) })).toEqual({ ok: true });
    expect(await run(sh("sleep 60 & exit 0"), { text: "x".repeat(1_000_000) })).toEqual({ ok: true });
  });

  it("does not mind a command that says a lot", async () => {
    expect(await run(sh("yes no | head -c 3000000 >&2; echo end >&2; exit 1"))).toEqual({
      ok: false,
      problem: "sh: exit 1: end",
    });
  });

  it.each([
    ["is missing", ["/no/such/program"], /ENOENT/],
    ["may not be run", [notProgram], /EACCES/],
    ["has no name", [""], /./],
    ["was not given", [], /./],
    ["has a name with a NUL", ["a\0b"], /./],
    ["has too long an argument", ["true", "x".repeat(3_000_000)], /E2BIG/],
  ])("fails, and never throws, when the program %s", async (_, command, problem) => {
    const result = await run(command);
    expect(result.ok ? "" : result.problem).toMatch(problem);
  });

  it("kills the whole group at its limit, and says so", async () => {
    const file = join(tempDir("hook"), "pid");
    const clock = manualClock();
    const running = runHook(sh(`sleep 300 & echo $! > ${file}; wait`), {}, { clock, signal: never(), env });
    const grandchild = await until(() => Number(readFileSync(file, "utf8")), {
      deadlineMs: 5_000,
      what: "the grandchild",
    });
    expect(alive(grandchild)).toBe(true);
    clock.advance(60_000);
    expect(await running).toEqual({ ok: false, problem: "sh: still running after 60 s" });
    await until(() => !alive(grandchild), { deadlineMs: 5_000, what: "the grandchild to end" });
    expect(clock.pending()).toBe(0);
  });

  it("kills the group on abort", async () => {
    const file = join(tempDir("hook"), "pid");
    const stop = new AbortController();
    const running = runHook(
      sh(`trap '' TERM; sleep 300 & echo $! > ${file}; wait`),
      {},
      {
        clock: systemClock,
        signal: stop.signal,
        env,
      },
    );
    const grandchild = await until(() => Number(readFileSync(file, "utf8")), {
      deadlineMs: 5_000,
      what: "the grandchild",
    });
    stop.abort();
    expect(await running).toEqual({ ok: false, problem: "sh: the agent was stopped" });
    await until(() => !alive(grandchild), { deadlineMs: 5_000, what: "the grandchild to end" });
  });

  it("starts nothing when it is aborted already", async () => {
    const file = join(tempDir("hook"), "ran");
    const signal = AbortSignal.abort();
    const result = await runHook(sh(`touch ${file}`), {}, { clock: systemClock, signal, env });
    expect(result).toEqual({ ok: false, problem: "sh: the agent was stopped" });
    expect(() => readFileSync(file)).toThrow("ENOENT");
  });

  it("is not held by a grandchild that keeps its pipes", async () => {
    const file = join(tempDir("hook"), "pid");
    const began = performance.now();
    expect(await run(sh(`sleep 20 & echo $! > ${file}; echo late >&2; exit 1`))).toEqual({
      ok: false,
      problem: "sh: exit 1: late",
    });
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it.each([
    ["succeeds", "exit 0", { ok: true }],
    ["fails", "exit 1", { ok: false, problem: "sh: exit 1" }],
  ])("ends what a command that %s left running, signals ignored or not", async (_, exit, result) => {
    const file = join(tempDir("hook"), "pids");
    // One holds the pipe, one holds nothing of ours, one is a grandchild's child.
    const deaf = "trap '' TERM HUP INT; sleep 300 & wait";
    const script = `sleep 300 & echo $! > ${file}; (${deaf}) > /dev/null 2>&1 & echo $! >> ${file}
      sh -c 'sleep 300 & echo $! >> ${file}; wait' & while [ $(wc -l < ${file}) -lt 3 ]; do :; done; ${exit}`;
    expect(await run(sh(script))).toEqual(result);
    const pids = readFileSync(file, "utf8").trim().split("\n").map(Number);
    for (const pid of pids) endLater(pid);
    expect(pids).toHaveLength(3);
    await until(() => !pids.some(alive), { deadlineMs: 5_000, what: "all of them to end" });
  });

  it("leaves alone what began a session of its own", async () => {
    const file = join(tempDir("hook"), "pid");
    const script = `setsid sleep 300 > /dev/null 2>&1 & while [ "$(ps -o pgid= -p $! | tr -d ' ')" = $$ ]; do :; done; echo $! > ${file}`;
    expect(await run(sh(script))).toEqual({ ok: true });
    const pid = Number(readFileSync(file, "utf8"));
    endLater(pid);
    expect(alive(pid)).toBe(true);
  });

  it("stands a command that says and hears nothing but noise", async () => {
    expect(await run(sh("yes | head -c 3000000; yes é | head -c 300000 >&2; exit 1"))).toEqual({
      ok: false,
      problem: "sh: exit 1: é",
    });
  });

  it("has succeeded once the command ended well, also when the agent is stopped a moment later", async () => {
    const stop = new AbortController();
    const manual = manualClock();
    const waits: number[] = [];
    const after = (ms: number, then: () => void) => {
      waits.push(ms);
      return manual.after(ms, then);
    };
    const clock = { ...manual, after };
    const file = join(tempDir("hook"), "pid");
    const script = `setsid sh -c 'echo $$ > ${file}; exec sleep 300' & while ! [ -s ${file} ]; do :; done`;
    const running = runHook(sh(script), {}, { clock, signal: stop.signal, env });
    const holder = await until(() => Number(readFileSync(file, "utf8")), {
      deadlineMs: 5_000,
      what: "who holds the pipe",
    });
    endLater(holder);
    // First the limit, then, once the command itself has ended, the wait for the last words of the other.
    await until(() => waits.length === 2, { deadlineMs: 5_000, what: "the command to end" });
    stop.abort();
    manual.advance(200);
    expect(await running).toEqual({ ok: true });
  });

  it("leaves no listener, timer or zombie", async () => {
    const clock = manualClock();
    const stop = new AbortController();
    for (let i = 0; i < 20; i++)
      await runHook(sh(i % 2 === 0 ? "exit 0" : "exit 1"), {}, { clock, signal: stop.signal, env });
    expect(clock.pending()).toBe(0);
    expect(zombies()).toBe(0);
  });
});
