import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  answerHolds,
  type Call,
  callHolds,
  counterWindow,
  readCall,
  signAnswer,
  signCall,
} from "../../src/agent/signature.ts";

const call: Call = {
  method: "POST",
  path: "/v1/peer/hello",
  key: "rollcall",
  nodeId: "n1",
  incarnation: "n1-1",
  bootId: "boot",
  counter: 7,
  nonce: "0123456789abcdef",
  body: '{"v":1}',
};
const SECRET = "a secret of the cluster";
const requestOf = ({ method, path, key, body }: Call) => ({ method, path, key, body });

const anyCall: fc.Arbitrary<Call> = fc.record({
  method: fc.constantFrom("GET", "POST"),
  path: fc.webPath(),
  key: fc.string({ unit: "grapheme" }),
  nodeId: fc.string({ unit: "grapheme" }),
  incarnation: fc.string({ unit: "grapheme", minLength: 1 }),
  bootId: fc.string({ unit: "grapheme" }),
  counter: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  nonce: fc.string({ minLength: 16, maxLength: 64 }),
  body: fc.string({ unit: "grapheme" }),
});

describe("the header of a call", () => {
  it("comes back as it went, and holds for its secret only", () => {
    fc.assert(
      fc.property(anyCall, fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (one, secret, other) => {
        const header = signCall(secret, one);
        // What a header may carry: no line break, nothing but printable ASCII.
        expect(header).toMatch(/^[\x21-\x7e]+$/);
        const read = readCall(header, requestOf(one));
        expect(read?.call).toEqual(one);
        expect(read && callHolds(secret, read.call, read.signature)).toBe(true);
        if (other !== secret) expect(read && callHolds(other, read.call, read.signature)).toBe(false);
      }),
    );
  });

  it("does not hold once any part is another", () => {
    const other: { [Part in keyof Call]: Call[Part] } = {
      method: "GET",
      path: "/v1/peer/other",
      key: "rollcall/2",
      nodeId: "n2",
      incarnation: "n1-2",
      bootId: "other boot",
      counter: 8,
      nonce: "fedcba9876543210",
      body: '{"v":2}',
    };
    const signature = signCall(SECRET, call).split(";")[5] ?? "";
    expect(callHolds(SECRET, call, signature)).toBe(true);
    for (const part of Object.keys(other) as (keyof Call)[])
      expect([part, callHolds(SECRET, { ...call, [part]: other[part] }, signature)]).toEqual([part, false]);
  });

  it("does not let one part's end be another part's beginning", () => {
    const signature = signCall(SECRET, { ...call, nodeId: "ab", incarnation: "c" }).split(";")[5] ?? "";
    expect(callHolds(SECRET, { ...call, nodeId: "a", incarnation: "bc" }, signature)).toBe(false);
  });

  it("is not read from anything else, and never throws", () => {
    const header = signCall(SECRET, call);
    const parts = header.split(";");
    const swapped = (at: number, text: string) => parts.with(at, text).join(";");
    for (const bad of [
      undefined,
      "",
      ";;;;;",
      header.slice(0, header.lastIndexOf(";")),
      `${header};more`,
      swapped(0, "%"),
      swapped(1, ""),
      swapped(3, "0"),
      swapped(3, "-1"),
      swapped(3, "1.5"),
      swapped(3, "9007199254740992"),
      swapped(3, "x"),
      swapped(3, ""),
      swapped(4, "short"),
    ])
      expect([bad, readCall(bad, requestOf(call))]).toEqual([bad, null]);
    fc.assert(
      fc.property(fc.string(), (text) => {
        readCall(text, requestOf(call));
      }),
    );
  });
});

describe("the signature of an answer", () => {
  it("holds for this secret, nonce, status and body only, and is no call's", () => {
    const answer = { status: 200, body: "{}", signature: signAnswer(SECRET, call.nonce, 200, "{}") };
    expect(answerHolds(SECRET, call.nonce, answer)).toBe(true);
    expect(answerHolds("another secret", call.nonce, answer)).toBe(false);
    expect(answerHolds(SECRET, "another nonce, long", answer)).toBe(false);
    expect(answerHolds(SECRET, call.nonce, { ...answer, status: 201 })).toBe(false);
    expect(answerHolds(SECRET, call.nonce, { ...answer, body: "{ }" })).toBe(false);
    expect(answerHolds(SECRET, call.nonce, { ...answer, signature: "" })).toBe(false);
    expect(callHolds(SECRET, call, answer.signature)).toBe(false);
  });
});

describe("the window of counters", () => {
  it("takes each counter once, and none that lies 64 or more behind the highest", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 400 }), (counters) => {
        const window = counterWindow();
        const taken = new Set<number>();
        let highest = 0;
        for (const counter of counters) {
          const expected = !taken.has(counter) && counter > highest - 64;
          expect(window.take("a", counter)).toBe(expected);
          if (expected) {
            taken.add(counter);
            highest = Math.max(highest, counter);
          }
          expect(window.highest("a")).toBe(highest);
        }
      }),
    );
  });

  it("keeps one incarnation's counters from another's", () => {
    const window = counterWindow();
    expect(window.take("a", 5)).toBe(true);
    expect(window.take("b", 5)).toBe(true);
    expect(window.take("a", 5)).toBe(false);
    expect([window.highest("a"), window.highest("c")]).toEqual([5, 0]);
  });

  it("holds a bounded number of incarnations and forgets none of them", () => {
    const window = counterWindow(3);
    for (const name of ["a", "b", "c"]) expect(window.take(name, 1)).toBe(true);
    expect(window.take("d", 1)).toBe(false);
    expect(window.take("a", 1)).toBe(false);
    expect(window.take("a", 2)).toBe(true);
  });

  it("holds 4096 unless told", () => {
    const window = counterWindow();
    for (let i = 0; i < 4096; i++) expect(window.take(`incarnation ${i}`, 1)).toBe(true);
    expect(window.take("one more", 1)).toBe(false);
    expect(window.take("incarnation 0", 2)).toBe(true);
  });

  it("is not worn down by counters that jump", () => {
    const window = counterWindow();
    expect(window.take("a", Number.MAX_SAFE_INTEGER)).toBe(true);
    expect(window.take("a", Number.MAX_SAFE_INTEGER)).toBe(false);
    expect(window.take("a", Number.MAX_SAFE_INTEGER - 63)).toBe(true);
    expect(window.take("a", Number.MAX_SAFE_INTEGER - 64)).toBe(false);
  });
});
