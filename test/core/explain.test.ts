import { describe, expect, it } from "vitest";
import { type Explanation, explain, type Facts } from "../../src/core/explain.ts";
import {
  type Doubt,
  initial,
  type Kept,
  type Phase,
  type Refusal,
  type Rules,
  type Settled,
  type State,
  type Trouble,
  type Wait,
} from "../../src/core/genesis-state.ts";
import type { GenesisRecord, Sealed, Unborn } from "../../src/core/model.ts";
import { notCountedText } from "../../src/core/not-counted.ts";
import type { NotCounted } from "../../src/core/quorum.ts";
import { discoveryOf } from "./discovery.ts";

const rules: Rules = {
  key: "prod/orders",
  nodeId: "n1",
  voter: true,
  expect: 3,
  genesis: "auto",
  formation: "single",
  initialises: false,
};
const kept: Kept = { incarnation: "i1", claim: null, stamp: null, marker: null, opened: false, votes: null };
const ref = (id: string) => ({ id, incarnation: `${id}-1`, agent_addr: "", api_addr: "", addr: "" });
const sealed: Sealed = {
  v: 1,
  state: "sealed",
  init_id: "init-1",
  birth: 2,
  expect: 3,
  gen: 1,
  claim_id: "g-mine",
  genesis_id: "g-mine",
  node: "n2",
  incarnation: "n2-1",
  formation: "single",
  members: ["n1", "n2", "n3"].map(ref),
  hash: "h",
};
const r1 = { value: "", id: "r1", api_addr: "http://10.0.0.1:4001", addr: "10.0.0.1:4002" };
const unborn: Unborn = { v: 1, state: "unborn", init_id: "init-1", birth: 1, expect: 3 };

const DENIED = { problem: "announce: 403 Permission denied", hint: null };

type Given = {
  readonly rules?: Partial<Rules>;
  readonly state?: Partial<State>;
  readonly facts?: Partial<Facts>;
};

function explained({ rules: more, state, facts }: Given): Explanation {
  return explain({
    rules: { ...rules, ...more },
    state: { ...initial(kept, "empty"), ...state },
    seen: 2,
    reachable: 1,
    idTaken: null,
    discovery: null,
    registrationProblem: null,
    initFailure: null,
    loopbackAmongOthers: false,
    overdue: false,
    nextTryMs: 300,
    ...facts,
  });
}
const waiting = (wait: Wait, more: Given = {}) =>
  explained({ ...more, state: { phase: { at: "waiting", wait }, ...more.state } });
const seen = (record: GenesisRecord) => ({ record, at: { value: "", revision: "7" } });

