import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  initialSupervision,
  LASTED_MS,
  type SupervisionEffect,
  type SupervisionInput,
  type SupervisionRules,
  type SupervisionState,
  superviseStep,
} from "../../src/core/supervision.ts";

const onFailure: SupervisionRules = { restart: "on-failure", stopTimeoutMs: 25_000 };
const always: SupervisionRules = { ...onFailure, restart: "always" };
const never: SupervisionRules = { ...onFailure, restart: "never" };

const begin: SupervisionInput = { is: "begin" };
const ready: SupervisionInput = { is: "planned", ready: true };
const started: SupervisionInput = { is: "started", pid: 7 };
const timer: SupervisionInput = { is: "timer" };
const stop: SupervisionInput = { is: "stop" };
const woken: SupervisionInput = { is: "woken" };
const found: SupervisionInput = { is: "found", pid: 7 };
const notReady = (why: string | null): SupervisionInput => ({ is: "planned", ready: false, why });
const missing: SupervisionInput = { is: "not_started", problem: "db: not found", lasting: true };
const short: SupervisionInput = { is: "not_started", problem: "db: out of memory", lasting: false };
const exited = (code: number, ranMs = 1_000): SupervisionInput => ({
  is: "exited",
  exit: { code, signal: null },
  status: code,
  ranMs,
});
const signalled = (signal: string, status: number): SupervisionInput => ({
  is: "exited",
  exit: { code: null, signal },
  status,
  ranMs: 1_000,
});
/** The end of one that is no child. */
const gone: SupervisionInput = {
  is: "exited",
  exit: { code: null, signal: null },
  status: 1,
  ranMs: 1_000,
};

/** What a node does when it is told these things in turn, a line each. */
function transcript(rules: SupervisionRules, inputs: readonly SupervisionInput[]) {
  let state = initialSupervision;
  const lines = inputs.map((input) => {
    const step = superviseStep(rules, state, input);
    state = step.state;
    return `${input.is} → ${[state.phase.at, ...step.effects.map(shown)].join(", ")}`;
  });
  return { lines, state };
}

function shown(effect: SupervisionEffect): string {
  switch (effect.do) {
    case "signal":
      return effect.name;
    case "timer":
      return effect.ms === null ? "no timer" : `timer ${effect.ms}`;
    case "end":
      return `end ${effect.code}${effect.left ? " left" : ""}`;
    case "fail":
      return `fail: ${effect.problem}`;
    default:
      return effect.do;
  }
}

const up = [begin, ready, started] as const;

