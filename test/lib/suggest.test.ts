import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearest } from "../../src/lib/suggest.ts";

const names = ["disco-mode", "disco-config", "token-file", "http-addr", "o"];

describe("nearest", () => {
  it.each([
    ["disco-mod", "disco-mode"],
    ["disoc-mode", "disco-mode"],
    ["disco_mode", "disco-mode"],
    ["Disco-Config", "disco-config"],
    ["mode", "disco-mode"],
    ["token", "token-file"],
    ["htp-adr", "http-addr"],
    ["", null],
    ["zebra", null],
    ["x".repeat(1000), null],
  ])("answers %j with %s", (word, wanted) => expect(nearest(word, names)).toBe(wanted));

  it("knows a name with any one letter missing", () => {
    fc.assert(
      fc.property(fc.constantFrom(...names.slice(0, 4)), fc.nat(), (name, at) => {
        const cut = at % name.length;
        expect(nearest(name.slice(0, cut) + name.slice(cut + 1), names)).toBe(name);
      }),
    );
  });
});