/** What every explanation promises: a stable word, whole sentences, and no hole where a name should be. */
function promised({ code, summary, unblock }: Explanation): void {
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
  for (const text of [summary, ...unblock]) {
    expect(text).toMatch(/^[A-Z0-9a-z].*[.`)]$|^Run: /);
    expect(text).not.toMatch(/undefined|null|NaN|\[object|\n| {2}/);
  }
}

/** One row a variant, and TypeScript refuses the table when a variant has no row. */
type Row<T> = {
  readonly given: T;
  readonly more?: Given;
  readonly names: readonly string[];
  readonly nothingToDo?: true;
};

describe("a wait", () => {
  const table: { [On in Wait["on"]]: Row<Extract<Wait, { on: On }>> } = {
    store: {
      given: { on: "store", of: "store", problem: "read genesis: connection refused" },
      names: ["connection refused"],
    },
    duplicate_node_id: {
      given: { on: "duplicate_node_id", by: "10.0.0.9:4100" },
      names: ["10.0.0.9:4100", "n1", "-node-id"],
    },
    expect_differs: {
      given: { on: "expect_differs", others: [{ id: "n2", expect: 5 }] },
      names: ["n2 with 5", "-bootstrap-expect 3"],
    },
    too_many_voters: {
      given: { on: "too_many_voters", voters: 6, safe: 4 },
      names: ["6", "-bootstrap-expect 4"],
    },
    not_alone: { given: { on: "not_alone" }, names: ["-join self"] },
    votes: {
      given: { on: "votes", silent: [ref("n2")], refused: [{ id: "n3", why: "promised" }] },
      names: ["n2 does not answer", "n3 has promised"],
      nothingToDo: true,
    },
    lost_voters: {
      given: { on: "lost_voters", missing: [ref("n2")], of: [ref("n2"), ref("n3")] },
      names: ["n2", "rollcall genesis assume-lost n2-1", "prod/orders"],
    },
    founders: {
      given: { on: "founders", founders: [ref("n2"), ref("n3")] },
      names: ["n2, n3"],
      nothingToDo: true,
    },
    owner: {
      given: { on: "owner", owner: ref("n2"), genesisId: "g-1" },
      names: ["n2", "g-1"],
      nothingToDo: true,
    },
    no_record: {
      given: { on: "no_record" },
      more: { rules: { genesis: "strict" } },
      names: ["strict", "rollcall genesis init", "prod/orders", "rollcall genesis restore"],
    },
    registration: { given: { on: "registration" }, names: ["members directory"], nothingToDo: true },
    foreign_leader: {
      given: { on: "foreign_leader", leader: r1, answers: false, silentMs: 12_345 },
      names: [
        "r1 at http://10.0.0.1:4001",
        "not answered for 12 s",
        "Start that database again",
        "`rollcall genesis init -disco-key prod/orders -bootstrap-expect 3 -forget-leader r1 -confirm prod/orders`",
      ],
    },
    members_gone: {
      given: {
        on: "members_gone",
        genesisId: "g-old",
        gone: [
          { id: "x1", address: "10.0.0.1:4100", wiped: false },
          { id: "n1", address: "", wiped: true },
        ],
      },
      names: [
        "x1 at 10.0.0.1:4100, n1 (back with an empty disk)",
        "Start them again",
        "`rollcall genesis rebirth -genesis g-old -disco-key prod/orders -confirm prod/orders`",
      ],
    },
    holder: {
      given: { on: "holder", holder: "n7", genesisId: "g-theirs" },
      names: ["n7", "g-theirs", "rollcall genesis restore"],
    },
    expect_mismatch: {
      given: { on: "expect_mismatch", recordExpect: 5 },
      names: ["-bootstrap-expect 3", "5", "rollcall genesis init"],
    },
    voters: { given: { on: "voters" }, names: ["0 of 3", "3 more", "-disco-key", "-http-adv-addr"] },
    claimant: { given: { on: "claimant", claimant: "n8" }, names: ["n8"], nothingToDo: true },
    turn: { given: { on: "turn" }, names: ["one before this node"], nothingToDo: true },
    others: { given: { on: "others" }, names: ["rollcall explain"] },
    claimer: { given: { on: "claimer", claimer: "n9" }, names: ["n9", "15 s"], nothingToDo: true },
  };

  it.each(Object.entries(table))(
    "%s: has a code, names what is missing, and says what unblocks it",
    (on, row) => {
      const said = waiting(row.given, row.more);
      promised(said);
      expect(said).toMatchObject({ code: on, phase: "waiting", settled: false, next_try_ms: 300 });
      const text = [said.summary, ...said.unblock].join(" ");
      for (const name of row.names) expect(text).toContain(name);
      expect(said.unblock.length).toBeGreaterThan(0);
      expect(said.unblock[0]?.startsWith("Nothing to do")).toBe(row.nothingToDo ?? on === "holder");
      // Being late does not change what it is about.
      const late = waiting(row.given, { ...row.more, facts: { overdue: true } });
      expect(late).toMatchObject({ code: on, overdue: true });
      expect(late.summary).toContain("-bootstrap-expect-timeout");
    },
  );

  it("for voters counts them, names them, and says why each other one is not counted", () => {
    const notCounted: NotCounted[] = [
      { id: "n2", incarnation: "n2-1", why: "no_answer" },
      { id: "n3", incarnation: "n3-1", why: "other_expect", detail: "5" },
    ];
    const said = waiting(
      { on: "voters" },
      { state: { tally: { counted: [ref("n1")], notCounted, holders: [], claimants: [] } } },
    );
    expect(said.summary).toBe("1 of 3 voters are there: n1 (this node). 2 more must register and answer.");
    expect(said.unblock).toEqual([
      "Not counted: n2 is registered but does not answer this agent.",
      "Not counted: n3 was started with -bootstrap-expect 5.",
      "Start 2 more voters with this -disco-key and -bootstrap-expect 3, reachable at their -http-adv-addr.",
    ]);
    expect(said).toMatchObject({ expected: 3, seen: 2, reachable: 1, counted: ["n1"] });
    expect(said.not_counted.map((n) => [n.id, n.why])).toEqual([
      ["n2", "no_answer"],
      ["n3", "other_expect"],
    ]);
  });

  it("for one more voter is in the singular", () => {
    const counted = ["n1", "n2"].map(ref);
    const said = waiting(
      { on: "voters" },
      { state: { tally: { counted, notCounted: [], holders: [], claimants: [] } } },
    );
    expect(said.unblock).toEqual([expect.stringContaining("Start 1 more voter with")]);
  });

  it("of a node that only joins says which flag makes it so", () => {
    const reader = waiting({ on: "no_record" }, { rules: { voter: false } });
    expect(reader.summary).toContain("-non-voter");
    const never = waiting({ on: "no_record" }, { rules: { genesis: "never" } });
    expect(never.summary).toContain("-genesis=never");
    expect(waiting({ on: "others" }, { rules: { voter: false } }).summary).toContain("only joins");
  });
});

describe("a refusal", () => {
  const table: { [Code in Refusal["code"]]: Row<Extract<Refusal, { code: Code }>> } = {
    foreign_data: { given: { code: "foreign_data", doubt: null }, names: ["has data", "-data-dir"] },
    genesis_conflict: {
      given: { code: "genesis_conflict", with: "g-theirs", where: "n7" },
      names: ["g-mine", "g-theirs", "n7", "prod/orders", "-disco-key"],
    },
    reborn: {
      given: { code: "reborn", birth: 3 },
      names: ["birth 3", "g-mine", "birth 2", "Wipe this node"],
    },
    park_failed: {
      given: { code: "park_failed", problem: "db is a mount point", commands: ["mkdir /x", "mv /y /x"] },
      names: ["db is a mount point", "Run: mkdir /x", "Run: mv /y /x"],
    },
  };
  const holder = { ...kept, marker: sealed, opened: true };
  const settled: Settled = { kind: "existing", record: sealed };

  it.each(Object.entries(table))(
    "%s: is said before and after settling, with what resolves it",
    (code, row) => {
      const closed = explained({ state: { kept: holder, phase: { at: "refused", refusal: row.given } } });
      const open = explained({ state: { kept: holder, settled, trouble: row.given, phase: { at: "open" } } });
      for (const said of [closed, open]) {
        promised(said);
        expect(said.code).toBe(code);
        const text = [said.summary, ...said.unblock].join(" ");
        for (const name of row.names) expect(text).toContain(name);
        expect(said.unblock.length).toBeGreaterThan(0);
      }
      expect([closed.settled, open.settled]).toEqual([false, true]);
      expect([closed.phase, open.phase]).toEqual(["refused", "open"]);
    },
  );

  it("of two geneses can be resolved where no store keeps a record, and keeps both where one does", () => {
    const said = (
      more: Partial<Refusal & { code: "genesis_conflict" }>,
      storeless: boolean,
      mine: boolean,
    ) => {
      const refusal: Refusal = { code: "genesis_conflict", with: "g-2", where: "n7", ...more };
      const given = explained({
        state: { kept: mine ? holder : kept, phase: { at: "refused", refusal } },
        facts: storeless ? { discovery: discoveryOf() } : {},
      });
      promised(given);
      return [given.summary, ...given.unblock].join("\n");
    };
    const two = said({ why: "two_others", with: "g-2 and g-3", where: "n7 and n8" }, true, false);
    expect(two).toContain("Two clusters were made under prod/orders: n7 and n8 belong to g-2 and g-3.");
    const gone = said({ why: "given_up" }, true, false);
    expect(gone).toMatch(/n7 belongs to genesis g-2.*gone for good/);
    const mine = said({}, true, true);
    expect(mine).toContain("This node belongs to genesis g-mine, but n7 says g-2");
    for (const text of [two, gone, mine]) {
      expect(text).toContain("move its -data-dir");
      // Neither the command nor another key with the same directory is taken there.
      expect(text).not.toMatch(/genesis show|-disco-key|adopt/);
    }
    expect(said({}, false, true)).toMatch(/-disco-key of their own.*new -data-dir.*genesis adopt/);
  });

  it("is not hidden by a node id that is taken, or by registering", () => {
    const said = explained({
      state: { phase: { at: "refused", refusal: { code: "foreign_data", doubt: null } } },
      facts: { idTaken: { by: "10.0.0.9:4100", alive: true }, registrationProblem: DENIED },
    });
    expect(said.code).toBe("foreign_data");
  });
});

describe("a leader record that a database wrote", () => {
  const foreign = (more: Partial<Extract<Wait, { on: "foreign_leader" }>>, given: Given = {}) =>
    waiting({ on: "foreign_leader", leader: r1, answers: false, silentMs: 0, ...more }, given);

  it("is told from one that cannot be asked, and from one that has just fallen silent", () => {
    expect(foreign({}).summary).toContain("which does not answer.");
    const unasked = foreign({ silentMs: null });
    promised(unasked);
    expect(unasked.summary).toContain("an agent without -db cannot ask");
    expect(unasked.unblock[0]).toContain("-db");
  });

  it("whose cluster runs is joined once somebody may write that", () => {
    const never = foreign({ answers: true, silentMs: null }, { rules: { genesis: "never" } });
    const strict = foreign({ answers: true, silentMs: null }, { rules: { genesis: "strict" } });
    for (const [said, mode] of [
      [never, "never"],
      [strict, "strict"],
    ] as const) {
      promised(said);
      expect(said.summary).toContain(`-genesis=${mode} does not write`);
      expect(said.unblock).toEqual(["Start an agent with -genesis=auto under this -disco-key."]);
    }
  });

  it("is named as a shell takes it, whatever is in it", () => {
    const odd = foreign({ leader: { ...r1, id: "it's n1" } });
    expect(odd.unblock.join(" ")).toContain(`-forget-leader 'it'\\''s n1' -confirm`);
    const nameless = foreign({ leader: { value: "?", id: "", api_addr: "", addr: "" } });
    expect(nameless.unblock.join(" ")).toContain("-forget-leader unreadable -confirm");
    expect(foreign({}, { rules: { voter: false } }).unblock.join(" ")).toContain("-bootstrap-expect N ");
  });
});