describe("a supervised database", () => {
  it("is started once there is a plan, and not before", () => {
    const { lines, state } = transcript(onFailure, [
      begin,
      notReady(null),
      woken,
      notReady("a peer is not there yet"),
      timer,
      ready,
      started,
      woken,
    ]);
    expect(lines).toEqual([
      "begin → waiting, look",
      "planned → waiting, timer 1000",
      "woken → waiting, look",
      "planned → waiting, timer 1000",
      "timer → waiting, look",
      "planned → starting, no timer, spawn",
      "started → running",
      "woken → running",
    ]);
    expect(state).toMatchObject({ problem: null, restarts: 0, takenBack: false });
  });

  it("shows why it waits", () => {
    expect(transcript(onFailure, [begin, notReady("a peer is not there yet")]).state.problem).toBe(
      "a peer is not there yet",
    );
  });

  it("is started again when it fails, ever later, and its leftovers are killed before", () => {
    const again = [exited(1), timer, ready, started] as const;
    const { lines, state } = transcript(onFailure, [...up, ...again, ...again, ...again]);
    expect(lines.slice(3)).toEqual([
      "exited → backing_off, kill_group, timer 250",
      "timer → waiting, look",
      "planned → starting, no timer, spawn",
      "started → running",
      "exited → backing_off, kill_group, timer 500",
      "timer → waiting, look",
      "planned → starting, no timer, spawn",
      "started → running",
      "exited → backing_off, kill_group, timer 1000",
      "timer → waiting, look",
      "planned → starting, no timer, spawn",
      "started → running",
    ]);
    expect(state).toMatchObject({ restarts: 3, lastExit: { code: 1, signal: null } });
  });

  it("waits ten seconds at most, and a short time again after it ran for long", () => {
    const again = [exited(1), timer, ready, started] as const;
    const { state } = transcript(onFailure, [...up, ...Array.from({ length: 30 }, () => again).flat()]);
    expect(superviseStep(onFailure, state, exited(1)).effects).toContainEqual({ do: "timer", ms: 10_000 });
    expect(superviseStep(onFailure, state, exited(1, LASTED_MS - 1)).effects).toContainEqual({
      do: "timer",
      ms: 10_000,
    });
    expect(superviseStep(onFailure, state, exited(1, LASTED_MS)).effects).toContainEqual({
      do: "timer",
      ms: 250,
    });
  });

  it("is not hurried while it waits to be started again", () => {
    expect(transcript(onFailure, [...up, exited(1), woken]).lines.at(-1)).toBe("woken → backing_off");
  });

  it.each([
    ["on-failure, exit 0", onFailure, exited(0), "exited → ended, kill_group, no timer, end 0"],
    ["on-failure, exit 3", onFailure, exited(3), "exited → backing_off, kill_group, timer 250"],
    [
      "on-failure, SIGKILL",
      onFailure,
      signalled("SIGKILL", 137),
      "exited → backing_off, kill_group, timer 250",
    ],
    ["on-failure, unknown", onFailure, gone, "exited → backing_off, kill_group, timer 250"],
    ["always, exit 0", always, exited(0), "exited → backing_off, kill_group, timer 250"],
    ["always, SIGSEGV", always, signalled("SIGSEGV", 139), "exited → backing_off, kill_group, timer 250"],
    ["never, exit 0", never, exited(0), "exited → ended, kill_group, no timer, end 0"],
    ["never, exit 3", never, exited(3), "exited → ended, kill_group, no timer, end 3"],
    ["never, SIGSEGV", never, signalled("SIGSEGV", 139), "exited → ended, kill_group, no timer, end 139"],
    ["never, unknown", never, gone, "exited → ended, kill_group, no timer, end 1"],
  ])("when it ends by itself: %s", (_, rules, input, line) => {
    expect(transcript(rules, [...up, input]).lines.at(-1)).toBe(line);
  });

  it.each([
    ["exit 0", exited(0), 0],
    ["exit 2", exited(2), 2],
    ["the SIGTERM that asked for it", signalled("SIGTERM", 143), 0],
    ["another signal", signalled("SIGSEGV", 139), 139],
    ["unknown", gone, 0],
  ])("when it is told to stop and ends in time: %s", (_, input, code) => {
    expect(transcript(always, [...up, stop, input]).lines.slice(-2)).toEqual([
      "stop → stopping, SIGTERM, SIGCONT, timer 25000",
      `exited → ended, kill_group, no timer, end ${code}`,
    ]);
  });

  it.each([
    ["SIGKILL", signalled("SIGKILL", 137), 137],
    ["unknown", gone, 137],
  ])("is killed when it does not end in time: %s", (_, input, code) => {
    expect(transcript(onFailure, [...up, stop, timer, input]).lines.slice(-3)).toEqual([
      "stop → stopping, SIGTERM, SIGCONT, timer 25000",
      "timer → stopping, kill_group, timer 2000",
      `exited → ended, kill_group, no timer, end ${code}`,
    ]);
  });

  it("is killed at once without a stop timeout", () => {
    expect(transcript({ ...onFailure, stopTimeoutMs: 0 }, [...up, stop]).lines.at(-1)).toBe(
      "stop → stopping, kill_group, timer 2000",
    );
  });

  it("is left behind, and said to be, when even SIGKILL does not end it", () => {
    const { lines, state } = transcript(onFailure, [...up, stop, timer, timer]);
    expect(lines.at(-1)).toBe("timer → ended, no timer, end 137 left");
    expect(state.problem).toBe("still there after SIGKILL");
  });

  it("is stopped as soon as it has started when it was told to stop meanwhile", () => {
    expect(transcript(onFailure, [begin, ready, stop, started, exited(0)]).lines.slice(2)).toEqual([
      "stop → starting, timer 2000",
      "started → stopping, SIGTERM, SIGCONT, timer 25000",
      "exited → ended, kill_group, no timer, end 0",
    ]);
  });

  it("holds nobody up where a start hangs, and is killed should it come after all", () => {
    expect(transcript(onFailure, [begin, ready, stop, timer, started]).lines.slice(2)).toEqual([
      "stop → starting, timer 2000",
      "timer → ended, no timer, end null",
      "started → ended, kill_group",
    ]);
  });

  it.each([
    ["before it began", [], "null"],
    ["while it waits", [begin, notReady(null)], "null"],
    ["while it waits to be started again", [...up, exited(3)], "3"],
    ["after a failed start", [begin, ready, short], "null"],
  ])("ends at once when it is told to stop %s", (_, before, code) => {
    expect(transcript(onFailure, [...before, stop]).lines.at(-1)).toBe(`stop → ended, no timer, end ${code}`);
  });

  it.each([
    [
      "a missing program at the first start",
      onFailure,
      [begin, ready, missing],
      "ended, no timer, fail: db: not found",
    ],
    ["short memory at the first start", onFailure, [begin, ready, short], "backing_off, timer 250"],
    [
      "short memory, never restarted",
      never,
      [begin, ready, short],
      "ended, no timer, fail: db: out of memory",
    ],
    [
      "a missing program later on",
      onFailure,
      [...up, exited(1), timer, ready, missing],
      "backing_off, timer 500",
    ],
  ])("cannot be started: %s", (_, rules, inputs, end) => {
    const { lines, state } = transcript(rules, inputs);
    expect(lines.at(-1)).toBe(`not_started → ${end}`);
    expect(state.problem).toMatch(/^db: /);
  });

  it("is taken back without a plan, and started anew with one when it ends", () => {
    const { lines } = transcript(onFailure, [found, gone, timer, ready, started]);
    expect(lines).toEqual([
      "found → running, no timer",
      "exited → backing_off, kill_group, timer 250",
      "timer → waiting, look",
      "planned → starting, no timer, spawn",
      "started → running",
    ]);
    expect(transcript(onFailure, [found]).state.takenBack).toBe(true);
    expect(transcript(onFailure, [found, gone, timer, ready, started]).state).toMatchObject({
      takenBack: false,
      restarts: 1,
    });
  });
});

