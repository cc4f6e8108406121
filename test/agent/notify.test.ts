import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NOTIFY_LIMIT_MS, openNotify } from "../../src/agent/notify.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { manualClock } from "../lib/manual-clock.ts";
import { inPath, start } from "../support/processes.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { rememberingLog, silentLog } from "./support/log.ts";

const soon = (what: string) => ({ deadlineMs: 5_000, what });

/** A folder with a systemd-notify of our own in it, which writes down how it is called. */
function standIn(script = "") {
  const dir = tempDir("notify");
  const program = join(dir, "systemd-notify");
  writeFileSync(program, `#!/bin/sh\necho "$*" >> ${dir}/calls\n${script}\n`);
  chmodSync(program, 0o755);
  const calls = () =>
    existsSync(join(dir, "calls")) ? readFileSync(join(dir, "calls"), "utf8").trim().split("\n") : [];
  return { dir, calls, env: { PATH: `${dir}:${process.env.PATH}`, NOTIFY_SOCKET: "/run/notify" } };
}

describe("openNotify", () => {
  it("does nothing outside a service", async () => {
    const { env, calls } = standIn();
    const notify = openNotify({ env: { PATH: env.PATH }, pid: 7, clock: systemClock, log: silentLog });
    await notify.tell({ READY: "1" });
    expect(calls()).toEqual([]);
  });

  it("tells for the agent's process, in order", async () => {
    const { env, calls } = standIn();
    const notify = openNotify({ env, pid: 7, clock: systemClock, log: silentLog });
    await notify.tell({ READY: "1", STATUS: "settled" });
    await notify.tell({ STOPPING: "1" });
    expect(calls()).toEqual(["--pid=7 READY=1 STATUS=settled", "--pid=7 STOPPING=1"]);
  });

  it("sends what comes meanwhile together, the latest of each", async () => {
    const { env, calls, dir } = standIn('while [ ! -e "$(dirname "$0")/go" ]; do :; done');
    const notify = openNotify({ env, pid: 7, clock: systemClock, log: silentLog });
    const all = [notify.tell({ STATUS: "one" })];
    await until(() => calls().length === 1, soon("the first call"));
    for (let i = 0; i < 100; i++) all.push(notify.tell({ STATUS: `n ${i}` }));
    all.push(notify.tell({ READY: "1" }));
    writeFileSync(join(dir, "go"), "");
    await Promise.all(all);
    expect(calls()).toEqual(["--pid=7 STATUS=one", "--pid=7 STATUS=n 99 READY=1"]);
  });

  it("keeps a text in its own field", async () => {
    const { env, calls } = standIn();
    const notify = openNotify({ env, pid: 7, clock: systemClock, log: silentLog });
    await notify.tell({ STATUS: "waits for\nMAINPID=1" });
    expect(calls()).toEqual(["--pid=7 STATUS=waits for MAINPID=1"]);
  });

  it.each([
    ["is missing", null, /systemd-notify: .*ENOENT/],
    ["fails", "echo 'Connection refused' >&2; exit 1", /exit 1: Connection refused/],
  ])("says once when the program %s, and harms nobody", async (_, script, problem) => {
    const { env } = standIn(script ?? "");
    const { log, lines } = rememberingLog();
    const there = script === null ? { ...env, PATH: tempDir("empty") } : env;
    const notify = openNotify({ env: there, pid: 7, clock: systemClock, log });
    await notify.tell({ READY: "1" });
    await notify.tell({ STOPPING: "1" });
    expect(lines()).toEqual([
      expect.objectContaining({ msg: "could not notify systemd", error: expect.stringMatching(problem) }),
    ]);
  });

  it("waits for nobody for long", async () => {
    const { env, calls } = standIn("sleep 60");
    const clock = manualClock();
    const { log, lines } = rememberingLog();
    const told = openNotify({ env, pid: 7, clock, log }).tell({ READY: "1" });
    await until(() => calls().length === 1, soon("the call"));
    clock.advance(NOTIFY_LIMIT_MS);
    await told;
    expect(lines()[0]?.error).toBe("systemd-notify: still running after 2 s");
    expect(clock.pending()).toBe(0);
  });
});

/** Receives datagrams as a service manager does: says what came and for which process, and closes what came with it. */
const RECEIVER = `
import os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
print("listening", flush=True)
while True:
    data, more, _, _ = s.recvmsg(4096, 8192)
    pid = 0
    for level, kind, value in more:
        if kind == socket.SCM_RIGHTS: os.close(struct.unpack("i", value)[0])
        if kind == socket.SCM_CREDENTIALS: pid = struct.unpack("3i", value[:12])[0]
    print(pid, data.decode().replace("\\n", " "), flush=True)
`;

const missing = ["systemd-notify", "python3"].filter((program) => inPath(program) === null);
const withSystemd = (name: string, body: () => void) => {
  if (missing.length === 0) describe(name, body);
  else if (process.env.CI !== "true") describe.skip(`${name} [skipped: no ${missing.join(", no ")}]`, body);
  else describe(name, () => it(`has ${missing.join(", ")}`, () => expect(missing).toEqual([])));
};

withSystemd("the real systemd-notify", () => {
  it("delivers what the agent tells, in its name where it may", async () => {
    const socket = join(tempDir("notify"), "socket");
    const receiver = await start({ program: "python3", args: ["-c", RECEIVER, socket] });
    await until(() => receiver.stdout().startsWith("listening"), soon("the socket"));
    const env = { PATH: process.env.PATH, NOTIFY_SOCKET: socket };
    const { log, lines } = rememberingLog();
    const notify = openNotify({ env, pid: process.pid, clock: systemClock, log });
    await notify.tell({ READY: "1", STATUS: "settled: a, b, c" });
    await notify.tell({ STOPPING: "1" });
    const heard = () =>
      receiver
        .stdout()
        .split("\n")
        .filter((line) => line.includes("MAINPID"));
    await until(() => heard().length === 2, soon("both messages"));
    await receiver.kill();
    expect(lines()).toEqual([]);
    const [ready = "", stopping = ""] = heard();
    expect(ready).toMatch(new RegExp(` MAINPID=${process.pid} READY=1 STATUS=settled: a, b, c$`));
    expect(stopping).toMatch(/ STOPPING=1$/);
    // Only root may speak in another process's name.
    if (process.getuid?.() === 0) expect(ready.split(" ")[0]).toBe(`${process.pid}`);
  });
});
