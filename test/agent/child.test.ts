import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  bootId,
  checkProgram,
  findStart,
  identify,
  isRunning,
  killGroup,
  type ProcessId,
  signalProcess,
  startChild,
  statusOf,
} from "../../src/agent/child.ts";
import { START_VARIABLE } from "../../src/agent/command.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { alive, stateOf, withEnvironment } from "./support/process-tree.ts";

const MARK = `mark-${process.pid}-${Math.random().toString(36).slice(2)}`;
const env = { PATH: process.env.PATH, TEST_MARK: MARK };
const nothing = () => {};
const soon = (what: string) => ({ deadlineMs: 5_000, what });

const sh = (script: string, more: NodeJS.ProcessEnv = {}, born: (id: ProcessId) => void = nothing) =>
  startChild(["sh", "-c", script], { ...env, ...more }, born);

/** A file in which a child says something. */
function spoken(name: string) {
  const file = join(tempDir("child"), name);
  return { file, number: () => Number(readFileSync(file, "utf8").trim()) };
}

const onLinux = (name: string, body: () => void) =>
  bootId() === null ? describe.skip(`${name} [skipped: needs /proc]`, body) : describe(name, body);

afterEach(() => {
  for (const pid of withEnvironment(`TEST_MARK=${MARK}`)) process.kill(pid, "SIGKILL");
});