describe("data that rollcall did not make", () => {
  const refused = (doubt: Doubt, record: GenesisRecord | null) =>
    explained({
      state: {
        phase: { at: "refused", refusal: { code: "foreign_data", doubt } },
        seen: record && seen(record),
      },
    });
  const adopt = "`rollcall genesis adopt -disco-key prod/orders -confirm prod/orders`";

  it("may be adopted while no cluster was created, and not afterwards", () => {
    for (const record of [null, unborn]) expect(refused(null, record).unblock[0]).toContain(adopt);
    expect(refused(null, sealed).unblock.join(" ")).not.toContain("adopt");
  });

  it("are brought in by agents with a store, and by no command without one", () => {
    const said = explained({
      state: { phase: { at: "refused", refusal: { code: "foreign_data", doubt: null } }, seen: null },
      facts: { discovery: discoveryOf() },
    });
    promised(said);
    const text = said.unblock.join("\n");
    expect(text).not.toContain(adopt);
    expect(text).toMatch(/consul-kv, etcd-kv or disco.*`rollcall genesis adopt`/);
  });

  it.each<[Doubt, string]>([
    ["silent", "does not answer"],
    ["not_listed", "does not count n1 among its members"],
    ["other_cluster", "in another cluster"],
  ])("under an adopted genesis say why they stay closed: %s", (doubt, words) => {
    const said = refused(doubt, sealed);
    promised(said);
    expect(said.summary).toContain(words);
    expect(said.unblock).toHaveLength(3);
  });
});

