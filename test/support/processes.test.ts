import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { inPath, isExecutable, run, running, start } from "./processes.ts";
import { removeTemp, tempDir } from "./temp.ts";
import { until } from "./wait.ts";

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

// A process of its own that starts a child by `processes.ts` and prints the child's pid.
async function parentOfASleeper(then: string) {
  const script = `
    import { start } from ${JSON.stringify(here("processes.ts"))};
    import { tempDir } from ${JSON.stringify(here("temp.ts"))};
    const child = await start({ program: "sleep", args: ["600"] });
    process.stdout.write(JSON.stringify({ pid: child.pid, folder: tempDir() }) + "\\n");
    ${then}`;
  const args = ["--input-type=module-typescript", "--no-warnings", "-e", script];
  const parent = await start({
    name: "parent",
    program: process.execPath,
    args,
    env: { NODE_OPTIONS: undefined },
  });
  const text = await until(() => parent.stdout().includes("\n") && parent.stdout(), {
    deadlineMs: 10_000,
    what: "the child's pid",
    giveUp: () => (parent.exit() === null ? null : parent.stderr()),
  });
  return { parent, ...(JSON.parse(text) as { pid: number; folder: string }) };
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

describe("processes", () => {
  it("runs a program, and says how it failed and what it wrote", async () => {
    expect((await run("sh", ["-c", "echo out; echo err >&2"])).stdout).toBe("out\n");
    await expect(run("sh", ["-c", "echo broken >&2; exit 3"])).rejects.toThrow("exit code 3: broken");
    await expect(start({ program: "no-such-program" })).rejects.toMatchObject({ code: "spawn" });
  });

  it("stops one that ignores SIGTERM, and one that is paused", async () => {
    const deaf = await start({
      program: "sh",
      args: ["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"],
    });
    await until(() => deaf.stdout() === "ready\n", { deadlineMs: 2_000, what: "the trap" });
    expect(await deaf.stop(100)).toEqual({ code: null, signal: "SIGKILL" });
    const paused = await start({ program: "sleep", args: ["600"] });
    expect(await paused.pause()).toBe(true);
    expect(await paused.stop()).toEqual({ code: null, signal: "SIGTERM" });
    expect(running()).toEqual([]);
  });

  it("leaves nothing behind when a test process fails", async () => {
    const { parent, pid, folder } = await parentOfASleeper("throw new Error('crash')");
    expect((await parent.ended).code).toBe(1);
    await until(() => isGone(pid), { deadlineMs: 2_000, what: "the child to be gone" });
    expect(existsSync(folder)).toBe(false);
  });

  it.runIf(process.platform === "linux" && inPath("setpriv") !== null)(
    "leaves no process behind when a test process is killed",
    async () => {
      const { parent, pid, folder } = await parentOfASleeper("setInterval(() => {}, 1000)");
      await parent.kill();
      await until(() => isGone(pid), { deadlineMs: 2_000, what: "the child to be gone" });
      removeTemp(folder);
    },
  );

  it("finds programs", () => {
    expect(inPath("sh")).toMatch(/^\/.*sh$/);
    expect(inPath("no-such-program")).toBeNull();
    expect(isExecutable(here("processes.ts"))).toBe(false);
  });
});

describe("temp", () => {
  it("gives a fresh folder each time and removes it", () => {
    const [one, two] = [tempDir(), tempDir()];
    expect(one).not.toBe(two);
    removeTemp(one);
    removeTemp(one);
    expect([existsSync(one), existsSync(two)]).toEqual([false, true]);
  });
});

describe("until", () => {
  it("gives the first truthy value", async () => {
    let n = 0;
    expect(await until(() => (++n > 3 ? n : null), { deadlineMs: 1_000, what: "n" })).toBe(4);
  });

  it("says what it waited for and what it saw last, an error too", async () => {
    const wait = (condition: () => unknown) => until(condition, { deadlineMs: 20, what: "the moon" });
    await expect(wait(() => 0)).rejects.toThrow("waited 20 ms for the moon; last: 0");
    await expect(
      wait(() => {
        throw new Error("clouds");
      }),
    ).rejects.toThrow("last: clouds");
    await expect(wait(() => new Promise(() => {}))).rejects.toThrow("no answer");
  });

  it("gives up early when there is a reason to", async () => {
    const hopeless = until(() => false, { deadlineMs: 10_000, what: "it", giveUp: () => "it ended" });
    await expect(hopeless).rejects.toThrow("gave up waiting for it: it ended");
  });
});
