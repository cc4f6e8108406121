import { mkdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openKeptFile } from "../../src/lib/kept-file.ts";
import { type Log, openLog } from "../../src/lib/log.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { manualClock, turns } from "./manual-clock.ts";

/** A file that follows `now.text`. */
function make() {
  const path = join(tempDir("kept"), "value");
  const clock = manualClock();
  const lines: string[] = [];
  const log: Log = openLog({
    level: "debug",
    format: "json",
    color: false,
    write: (line) => void lines.push(line),
  });
  const now: { text: string | null } = { text: null };
  const file = openKeptFile({ path, text: () => now.text, clock, log });
  const stop = new AbortController();
  const running = file.run(stop.signal);
  const read = () => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return null;
    }
  };
  return {
    path,
    clock,
    lines,
    read,
    set(text: string) {
      now.text = text;
      file.changed();
    },
    /** Moves the clock until the file holds this. */
    holds: (text: string) =>
      until(
        () => {
          clock.advance(50);
          return read() === text;
        },
        { deadlineMs: 5_000, what: `the file to hold ${text}` },
      ),
    async end() {
      stop.abort();
      await running;
      expect(clock.pending()).toBe(0);
    },
  };
}

describe("a kept file", () => {
  it("is made once there is something, and follows what changes, merged", async () => {
    const one = make();
    await turns();
    expect(one.read()).toBeNull();
    one.set("1");
    await one.holds("1");
    for (const text of ["2", "3", "4"]) one.set(text);
    await one.holds("4");
    await one.end();
  });

  it("is not written when it holds that already", async () => {
    const one = make();
    one.set("1");
    await one.holds("1");
    const before = statSync(one.path, { bigint: true }).mtimeNs;
    for (let i = 0; i < 20; i++) {
      one.set("1");
      one.clock.advance(300);
      await turns(3);
    }
    expect(statSync(one.path, { bigint: true }).mtimeNs).toBe(before);
    await one.end();
  });

  it("holds the last change when it ends", async () => {
    const one = make();
    one.set("1");
    await one.holds("1");
    one.set("2");
    await one.end();
    expect(one.read()).toBe("2");
  });

  it("that cannot be written is said, and written with the next change", async () => {
    const one = make();
    mkdirSync(`${one.path}.new`);
    one.set("1");
    await until(
      () => {
        one.clock.advance(50);
        return one.lines.length;
      },
      { deadlineMs: 5_000, what: "the warning" },
    );
    expect(JSON.parse(one.lines[0] ?? "")).toMatchObject({
      level: "warn",
      error: expect.stringContaining(one.path),
    });
    rmdirSync(`${one.path}.new`);
    one.set("2");
    await one.holds("2");
    await one.end();
  });
});