/** A world that answers what it is asked, in the order and with the luck that `choices` give. */
function live(rules: SupervisionRules, choices: readonly number[], foundFirst: boolean) {
  let state: SupervisionState = initialSupervision;
  const seen = { spawns: 0, processes: foundFirst ? 1 : 0, most: 0, stopped: false, afterStop: 0, ends: 0 };
  const world = { spawning: false, timer: false, looked: false };
  const tell = (input: SupervisionInput) => {
    const step = superviseStep(rules, state, input);
    state = step.state;
    for (const effect of step.effects) perform(effect);
  };
  const perform = (effect: SupervisionEffect) => {
    if (effect.do === "spawn") {
      seen.spawns += 1;
      if (seen.stopped) seen.afterStop += 1;
      if (world.spawning || seen.processes > 0) seen.most = 2;
      world.spawning = true;
    }
    if (effect.do === "look") world.looked = true;
    if (effect.do === "timer") world.timer = effect.ms !== null;
    if (effect.do === "end" || effect.do === "fail") seen.ends += 1;
  };
  /** One of the things that may happen now. */
  const happen = (choice: number): boolean => {
    const may: (() => void)[] = [];
    if (world.looked)
      return answer(() => {
        world.looked = false;
        tell(choice % 3 === 0 ? notReady(choice % 2 === 0 ? "why" : null) : ready);
      });
    if (world.spawning)
      may.push(() => {
        world.spawning = false;
        if (choice % 5 === 0) return tell(choice % 2 === 0 ? missing : short);
        seen.processes += 1;
        tell(started);
      });
    if (seen.processes > 0)
      may.push(() => {
        seen.processes -= 1;
        tell(choice % 4 === 0 ? gone : exited(choice % 2, choice % 3 === 0 ? 20_000 : 10));
      });
    if (world.timer)
      may.push(() => {
        world.timer = false;
        tell(timer);
      });
    may.push(() => tell(woken));
    if (!seen.stopped)
      may.push(() => {
        seen.stopped = true;
        tell(stop);
      });
    return answer(may[choice % may.length] ?? (() => {}));
  };
  const answer = (act: () => void) => {
    act();
    return true;
  };
  tell(foundFirst ? found : begin);
  for (const choice of choices) happen(choice);
  return { seen, world, tell, state: () => state };
}

describe("supervision, whatever happens", () => {
  const rules = fc.record({
    restart: fc.constantFrom("on-failure", "always", "never"),
    stopTimeoutMs: fc.constantFrom(0, 1_000),
  }) as fc.Arbitrary<SupervisionRules>;
  const choices = fc.array(fc.nat(59), { maxLength: 60 });

  it("never starts a second one, nothing after stop, and ends once", () => {
    fc.assert(
      fc.property(rules, choices, fc.boolean(), (given, luck, foundFirst) => {
        const { seen } = live(given, luck, foundFirst);
        expect(seen.most).toBe(0);
        expect(seen.afterStop).toBe(0);
        expect(seen.ends).toBeLessThanOrEqual(1);
      }),
      { numRuns: 2_000 },
    );
  });

  it("ends after stop by its timers alone, even if nothing else ever answers", () => {
    fc.assert(
      fc.property(rules, choices, fc.boolean(), (given, luck, foundFirst) => {
        const { seen, world, tell, state } = live(given, luck, foundFirst);
        tell(stop);
        for (let i = 0; i < 4 && world.timer; i++) {
          world.timer = false;
          tell(timer);
        }
        expect(state().phase.at).toBe("ended");
        expect(seen.ends).toBe(1);
      }),
      { numRuns: 2_000 },
    );
  });

  it("never rests without a process, a timer or a question under way", () => {
    fc.assert(
      fc.property(rules, choices, fc.boolean(), (given, luck, foundFirst) => {
        const { seen, world, state } = live(given, luck, foundFirst);
        const resting = !world.timer && !world.looked && !world.spawning && seen.processes === 0;
        expect(resting).toBe(resting && state().phase.at === "ended");
      }),
      { numRuns: 2_000 },
    );
  });
});
