import { describe, expect, it } from "vitest";
import { type LogOptions, openLog } from "../../src/lib/log.ts";

function collect(options: Partial<LogOptions>) {
  const lines: string[] = [];
  const log = openLog({
    level: "info",
    format: "json",
    color: false,
    write: (line) => void lines.push(line),
    ...options,
  });
  return { log, lines };
}

describe("log", () => {
  it("writes one JSON object a line, with level, time, part and fields", () => {
    const { log, lines } = collect({});
    log.child({ part: "store" }).warn({ error: "refused", tries: 2 }, "waiting");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith("\n")).toBe(true);
    const { time, ...rest } = JSON.parse(lines[0] ?? "");
    expect(rest).toEqual({ level: "warn", part: "store", error: "refused", tries: 2, msg: "waiting" });
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it("writes text for people, in order, without quotes where none are needed", () => {
    const { log, lines } = collect({ format: "text" });
    log.child({ part: "store" }).info({ addr: "127.0.0.1:4100", n: 3, list: ["a"] }, "listening");
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} info {2}store: listening addr=127\.0\.0\.1:4100 n=3 list=\["a"\]\n$/,
    );
  });

  it("keeps one event on one line, and control characters from the terminal", () => {
    const { log, lines } = collect({ format: "text" });
    log.error({ problem: 'a\nb \u001b[31m"red"' }, "refused");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('problem="a\\nb \\u001b[31m\\"red\\""');
    expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
  });

  it("colours the level alone, when asked", () => {
    const { log, lines } = collect({ format: "text", color: true });
    log.error({}, "no");
    expect(lines[0]).toContain("\u001b[31merror\u001b[39m no");
  });

  it("leaves out what is below its level", () => {
    const { log, lines } = collect({ level: "warn" });
    log.info({}, "quiet");
    log.debug({}, "quiet");
    log.warn({}, "loud");
    expect(lines).toHaveLength(1);
  });
});
