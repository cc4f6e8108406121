/** The explorer itself, and through it the shipped genesis protocol: kept scopes, limits and mutants. */
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { explore, type Model, type Move } from "./explore.ts";
import { genesisModel } from "./genesis-model.ts";
import { limits } from "./limits.ts";
import { mutant, shipped } from "./mutate.ts";
import { registerModel } from "./register-model.ts";
import { type RegisterDifference, registerScope } from "./register-scope.ts";
import type { World as RegisterWorld } from "./register-world.ts";
import { type Kind, names, type Report, told } from "./report.ts";
import { type Difference, scope } from "./scope.ts";
import type { World } from "./world.ts";

/** A model over numbers: `steps` from each to others, a fault where the target is negative. */
function numbers(steps: Record<number, readonly number[]>, more: Partial<Model<number>> = {}): Model<number> {
  return {
    start: 0,
    key: String,
    moves: (world) =>
      (steps[world] ?? []).map(
        (to): Move<number> => ({
          label: `${world} to ${Math.abs(to)}`,
          world: Math.abs(to),
          fault: to < 0,
        }),
      ),
    violation: () => null,
    ...more,
  };
}

describe("the explorer", () => {
  it("visits every world once, round circles too", () => {
    const found = explore(numbers({ 0: [1, 2], 1: [3], 2: [3], 3: [0, 3] }), 10);
    expect(found).toEqual({ states: 4, transitions: 6, complete: true, violation: null, stuck: null });
  });

  it("finds a violation by a shortest trace", () => {
    const model = numbers(
      { 0: [1, 4], 1: [2], 2: [9], 4: [9] },
      { violation: (world) => (world === 9 ? "nine" : null) },
    );
    const { violation, complete } = explore(model, 100);
    expect(violation).toEqual({ what: "nine", trace: ["0 to 4", "4 to 9"] });
    expect(complete).toBe(false);
  });

  it("finds the first world from which the goal cannot be reached", () => {
    const model = numbers({ 0: [1, 2], 1: [5], 2: [3], 3: [2] }, { goal: (world) => world === 5 });
    expect(explore(model, 100).stuck).toEqual(["0 to 2"]);
  });

  it("lets no fault help to the goal, and takes a fault into a dead end for one", () => {
    const goal = (world: number) => world === 5;
    expect(explore(numbers({ 0: [1], 1: [-5] }, { goal }), 100).stuck).toEqual([]);
    expect(explore(numbers({ 0: [5, -7] }, { goal }), 100).stuck).toEqual(["0 to 7"]);
  });

  it("takes a circle that leads to the goal for no dead end", () => {
    const model = numbers({ 0: [1], 1: [0, 2], 2: [1, 5] }, { goal: (world) => world === 5 });
    expect(explore(model, 100)).toMatchObject({ complete: true, stuck: null });
  });

  it("does not call itself complete when the bound came first", () => {
    const endless: Model<number> = {
      ...numbers({}),
      moves: (world) => [{ label: "on", world: world + 1, fault: false }],
    };
    expect(explore(endless, 50)).toEqual({
      states: 50,
      transitions: 50,
      complete: false,
      violation: null,
      stuck: null,
    });
    expect(explore(numbers({ 0: [1], 1: [2] }), 3).complete).toBe(true);
    expect(explore(numbers({ 0: [1], 1: [2] }), 2).complete).toBe(false);
  });
});

describe("the reductions of the genesis model", () => {
  const same: Record<string, Difference> = {
    "nothing goes wrong": {},
    "a cut": { faults: { cut: 1 } },
    "one node is enough": { rules: { expect: 1 } },
    "initialised, wiped": { rules: { initialises: true }, live: false, faults: { storeWipe: 1 } },
    "an unsafe store": { compare: "presence", faults: { storeWipe: 1 } },
    "an unsafe limit": { rules: { expect: 1 }, faults: { storeWipe: 1, cut: 1 } },
    "a dead fleet": { start: "orphaned", rules: { expect: 1 }, faults: { rebirth: 1 } },
    "a native cluster that comes": { rules: { expect: 1 }, faults: { nativeStart: 1 } },
    "a stuck limit": { watchesData: false, faults: { crash: 1 } },
  };
  for (const [name, difference] of Object.entries(same))
    it(`lose nothing: ${name}`, { timeout: 240_000 }, () => {
      const [less, all] = [true, false].map((reduced) => visited(difference, reduced));
      expect(less?.verdict).toEqual(all?.verdict);
      expect([...(less?.sights ?? [])].filter((sight) => !all?.sights.has(sight))).toEqual([]);
      expect(less?.states ?? 0).toBeLessThan((all?.states ?? 0) / 4);
    });

  function visited(difference: Difference, reduced: boolean) {
    const model = genesisModel(shipped.store, scope(difference), { reduced });
    const sights = new Set<string>();
    const { states, violation, stuck, complete } = explore(
      {
        ...model,
        violation(world) {
          sights.add(sight(world));
          return model.violation(world);
        },
      },
      1_000_000,
    );
    return { states, sights, verdict: [complete, violation === null, stuck === null] };
  }

  /** What a bystander sees of a world: who is up, who holds what, what runs, and what the record says. */
  function sight({ nodes, record, opened, left }: World): string {
    const seen = nodes.map((n) => [
      n.state !== null,
      n.kept.marker !== null,
      n.running !== null,
      n.created,
      n.data,
    ]);
    const state = record && /"state":"\w+"/.exec(record.value)?.[0];
    return JSON.stringify([seen.map(String).sort(), state, opened.length, Object.values(left)]);
  }
});

