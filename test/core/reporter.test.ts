/** When the leader key is read, written and asked about: transcripts of the step function. */
import { describe, expect, it } from "vitest";
import { encodeLeader } from "../../src/core/leader-key.ts";
import { blankReport } from "../../src/core/node-report.ts";
import type { Versioned } from "../../src/core/provider.ts";
import { type Effect, type Input, initialReporter, patience, stepReporter } from "../../src/core/reporter.ts";

const text = (id: string, term: number, seq = 1) =>
  encodeLeader({
    id,
    api_addr: `http://${id}`,
    addr: `${id}:4002`,
    v: 1,
    genesis_id: "g",
    term,
    incarnation: `${id}-1`,
    seq,
  });
const at = (revision: string, value: string): Versioned => ({ value, revision });

/** Node a, which leads in term 1 unless told. Each input gives a short word for the effect. */
function play(
  now: { role?: "leader" | "replica" | "unknown"; term?: number | null; genesis?: string | null } = {},
) {
  let state = initialReporter;
  let last: Effect | null = null;
  const facts = {
    role: "leader" as "leader" | "replica" | "unknown",
    term: 1 as number | null,
    genesis: "g" as string | null,
    ...now,
  };
  const give = (input: Input): string => {
    const done = stepReporter(state, input, {
      self: { id: "a", incarnation: "a-1", agent_addr: "", api_addr: "a", addr: "a:4002" },
      apiAddr: "http://a",
      genesis: facts.genesis,
      report: { ...blankReport("model", "healthy", null), role: facts.role, term: facts.term },
    });
    state = done.state;
    last = done.effect;
    if (last?.type === "swap") return `swap ${last.expected?.revision ?? "none"} ${last.record.term}`;
    return last?.type ?? "nothing";
  };
  return {
    facts,
    give,
    look: () => give({ type: "look" }),
    due: () => give({ type: "due" }),
    saw: (raw: Versioned | null) => give({ type: "saw", raw }),
    read: (raw: Versioned | null) => give({ type: "read", raw }),
    failed: () => give({ type: "failed", problem: "store away" }),
    won: (revision: string) => give({ type: "swapped", result: { kind: "won", revision } }),
    lost: (current: Versioned | null) => give({ type: "swapped", result: { kind: "lost", current } }),
    unknown: () => give({ type: "swapped", result: { kind: "unknown", problem: "no answer" } }),
    answered: (answer: "leader" | "not_leader" | "silent", registered = true) =>
      give({ type: "answered", answer, registered }),
    now: () => [state.resting, state.trouble?.code ?? null, patience(state)],
    state: () => state,
  };
}