describe("a settled node", () => {
  const kinds: Record<Settled["kind"], string> = {
    bootstrap: "creates",
    join: "joins",
    existing: "is part of",
  };

  it.each(Object.entries(kinds))("%s: says so, with its genesis, and that nothing is to do", (kind, word) => {
    const settled: Settled = { kind: kind as Settled["kind"], record: sealed };
    // Whatever it is doing: a settled node looks at the record now and then.
    for (const phase of [{ at: "open" }, { at: "reading" }, { at: "asking", about: "restore" }] as Phase[]) {
      const said = explained({ state: { settled, phase } });
      promised(said);
      expect(said).toMatchObject({
        code: "settled",
        settled: true,
        unblock: [],
        counted: [],
        not_counted: [],
      });
      expect(said.summary).toContain(word);
      expect(said.summary).toContain("g-mine");
      expect(said.genesis).toEqual({ state: "sealed", id: "g-mine", birth: 2, expect: 3, node: "n2" });
    }
  });

  it("is never overdue, and not troubled by its registration", () => {
    const settled: Settled = { kind: "join", record: sealed };
    const facts = { overdue: true, registrationProblem: DENIED, idTaken: { by: "x", alive: false } };
    const said = explained({ state: { settled, phase: { at: "open" } }, facts });
    expect(said).toMatchObject({ code: "settled", overdue: false });
  });

  it("says that its list is gone, stays settled, and passes over whom it cannot reach", () => {
    const discovery = discoveryOf({
      ...{ mode: "file", found: ["10.0.0.1:4100"], foundSelf: true, ownAddress: "10.0.0.1:4100" },
      problems: [{ code: "file", text: "look for agents in /a: ENOENT" }],
      silent: [{ address: "10.0.0.2:4100", problem: "connection refused" }],
    });
    const settled: Settled = { kind: "join", record: sealed };
    const said = explained({ state: { settled, phase: { at: "open" } }, facts: { discovery } });
    expect(said).toMatchObject({
      code: "settled",
      settled: true,
      unblock: [
        "Not all agents can be found: look for agents in /a: ENOENT. What is known stays; the agent looks again by itself.",
      ],
    });
  });

  it("says so when another live agent has taken its node id", () => {
    const settled: Settled = { kind: "join", record: sealed };
    const facts = { idTaken: { by: "10.0.0.9:4100", alive: true } };
    const said = explained({ state: { settled, phase: { at: "open" } }, facts });
    expect(said.code).toBe("duplicate_node_id");
    expect(said.summary).toContain("10.0.0.9:4100");
  });

  it("tells a database's directory that cannot be looked at from a store that is away", () => {
    const wait: Wait = { on: "store", of: "database", problem: "look at /db: EACCES" };
    const trouble: Trouble = { code: "store", of: "database", problem: "look at /db: EACCES" };
    const settled: Settled = { kind: "join", record: sealed };
    for (const state of [
      { phase: { at: "waiting", wait } },
      { settled, trouble, phase: { at: "open" } },
    ] as const)
      expect(explained({ state })).toMatchObject({
        code: "database_directory",
        summary: expect.stringContaining("EACCES"),
      });
  });

  it("says how often and how -on-init failed, and that it is run again", () => {
    const facts = { initFailure: { problem: "initdb: exit 1", tries: 3 } };
    const said = explained({ state: { phase: { at: "initialising" } }, facts });
    expect(said).toMatchObject({
      code: "on_init_failing",
      summary: expect.stringMatching(/3 times.*initdb: exit 1/),
    });
    expect(said.unblock.join(" ")).toContain("run again");
  });

  it("says that a loopback address is of no use to members elsewhere", () => {
    const said = explained({
      state: { phase: { at: "waiting", wait: { on: "voters" } } },
      facts: { loopbackAmongOthers: true },
    });
    expect(said.unblock.join(" ")).toContain("-http-adv-addr");
  });

  it("says that the store is away, and that nothing is lost by it", () => {
    const trouble: Trouble = { code: "store", of: "store", problem: "read genesis: connection refused" };
    const settled: Settled = { kind: "join", record: sealed };
    const said = explained({ state: { settled, trouble, phase: { at: "open" } } });
    promised(said);
    expect(said.code).toBe("store");
    expect(said.summary).toMatch(/^Settled\. .*connection refused/);
    expect(said.unblock[0]).toContain("the database is left alone");
  });
});

