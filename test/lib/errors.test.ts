import { describe, expect, it } from "vitest";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";

describe("reason", () => {
  const table: readonly [string, unknown, string][] = [
    ["a plain error", new Error("it broke"), "it broke"],
    ["no error at all", "text", "text"],
    ["its first line only", new Error("one\ntwo"), "one"],
    ["what the cause adds", new Error("read x", { cause: new Error("refused") }), "read x: refused"],
    [
      "no cause that the message holds already",
      new RollcallError("disk", "write x: ENOSPC", { cause: new Error("ENOSPC") }),
      "write x: ENOSPC",
    ],
    ["an empty message by its code", Object.assign(new Error(""), { code: "EPIPE" }), "EPIPE"],
    ["an empty message by its name", new TypeError(""), "TypeError"],
    [
      "every way to a host that failed by the first, without saying it twice",
      Object.assign(new AggregateError([new Error("connect ECONNREFUSED ::1:4100"), new Error("b")], ""), {
        code: "ECONNREFUSED",
      }),
      "connect ECONNREFUSED ::1:4100",
    ],
    ["an aggregate without parts", new AggregateError([], "all failed"), "all failed"],
    ["a cause that is a text", new Error("swap", { cause: "lost" }), "swap: lost"],
    ["causes of causes", new Error("a", { cause: new Error("b", { cause: new Error("c") }) }), "a: b: c"],
  ];
  it.each(table)("gives %s", (_, error, text) => {
    expect(reason(error)).toBe(text);
  });

  it("ends where errors cause each other", () => {
    const one = new Error("one");
    one.cause = new Error("two", { cause: one });
    expect(reason(one)).toMatch(/^one: two/);
  });
});

describe("codeOf", () => {
  it("gives the code when it is a text, else null", () => {
    expect(codeOf(Object.assign(new Error(), { code: "ENOENT" }))).toBe("ENOENT");
    for (const none of [Object.assign(new Error(), { code: 7 }), new Error(), null, undefined, "ENOENT"])
      expect(codeOf(none)).toBeNull();
  });
});
