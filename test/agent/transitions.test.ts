import { describe, expect, it } from "vitest";
import { eventStream } from "../../src/agent/events.ts";
import { openTransitions } from "../../src/agent/transitions.ts";
import type { Facets } from "../../src/core/transitions.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";

const facets = (outcome: number): Facets => ({
  phase: { code: "settled", overdue: false },
  outcome,
  members: [],
  leader: null,
  role: "unknown",
  status: "unknown",
  version: null,
  database_members: null,
  address: {},
  registration: "held",
  store: true,
  process: null,
  leader_key: null,
  failing: [],
});

describe("the ring of transitions", () => {
  it("counts from 1, takes the first moment as the base, and keeps what changed", () => {
    const ring = openTransitions(manualClock());
    expect(ring.update(facets(0))).toBe(false);
    expect([ring.seq(), ring.recent()]).toEqual([1, []]);
    expect(ring.update(facets(0))).toBe(false);
    expect(ring.update(facets(1))).toBe(true);
    expect(ring.recent()).toEqual([
      { seq: 2, at: "2026-01-01T00:00:00.000Z", kind: "outcome", before: 0, after: 1 },
    ]);
  });

  it("gives what came after a sequence, and null for one it does not reach back to or has not come to", () => {
    const ring = openTransitions(manualClock());
    for (let i = 0; i <= 100; i++) ring.update(facets(i));
    expect(ring.seq()).toBe(101);
    expect(ring.recent()).toHaveLength(64);
    expect(ring.after(101)).toEqual([]);
    expect(ring.after(99)?.map((t) => t.seq)).toEqual([100, 101]);
    expect(ring.after(37)).toHaveLength(64);
    expect(ring.after(36)).toBeNull();
    expect(ring.after(102)).toBeNull();
  });

  it("takes no more followers than it has room for", () => {
    const ring = openTransitions(manualClock());
    const unfollows = Array.from({ length: 128 }, () => ring.follow(() => {}));
    expect(ring.follow(() => {})).toBeNull();
    unfollows[0]?.();
    expect(ring.follow(() => {})).not.toBeNull();
  });
});

/** A stream and a reader of what it said. */
function open(last: string | null = null) {
  const clock = manualClock();
  const transitions = openTransitions(clock);
  for (let i = 0; i < 3; i++) transitions.update(facets(i));
  const stop = new AbortController();
  const source = { bootId: "boot-1", clock, transitions, state: () => ({ seq: transitions.seq() }) };
  const stream = eventStream(source, last, stop.signal);
  const reader = stream?.getReader();
  const read = async () => {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    return done ? null : new TextDecoder().decode(value);
  };
  return { clock, transitions, stop, reader, read };
}

describe("the stream of events", () => {
  it("begins with the whole state and goes on with each transition", async () => {
    const { transitions, read } = open();
    expect(await read()).toBe('id: boot-1-3\nevent: state\ndata: {"seq":3}\n\n');
    transitions.update(facets(7));
    expect(await read()).toBe(
      'id: boot-1-4\nevent: outcome\ndata: {"kind":"outcome","seq":4,"at":"2026-01-01T00:00:00.000Z","before":2,"after":7}\n\n',
    );
  });

  it("resumes after the last event that a reader has seen", async () => {
    const { read } = open("boot-1-2");
    expect(await read()).toMatch(/^id: boot-1-3\nevent: outcome\n/);
  });

  it.each(["boot-0-2", "boot-1-x", "boot-1-99", "nonsense"])(
    "gives the whole state to a reader that comes with %s",
    async (last) => {
      const { read } = open(last);
      expect(await read()).toMatch(/event: state/);
    },
  );

  it("gives the whole state again to a reader that was too slow", async () => {
    const { transitions, read } = open("boot-1-3");
    for (let i = 0; i < 100; i++) transitions.update(facets(100 + i));
    // One chunk was asked for ahead of the reader, while nothing had happened.
    const said = await read();
    expect(said).toMatch(/event: state/);
  });

  it("breaks a silence with a comment", async () => {
    const { clock, read } = open("boot-1-3");
    const said = read();
    await turns();
    clock.advance(15_000);
    expect(await said).toBe(":\n\n");
  });

  it("ends when the agent stops, and leaves no timer and no follower", async () => {
    const { clock, stop, read, transitions } = open("boot-1-3");
    const said = read();
    await turns();
    stop.abort();
    expect(await said).toBeNull();
    expect(clock.pending()).toBe(0);
    for (let i = 0; i < 128; i++) expect(transitions.follow(() => {})).not.toBeNull();
  });

  it("leaves nothing when the reader goes", async () => {
    const { clock, reader, transitions } = open("boot-1-3");
    await turns();
    await reader?.cancel();
    await turns();
    expect(clock.pending()).toBe(0);
    for (let i = 0; i < 128; i++) expect(transitions.follow(() => {})).not.toBeNull();
  });
});