describe("registering", () => {
  it("under an id that another live agent has names that agent and both ways out", () => {
    const said = explained({
      state: { phase: { at: "reading" } },
      facts: { idTaken: { by: "10.0.0.9:4100", alive: true } },
    });
    promised(said);
    expect(said.code).toBe("duplicate_node_id");
    expect(said.summary).toContain("10.0.0.9:4100");
    expect(said.summary).toContain("n1");
    expect(said.unblock.join(" ")).toMatch(/-node-id.*-data-dir.*stop the agent at 10\.0\.0\.9:4100/);
  });

  it("under an id whose holder is gone says that it lapses by itself", () => {
    const said = waiting({ on: "voters" }, { facts: { idTaken: { by: "10.0.0.9:4100", alive: false } } });
    promised(said);
    expect(said.code).toBe("registration_lapsing");
    expect(said.unblock).toEqual([expect.stringMatching(/^Nothing to do/)]);
  });

  it("that fails is named where it is what this node waits for", () => {
    const { problem } = DENIED;
    for (const wait of [{ on: "voters" }, { on: "registration" }] as const) {
      const said = waiting(wait, { facts: { registrationProblem: DENIED } });
      promised(said);
      expect(said.code).toBe("registration_failing");
      expect(said.summary).toContain(problem);
      expect(said.unblock.join(" ")).toContain("prod/orders/members/n1");
    }
    const store = waiting(
      { on: "store", of: "store", problem: "refused" },
      { facts: { registrationProblem: DENIED } },
    );
    expect(store.code).toBe("store");
    const full = { problem: "announce: 409, the id is full", hint: "create another id" };
    expect(waiting({ on: "voters" }, { facts: { registrationProblem: full } }).unblock).toEqual([
      "create another id",
    ]);
  });
});

