/** A few of the formations that `npm run chaos -- formation` makes by the hundred, and the judge of all of them. */
import { describe, expect, it } from "vitest";
import type { Outcome } from "../../src/core/model.ts";
import { type ModeName, openMode } from "../support/modes.ts";
import { describeWith, withoutLeaks } from "../support/servers/index.ts";
import { type Traces, violationsIn } from "./evidence.ts";
import { form } from "./formation.ts";
import { planOf, planText } from "./plan.ts";

/** Between them: each formation, each blow and none, three agents and four. */
const SEEDS = [8, 10, 13, 14, 16];
const LONG = { timeout: 90_000 };

function formsOne(name: ModeName): void {
  it("makes one cluster each time", LONG, async () => {
    const mode = await openMode(name);
    try {
      for (const seed of SEEDS) {
        const { doubles, unsettled } = await form(planOf(seed), mode, "stand-in");
        expect([doubles, unsettled]).toEqual([[], null]);
      }
    } finally {
      await mode.end();
    }
  });
}

describe("formation by a list", () => withoutLeaks(() => formsOne("static")));
describeWith("knotd", "formation by DNS SRV", () => formsOne("dns-srv"));

/** Three agents each; between them each formation, each blow and none, one outage to three. */
const OUTAGES = [40, 75, 169, 184, 10, 44, 47, 37, 17, 83];

describe("formation through a Discovery Service that is killed", () =>
  withoutLeaks(() => {
    it("makes one cluster each time", LONG, async () => {
      const seeds = [...OUTAGES];
      let all = 0;
      // Two at once, each with a service of its own: they wait more than they work.
      await Promise.all([lane(), lane()]);
      // Four of the outages are planned for when no process can have started yet.
      expect(all).toBeGreaterThanOrEqual(4);
      async function lane(): Promise<void> {
        const mode = await openMode("disco");
        try {
          for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
            const formed = await form(planOf(seed, { outages: true }), mode, "stand-in");
            const { doubles, unsettled, met } = formed;
            all += met;
            expect([doubles, unsettled]).toEqual([[], null]);
          }
        } finally {
          await mode.end();
        }
      }
    });
  }));

describe("a plan", () => {
  it("is the same for the same seed, and another for most others", () => {
    expect(planOf(7)).toEqual(planOf(7));
    expect(new Set(Array.from({ length: 50 }, (_, seed) => planText(planOf(seed)).slice(8))).size).toBe(50);
  });

  it("is the same with outages, and has some", () => {
    for (let seed = 0; seed < 50; seed++) {
      const { outages, ...rest } = planOf(seed, { outages: true });
      expect({ ...rest, outages: [] }).toEqual(planOf(seed));
      expect(outages.length).toBeGreaterThan(0);
      expect(outages.map(({ atMs }) => atMs)).toEqual(outages.map(({ atMs }) => atMs).sort((a, b) => a - b));
    }
  });

  it("has no more agents than may vote without a store", () => {
    for (let seed = 0; seed < 200; seed++) {
      const { startsMs, expect: voters, blow } = planOf(seed);
      expect(startsMs.length).toBeGreaterThanOrEqual(voters);
      expect(startsMs.length).toBeLessThan(2 * voters);
      if (blow !== null) expect(blow.at).toBeLessThan(startsMs.length);
    }
  });
});

describe("violations", () => {
  const single = { ...planOf(8), formation: "single" as const };
  const symmetric = { ...single, formation: "symmetric" as const };
  const outcome = (genesis_id: string) => ({ genesis_id }) as Outcome;
  const marker = { genesis_id: "g", node: "n0", members: [{ id: "n0" }, { id: "n1" }] } as Traces["marker"];
  const traces = (id: string, more: Partial<Traces>): Traces => ({
    id,
    outcomes: [outcome("g")],
    kept: [{ file: "identity.json", genesisId: "g" }],
    marker,
    starts: [],
    ...more,
  });

  it("are none where all have one genesis and the right ones have created", () => {
    const one = traces("n0", { starts: ["bootstrap", "existing"] });
    expect(violationsIn(single, [one, traces("n1", { starts: ["join"] })])).toEqual([]);
    expect(violationsIn(symmetric, [one, traces("n1", { starts: ["bootstrap"] })])).toEqual([]);
  });

  it("are two geneses, wherever the second one is named", () => {
    const other = [
      traces("n1", { outcomes: [outcome("g"), outcome("h")] }),
      traces("n1", { kept: [{ file: "marker.h.json", genesisId: "h" }] }),
    ];
    for (const one of other) {
      const [what = ""] = violationsIn(single, [traces("n0", {}), one]);
      expect(what).toMatch(/^2 geneses: .*n1.* h/);
    }
  });

  it("are a creator that is none", () => {
    const two = [traces("n0", { starts: ["bootstrap"] }), traces("n1", { starts: ["bootstrap"] })];
    expect(violationsIn(single, two)).toEqual(["n1 created, and only n0 may have"]);
    expect(violationsIn(symmetric, [traces("n2", { starts: ["bootstrap"] })])).toEqual([
      "n2 created, and only n0,n1 may have",
    ]);
  });
});
