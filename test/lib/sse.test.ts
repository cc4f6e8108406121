import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openSse, type SseMessage } from "../../src/lib/sse.ts";

const read = (...pieces: string[]) => {
  const sse = openSse(1_000);
  return pieces.flatMap((piece) => sse.push(piece));
};

describe("an event stream", () => {
  it.each<[string, string, readonly SseMessage[]]>([
    ["a message", "id: 7\nevent: a\ndata: x\n\n", [{ event: "a", data: "x", id: "7" }]],
    ["data of several lines", "data: x\ndata\ndata:  y\n\n", [{ event: "", data: "x\n\n y", id: null }]],
    ["a comment", ": hello\n\n", []],
    ["no data", "event: a\n\ndata: x\n\n", [{ event: "", data: "x", id: null }]],
    ["a message that is not complete", "data: x\n", []],
    ["fields that nobody knows", "retry: 5\nx: y\ndata: x\n\n", [{ event: "", data: "x", id: null }]],
    [
      "an id that stays",
      "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
      [
        { event: "", data: "a", id: "1" },
        { event: "", data: "b", id: "1" },
        { event: "", data: "c", id: null },
      ],
    ],
  ])("is read with %s", (_what, text, wanted) => {
    expect(read(text)).toEqual(wanted);
    expect(read(text.replaceAll("\n", "\r\n"))).toEqual(wanted);
  });

  it("is the same in any pieces and with any line ends", () => {
    const text = "id: 1\ndata: a: ö\n\n: c\n\nevent: e\ndata: b\ndata: c\n\n";
    const wanted = read(text);
    expect(wanted.length).toBe(2);
    fc.assert(
      fc.property(
        fc.constantFrom("\n", "\r\n"),
        fc.array(fc.nat({ max: text.length }), { maxLength: 8 }),
        (end, cuts) => {
          const whole = text.replaceAll("\n", end);
          const at = [0, ...cuts.sort((a, b) => a - b), whole.length];
          const pieces = at.slice(1).map((to, index) => whole.slice(at[index], to));
          expect(read(...pieces)).toEqual(wanted);
        },
      ),
    );
  });

  it("tells its last id before a message has it", () => {
    const sse = openSse(1_000);
    sse.push("id: 9\n");
    expect(sse.lastId()).toBe("9");
  });

  it("is bounded, in a line and over lines", () => {
    expect(() => read("x".repeat(1_001))).toThrow("more than 1000 characters");
    expect(() => read(...Array.from({ length: 50 }, () => `data: ${"x".repeat(30)}\n`))).toThrow(
      "more than 1000",
    );
    expect(read(...Array.from({ length: 50 }, () => `data: ${"x".repeat(30)}\n\n`)).length).toBe(50);
  });
});