describe("the reporter", () => {
  it("reads first where it has not seen the key, and then writes over what it read", () => {
    const one = play();
    expect(one.look()).toBe("read");
    expect(one.read(at("4", text("b", 0)))).toBe("swap 4 1");
    expect(one.won("5")).toBe("nothing");
    expect(one.now()).toEqual(["true", null, "round"]);
  });

  it("needs no read where the watch has shown the key", () => {
    const one = play({ role: "replica" });
    one.saw(at("4", text("b", 1)));
    expect(one.look()).toBe("nothing");
    one.facts.role = "leader";
    one.facts.term = 2;
    expect(one.look()).toBe("swap 4 2");
  });

  it("creates the key where the watch has shown that it is absent", () => {
    const one = play();
    one.saw(null);
    expect(one.look()).toBe("swap none 1");
  });

  it("does one thing at a time", () => {
    const one = play();
    expect(one.look()).toBe("read");
    expect([one.look(), one.due(), one.saw(null), one.give({ type: "noticed" })]).toEqual([
      "nothing",
      "nothing",
      "nothing",
      "nothing",
    ]);
    expect(one.read(null)).toBe("swap none 1");
    expect([one.look(), one.due()]).toEqual(["nothing", "nothing"]);
  });

  it("writes nothing after a read when the database leads no more, or leads in a later term", () => {
    const one = play();
    one.look();
    one.facts.role = "replica";
    expect(one.read(null)).toBe("nothing");
    expect(one.now()).toEqual(["not_leading", null, "round"]);
    const two = play();
    two.look();
    two.facts.term = 3;
    expect(two.read(at("4", text("b", 2)))).toBe("swap 4 3");
  });

  it("begins every round of a leader with a read, and writes only what is wrong", () => {
    const one = play();
    one.saw(at("4", text("a", 1)));
    expect(one.look()).toBe("nothing");
    expect(one.due()).toBe("read");
    expect(one.read(at("4", text("a", 1)))).toBe("nothing");
    expect(one.due()).toBe("read");
    expect(one.read(at("7", '{"id":"n"}'))).toBe("swap 7 1");
  });

  it("asks a store nothing while it does not lead", () => {
    const one = play({ role: "replica" });
    expect([one.look(), one.due(), one.saw(at("4", text("b", 1))), one.look(), one.due()]).toEqual(
      Array.from({ length: 5 }, () => "nothing"),
    );
  });

  it("reads back after an unknown write, whoever leads by then, and takes no watch for it", () => {
    const one = play();
    one.saw(null);
    one.look();
    one.facts.role = "replica";
    expect(one.unknown()).toBe("read");
    one.saw(null);
    expect(one.read(at("5", text("a", 1)))).toBe("nothing");
    const two = play();
    two.saw(null);
    two.look();
    expect(two.unknown()).toBe("read");
    expect(two.failed()).toBe("nothing");
    expect(two.now()).toEqual(["store", "store", "retry"]);
    expect(two.saw(at("9", text("b", 0)))).toBe("nothing");
    expect(two.look()).toBe("read");
  });

  it("writes again only over what it read back", () => {
    const one = play();
    one.saw(at("4", text("b", 0)));
    expect(one.look()).toBe("swap 4 1");
    expect(one.unknown()).toBe("read");
    expect(one.read(at("4", text("b", 0)))).toBe("swap 4 1");
    expect(one.unknown()).toBe("read");
    expect(one.read(at("5", text("a", 1, 2)))).toBe("nothing");
    expect(one.now()).toEqual(["true", null, "round"]);
  });

  it("goes on from what a lost write shows, and waits after three that miss", () => {
    const one = play({ term: 9 });
    one.saw(at("1", text("b", 1)));
    expect(one.look()).toBe("swap 1 9");
    expect(one.lost(at("2", text("b", 2)))).toBe("swap 2 9");
    expect(one.lost(at("3", text("b", 3)))).toBe("swap 3 9");
    expect(one.lost(at("4", text("b", 4)))).toBe("nothing");
    expect(one.now()).toEqual(["store", "store", "retry"]);
    expect(one.look()).toBe("nothing");
    expect(one.due()).toBe("read");
    expect(one.read(at("5", text("b", 5)))).toBe("swap 5 9");
    expect(one.won("6")).toBe("nothing");
    expect(one.now()).toEqual(["true", null, "round"]);
  });

  it("stops under a higher term, until a report says otherwise", () => {
    const one = play({ term: 4 });
    one.saw(at("4", text("b", 5)));
    expect(one.look()).toBe("nothing");
    expect(one.now()).toEqual([null, "stale_leader_report", "round"]);
    expect(one.state().trouble?.message).toContain("term 4");
    expect(one.state().trouble?.message).toContain("term 5");
    one.facts.term = 6;
    expect(one.look()).toBe("swap 4 6");
    expect(one.won("5")).toBe("nothing");
    expect(one.state().trouble).toBeNull();
  });

  it("overwrites nothing that it cannot read, and says so even as a replica", () => {
    const one = play({ role: "replica" });
    one.saw(at("4", '{"id":"x","v":2}'));
    expect(one.look()).toBe("nothing");
    expect(one.now()).toEqual([null, "unreadable_leader_record", "round"]);
    one.facts.role = "leader";
    expect(one.look()).toBe("nothing");
    expect(one.due()).toBe("read");
    expect(one.read(at("4", '{"id":"x","v":2}'))).toBe("nothing");
  });

  it("looks again where the watch showed something else while it wrote", () => {
    const one = play();
    one.saw(null);
    one.look();
    one.saw(at("6", '{"id":"n"}'));
    expect(one.won("5")).toBe("read");
    expect(one.read(at("6", '{"id":"n"}'))).toBe("swap 6 1");
  });

  it("takes no watch that lags behind its own write for news", () => {
    const one = play();
    one.saw(at("4", text("b", 0)));
    one.look();
    const mine = at("5", text("a", 1, 2));
    one.won("5");
    one.saw(at("4", text("b", 0)));
    expect(one.state().known).toEqual(mine);
    expect(one.look()).toBe("nothing");
  });
});

