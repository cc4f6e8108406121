import { describe, expect, it } from "vitest";
import { askRound, type RoundOptions } from "../../src/agent/round.ts";
import type { Hello } from "../../src/core/model.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { helloOf } from "./support/records.ts";

const never = () => new AbortController().signal;
const silence = () => new Promise<null>(() => {});

/** A round over agents that answer as the table says; who is named is asked as well. */
function make(
  answers: Record<string, () => Promise<Hello | null>>,
  known: readonly string[],
  slow: readonly string[] = [],
) {
  const clock = manualClock();
  const targets = [...known];
  const asked: string[] = [];
  let news: (address: string | null) => void = () => {};
  const options: RoundOptions = {
    clock,
    targets: () => targets,
    ask(address) {
      asked.push(address);
      return answers[address]?.() ?? Promise.resolve(null);
    },
    heard({ peers }) {
      for (const { agent_addr } of peers) if (!targets.includes(agent_addr)) targets.push(agent_addr);
    },
    onNews(then) {
      news = then;
      return () => {
        news = () => {};
      };
    },
    wasSlow: (address) => slow.includes(address),
  };
  /** Another one becomes known, in whatever way. */
  const met = (address: string) => {
    if (!targets.includes(address)) targets.push(address);
    news(address);
  };
  return { clock, asked, options, targets, met };
}
const naming = (id: string, ...named: string[]) =>
  helloOf(id, { peers: named.map((name) => ({ id: name, incarnation: `${name}-1`, agent_addr: name })) });
const answering = (hello: Hello) => () => Promise.resolve(hello);
const ids = (hellos: readonly Hello[]) => hellos.map((h) => h.node_id).sort();
const atLeast = (count: number) => ({ isEnough: (hellos: readonly Hello[]) => hellos.length >= count });

describe("a round of asking", () => {
  it("asks everybody once, and whom they name", async () => {
    const { options, asked } = make(
      { a: answering(naming("a", "b", "c")), b: answering(naming("b", "a")), c: answering(naming("c")) },
      ["a"],
    );
    expect(ids(await askRound(options, never(), null))).toEqual(["a", "b", "c"]);
    expect(asked.sort()).toEqual(["a", "b", "c"]);
  });

  it("asks whoever becomes known while it waits", async () => {
    const late = Promise.withResolvers<Hello>();
    const { options, targets } = make({ a: () => late.promise, b: answering(naming("b")) }, ["a"]);
    const round = askRound(options, never(), null);
    targets.push("b");
    late.resolve(naming("a"));
    expect(ids(await round)).toEqual(["a", "b"]);
  });

  it("waits for everybody, unless told that some are enough", async () => {
    const { options, clock } = make({ a: answering(naming("a")), hole: silence }, ["a", "hole"]);
    let over = false;
    void askRound(options, never(), null).then(() => (over = true));
    await turns();
    clock.advance(3_600_000);
    await turns();
    expect(over).toBe(false);
  });

  it("gives the others a little time once there are enough, and takes who comes in it", async () => {
    const late = Promise.withResolvers<Hello>();
    const { options, clock } = make({ a: answering(naming("a")), b: () => late.promise, hole: silence }, [
      "a",
      "b",
      "hole",
    ]);
    const round = askRound(options, never(), atLeast(1));
    await turns();
    clock.advance(20);
    late.resolve(naming("b"));
    await turns();
    clock.advance(1_000);
    expect(ids(await round)).toEqual(["a", "b"]);
    expect(clock.pending()).toBe(0);
  });

  it("waits no more for one that was slow the last time, and asks it all the same", async () => {
    const { options, asked } = make({ a: answering(naming("a")), hole: silence }, ["hole", "a"], ["hole"]);
    // The clock stands still: nobody is waited for who has not answered.
    expect(ids(await askRound(options, never(), atLeast(5)))).toEqual(["a"]);
    expect(asked).toContain("hole");
  });

  it("asks who introduces itself while nobody answers, and then waits no more for who has had its time", async () => {
    const { options, clock, met } = make({ b: answering(naming("b")), hole: silence }, ["hole"]);
    const round = askRound(options, never(), atLeast(1));
    await turns();
    clock.advance(400);
    met("b");
    // The clock stands still.
    expect(ids(await round)).toEqual(["b"]);
  });

  it("asks one again that was not there yet when it was asked, once it introduces itself", async () => {
    const answers = { b: () => Promise.resolve<Hello | null>(null), hole: silence };
    const { options, clock, met, asked } = make(answers, ["hole", "b"]);
    const round = askRound(options, never(), atLeast(1));
    await turns();
    clock.advance(400);
    answers.b = answering(naming("b"));
    met("b");
    expect(ids(await round)).toEqual(["b"]);
    expect(asked).toEqual(["hole", "b", "b"]);
  });

  it("gives others as long again as the slowest answer took", async () => {
    const [late, later] = [Promise.withResolvers<Hello>(), Promise.withResolvers<Hello>()];
    const { options, clock } = make({ a: () => late.promise, b: () => later.promise, hole: silence }, [
      "a",
      "b",
      "hole",
    ]);
    const round = askRound(options, never(), atLeast(1));
    await turns();
    clock.advance(300);
    late.resolve(naming("a"));
    await turns();
    clock.advance(299);
    later.resolve(naming("b"));
    await turns();
    clock.advance(1);
    expect(ids(await round)).toEqual(["a", "b"]);
  });

  it("asks nobody any more once it is over", async () => {
    const late = Promise.withResolvers<Hello>();
    const { options, clock, asked } = make({ a: answering(naming("a")), b: () => late.promise }, ["a", "b"]);
    const round = askRound(options, never(), atLeast(1));
    await turns();
    clock.advance(1_000);
    await round;
    late.resolve(naming("b", "c"));
    await turns();
    expect(asked).not.toContain("c");
  });
});