describe("a node at work", () => {
  const table: {
    [At in Exclude<Phase["at"], "waiting" | "refused">]: { phase: Extract<Phase, { at: At }>; shown: string };
  } = {
    reading: { phase: { at: "reading" }, shown: "reading" },
    asking: { phase: { at: "asking", about: "claim" }, shown: "asking" },
    saving: { phase: { at: "saving", before: "read" }, shown: "saving" },
    swapping: { phase: { at: "swapping", about: "init", next: unborn }, shown: "initialising_record" },
    initialising: { phase: { at: "initialising" }, shown: "initialising" },
    parking: { phase: { at: "parking" }, shown: "parking" },
    open: { phase: { at: "open" }, shown: "open" },
    voting: {
      phase: {
        at: "voting",
        poll: {
          message: {
            v: 1,
            key: "prod/orders",
            from: ref("n1"),
            kind: "prepare",
            decree: "members",
            ballot: { round: 1, incarnation: "i1" },
            members: [ref("n1")],
          },
          to: [],
          own: null,
        },
      },
      shown: "voting",
    },
  };

  it.each(Object.entries(table))("%s: says what it does", (_, { phase, shown }) => {
    const said = explained({ state: { phase, seen: null } });
    expect(said).toMatchObject({ phase: shown, unblock: [], settled: false });
    expect(said.code).toMatch(/^[a-z_]+$/);
    expect(said.summary).not.toBe("");
  });

  it("tells the four kinds of write apart", () => {
    type About = Extract<Phase, { at: "swapping" }>["about"];
    const words: Record<About, string> = {
      init: "initialising_record",
      claim: "claiming",
      seal: "sealing",
      restore: "restoring",
      adopt: "adopting",
    };
    for (const [about, word] of Object.entries(words))
      expect(
        explained({ state: { phase: { at: "swapping", about: about as About, next: unborn } } }).phase,
      ).toBe(word);
  });

  it("that has never read the record is starting", () => {
    expect(explained({}).code).toBe("starting");
    expect(explained({ state: { seen: null } }).code).toBe("reading");
  });

  it("shows the record that it saw last", () => {
    expect(explained({}).genesis).toBeNull();
    expect(explained({ state: { seen: seen(unborn) } }).genesis).toEqual({
      state: "unborn",
      id: null,
      birth: 1,
      expect: 3,
      node: null,
    });
    expect(explained({ state: { seen: seen(sealed) } }).genesis).toMatchObject({
      state: "sealed",
      id: "g-mine",
    });
  });
});

describe("why an agent is not counted", () => {
  const table: Record<NotCounted["why"], { detail?: string; text: string }> = {
    no_answer: { text: "does not answer" },
    not_registered: { text: "not in the members directory" },
    duplicate_node_id: { text: "two live agents" },
    non_voter: { text: "non-voter" },
    other_key: { detail: "prod/billing", text: "prod/billing" },
    other_expect: { detail: "5", text: "-bootstrap-expect 5" },
    other_birth: { detail: "2", text: "birth 2" },
    pending: { detail: "c7", text: "c7" },
    used: { text: "has data" },
    marker: { detail: "g-theirs", text: "g-theirs" },
    assumed_lost: { text: "assume-lost" },
  };

  it.each(Object.entries(table))("%s: ends a sentence that begins with its id", (why, { detail, text }) => {
    const said = notCountedText({
      id: "n2",
      incarnation: "n2-1",
      why: why as NotCounted["why"],
      ...(detail === undefined ? {} : { detail }),
    });
    expect(said).toContain(text);
    expect(said).toMatch(/^(is|was|has|belongs|knows) /);
  });
});