describe("startChild", () => {
  it.each([
    ["a code", "exit 7", { code: 7, signal: null }, 7],
    ["a signal", "kill -USR1 $$", { code: null, signal: "SIGUSR1" }, 138],
  ])("gives how the child ended: %s", async (_, script, exit, status) => {
    const child = await sh(script);
    expect(await child.exit).toEqual(exit);
    expect(statusOf(await child.exit)).toBe(status);
  });

  it("makes it the leader of its own session and group, and tells of it at once", async () => {
    const said = spoken("stat");
    const born: ProcessId[] = [];
    const child = await sh(`cat /proc/$$/stat > ${said.file}`, {}, (id) => born.push(id));
    await child.exit;
    expect(born).toEqual([child.id]);
    const [, , group, session] = readFileSync(said.file, "utf8").split(") ")[1]?.split(" ") ?? [];
    expect([Number(group), Number(session)]).toEqual([child.id.pid, child.id.pid]);
  });

  it("gives it the environment it is given, and no more", async () => {
    const said = spoken("env");
    await (await sh(`env > ${said.file}`, { OUTCOME_KIND: "join" })).exit;
    const names = readFileSync(said.file, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(names.filter((name) => !["PWD", "SHLVL", "_", "OLDPWD"].includes(name ?? "")).sort()).toEqual([
      "OUTCOME_KIND",
      "PATH",
      "TEST_MARK",
    ]);
  });

  const folder = tempDir("programs");
  const plain = join(folder, "plain");
  writeFileSync(plain, "", { mode: 0o644 });

  it.each([
    ["is missing", ["/no/such/rqlited"], "/no/such/rqlited: not found", true],
    ["is not in PATH", ["rqlitedd"], "rqlitedd: not found", true],
    ["may not be run", [plain], `${plain}: permission denied`, true],
    ["is a directory", [folder], `${folder}: permission denied`, true],
    ["gets too much", ["true", "x".repeat(3_000_000)], /too long/, true],
    ["has no name", [""], /./, true],
  ])("throws one line when the program %s", async (_, command, message, lasting) => {
    const failure = await startChild(command, env, nothing).then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(RollcallError);
    const error = failure as RollcallError;
    expect(error.message).toEqual(typeof message === "string" ? message : expect.stringMatching(message));
    expect(error.message).not.toContain("\n");
    expect([error.code, error.facts]).toEqual(["command", { lasting }]);
  });
});

describe("checkProgram", () => {
  const folder = tempDir("path");
  mkdirSync(join(folder, "one"));
  mkdirSync(join(folder, "two"));
  writeFileSync(join(folder, "one", "db"), "", { mode: 0o644 });
  writeFileSync(join(folder, "two", "good"), "", { mode: 0o755 });
  const PATH = `${join(folder, "one")}:${join(folder, "two")}`;

  it.each([
    ["good", null],
    ["db", "db: permission denied"],
    ["other", "other: not found in PATH"],
    ["", ": not found in PATH"],
    [join(folder, "two", "good"), null],
    [join(folder, "one", "db"), `${join(folder, "one", "db")}: permission denied`],
    [folder, `${folder}: is no file`],
    ["./no/db", "./no/db: not found"],
  ])("says of %j: %s", (program, problem) => {
    // As root, everything may be run that anybody may run; the modes above give nobody that right.
    expect(checkProgram([program], { PATH })).toBe(problem);
  });

  it("looks where the system does without a PATH", () => {
    expect(checkProgram(["sh"], {})).toBeNull();
  });
});

onLinux("a process that is no child", () => {
  it("runs until it is gone", async () => {
    const child = await sh("exec sleep 60");
    const id = identify(child.id.pid);
    expect(id).toEqual(child.id);
    expect(isRunning(id)).toBe(true);
    expect(signalProcess(id, "SIGTERM")).toBe(true);
    await child.exit;
    expect(isRunning(id)).toBe(false);
    expect(signalProcess(id, "SIGTERM")).toBe(false);
  });

  it("runs while it is paused", async () => {
    const child = await sh("exec sleep 60");
    signalProcess(child.id, "SIGSTOP");
    await until(() => stateOf(child.id.pid) === "T", soon("it to be paused"));
    expect(isRunning(child.id)).toBe(true);
    killGroup(child.id);
    expect(await child.exit).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("does not run as a zombie", async () => {
    const said = spoken("pid");
    // The shell starts one and becomes a program that never waits for it.
    await sh(`sh -c 'exit 0' & echo $! > ${said.file}; exec sleep 60`);
    const pid = await until(said.number, soon("the pid"));
    await until(() => stateOf(pid) === "Z", soon("a zombie"));
    expect(isRunning(identify(pid))).toBe(false);
  });

  it("is not another one with its number", async () => {
    const child = await sh("exec sleep 60");
    const { pid, startTime, bootId: boot } = child.id;
    const later = { pid, startTime: `${Number(startTime) - 1}`, bootId: boot };
    const otherBoot = { pid, startTime, bootId: "00000000-0000-0000-0000-000000000000" };
    expect([isRunning(later), isRunning(otherBoot)]).toEqual([false, false]);
    expect([signalProcess(later, "SIGKILL"), signalProcess(otherBoot, "SIGKILL")]).toEqual([false, false]);
    killGroup(later);
    signalProcess(child.id, "SIGTERM");
    // Had the group been killed, SIGKILL would have been first.
    expect(await child.exit).toEqual({ code: null, signal: "SIGTERM" });
  });

  it("is read rightly whatever its name is", async () => {
    const folder = tempDir("name");
    const program = join(folder, ") R 1 2 3");
    writeFileSync(program, "#!/bin/sh\nsleep 60\n", { mode: 0o755 });
    const child = await startChild([program], env, nothing);
    await until(
      () => readFileSync(`/proc/${child.id.pid}/stat`, "utf8").includes("() R 1"),
      soon("its name"),
    );
    expect(identify(child.id.pid)).toEqual(child.id);
    expect(isRunning(child.id)).toBe(true);
    expect(child.id.startTime).toMatch(/^\d+$/);
  });
});

onLinux("killGroup", () => {
  it("ends everything in the group, also after its leader", async () => {
    const said = spoken("pid");
    const child = await sh(`sleep 60 & echo $! > ${said.file}`);
    await child.exit;
    const left = await until(said.number, soon("the grandchild"));
    expect(alive(left)).toBe(true);
    killGroup(child.id);
    await until(() => !alive(left), soon("the grandchild to end"));
    killGroup(child.id);
  });

  it("ends a group that forks all the time", async () => {
    const child = await sh("while :; do (sleep 0.05; sleep 60) & (:) & done");
    await until(() => withEnvironment(`TEST_MARK=${MARK}`).length > 30, soon("many processes"));
    killGroup(child.id);
    await child.exit;
    await until(() => withEnvironment(`TEST_MARK=${MARK}`).length === 0, soon("all to end"));
  });
});

onLinux("findStart", () => {
  it("finds what one start made by its nonce, the oldest first", async () => {
    const nonce = `${MARK}-nonce`;
    const child = await sh("setsid sleep 60 & sleep 60 & wait", {
      [START_VARIABLE]: nonce,
    });
    const found = await until(() => {
      const now = findStart(nonce);
      return now.length === 3 && now.filter(({ id, group }) => id.pid === group).length === 2 && now;
    }, soon("three processes, two of them leaders"));
    expect(found[0]).toEqual({ id: child.id, group: child.id.pid });
    expect(findStart(nonce.slice(0, -1))).toEqual([]);
    for (const { id } of found) signalProcess(id, "SIGKILL");
    await child.exit;
    await until(() => findStart(nonce).length === 0, soon("all to end"));
  });
});