describe("the reporter and another node", () => {
  const over = at("4", text("b", 5));

  it("asks a node of the same term once, and again when the time has come", () => {
    const one = play({ term: 5 });
    one.saw(over);
    expect(one.look()).toBe("ask");
    expect(one.answered("leader")).toBe("nothing");
    expect(one.now()).toEqual(["conflict", "leader_conflict", "retry"]);
    expect([one.look(), one.look()]).toEqual(["nothing", "nothing"]);
    expect(one.due()).toBe("read");
    expect(one.read(over)).toBe("ask");
    expect(one.answered("not_leader")).toBe("nothing");
    expect(one.now()).toEqual(["same_term", null, "round"]);
    one.facts.term = 6;
    expect(one.look()).toBe("swap 4 6");
  });

  it("waits for a silent node that is registered, and not for one that is gone", () => {
    const one = play({ term: null });
    one.saw(over);
    expect(one.look()).toBe("ask");
    expect(one.answered("silent")).toBe("nothing");
    expect(one.now()).toEqual(["silent", null, "retry"]);
    expect(one.look()).toBe("nothing");
    expect(one.due()).toBe("read");
    expect(one.read(over)).toBe("ask");
    expect(one.answered("silent", false)).toBe("swap 4 6");
  });

  it("takes an answer about one record for nothing about the next", () => {
    const one = play({ term: null });
    one.saw(over);
    one.look();
    one.saw(at("5", text("c", 6)));
    expect(one.answered("not_leader")).toBe("ask");
    expect(one.answered("not_leader")).toBe("swap 5 7");
  });

  it("writes at once when it was seen to become leader under that very record", () => {
    const one = play({ term: null, role: "replica" });
    one.saw(over);
    one.look();
    one.facts.role = "leader";
    expect(one.look()).toBe("swap 4 6");
  });

  it("asks when the record is younger than its promotion", () => {
    const one = play({ term: null, role: "replica" });
    one.saw(over);
    one.look();
    one.facts.role = "leader";
    one.give({ type: "noticed" });
    one.saw(at("5", text("c", 6)));
    expect(one.look()).toBe("ask");
  });

  it("takes a database that did not answer for a moment for no promotion", () => {
    const one = play({ term: null });
    one.saw(over);
    expect(one.look()).toBe("ask");
    one.answered("leader");
    one.facts.role = "unknown";
    one.look();
    one.facts.role = "leader";
    expect(one.look()).toBe("nothing");
    expect(one.now()[0]).toBe("conflict");
  });

  it("waits for the term of a database that has given one before", () => {
    const one = play({ term: 5 });
    one.saw(at("4", text("a", 5)));
    one.look();
    one.facts.term = null;
    one.saw(at("5", text("b", 6)));
    expect(one.look()).toBe("nothing");
    expect(one.now()).toEqual(["no_term", null, "round"]);
  });

  it("remembers the highest term under a native node's record, until the key is absent", () => {
    const one = play({ term: 4 });
    one.saw(over);
    one.saw(at("6", '{"id":"n"}'));
    expect(one.look()).toBe("nothing");
    expect(one.now()[1]).toBe("stale_leader_report");
    one.saw(null);
    one.saw(at("8", '{"id":"n"}'));
    expect(one.look()).toBe("swap 8 4");
  });
});