describe("the reductions of the register model", () => {
  const small = { elections: 1, foundings: 1 };
  const same: Record<string, RegisterDifference> = {
    "two form": { faults: small },
    "the founders of three": {
      nodes: 3,
      rules: { formation: "symmetric" },
      views: { 0: [1], 2: [1] },
      awake: true,
      faults: { ...small, lost: 1 },
    },
    "a lost disk": { rules: { formation: "symmetric" }, faults: { ...small, diskWipe: 1 } },
    "two sets that do not meet": {
      nodes: 3,
      rules: { formation: "symmetric" },
      each: { 2: { expect: 1 } },
      views: { 0: [1], 1: [0], 2: [] },
      alone: [2],
      live: false,
    },
  };
  for (const [name, difference] of Object.entries(same))
    it(`lose nothing: ${name}`, { timeout: 240_000 }, () => {
      const [less, all] = [true, false].map((reduced) => visited(difference, reduced));
      expect(less?.verdict).toEqual(all?.verdict);
      if (less?.verdict[1]) expect([...less.sights].filter((sight) => !all?.sights.has(sight))).toEqual([]);
      expect(less?.states ?? 0).toBeLessThan((all?.states ?? 0) / 2);
    });

  function visited(difference: RegisterDifference, reduced: boolean) {
    const model = registerModel(shipped.register, registerScope(difference), { reduced });
    const sights = new Set<string>();
    const { states, violation, stuck, complete } = explore(
      {
        ...model,
        violation(world) {
          sights.add(sight(world));
          return model.violation(world);
        },
      },
      1_000_000,
    );
    return { states, sights, verdict: [complete, violation === null, stuck === null] };
  }

  /** What a bystander sees of a world: who is up, who holds what, what runs, and what was ever decided. */
  function sight({ nodes, founders, chosen, opened, left }: RegisterWorld): string {
    const seen = nodes.map((n) => [n.state !== null, n.kept.marker !== null, n.running !== null, n.created]);
    return JSON.stringify([seen.map(String), founders, chosen, opened.length, Object.values(left)]);
  }
});

describe("a mutant", () => {
  it("is refused when the text it changes is not there exactly once", async () => {
    const gone = mutant([{ find: "no such text in the protocol", replace: "" }]);
    await expect(gone).rejects.toThrow("occurs 0 times, not once");
    await expect(mutant([{ find: "return", replace: "" }])).rejects.toThrow(/occurs \d+ times, not once/);
  });
});

describe("the shipped protocols", () => {
  const worker = new Worker(new URL("./worker.ts", import.meta.url));
  afterAll(() => worker.terminate());

  const asked = (kind: Kind, name: string): Promise<Report> =>
    new Promise((resolve, reject) => {
      worker.once("message", (answer: { report?: Report; error?: string }) =>
        answer.report ? resolve(answer.report) : reject(new Error(answer.error)),
      );
      worker.postMessage({ kind, name });
    });

  const titles: Record<Kind, string> = {
    scope: "is complete, safe and never stuck",
    limit: "ends where the README says",
    mutant: "is told from the mutant",
  };
  for (const { kind, name, long } of names)
    if (!long)
      it(`${titles[kind]}: ${name}`, { timeout: 240_000 }, async () => {
        const report = await asked(kind, name);
        expect(report.ok, told(report, true).join("\n")).toBe(true);
      });

  it("has a limit for every letter that is about a store", () => {
    const letters = new Set(Object.keys(limits).map((name) => name[0]));
    expect([...letters]).toEqual(["a", "b", "d", "e", "f", "g", "h", "i", "j", "k"]);
  });
});
