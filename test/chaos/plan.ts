/** What happens in one formation: drawn from a seed, the same for the same seed. When it meets the agents is theirs. */
import { type Chance, chanceOf } from "../sim/chance.ts";

/** What befalls one agent while the cluster forms. */
export type Blow = {
  /** `kill`: SIGKILL, and started again later. `restart`: SIGTERM, and started again at its end. `pause`: SIGSTOP, then SIGCONT. */
  readonly kind: "kill" | "restart" | "pause";
  /** Of the agent, in `starts`. */
  readonly at: number;
  /** After that agent's start. */
  readonly afterMs: number;
  /** How long it is away. */
  readonly forMs: number;
};

/** What agents agree through is killed (-9), and started again. */
export type Outage = {
  /** After the beginning. */
  readonly atMs: number;
  /** How long it is away. */
  readonly forMs: number;
};

export type Plan = {
  readonly seed: number;
  readonly expect: number;
  /** `single+init`: single, and the creator's database is initialised before it is allowed to open. */
  readonly formation: "single" | "single+init" | "symmetric";
  /** One an agent: how long after the beginning its process is started. */
  readonly startsMs: readonly number[];
  readonly blow: Blow | null;
  /** One after the other, each after the one before is over. */
  readonly outages: readonly Outage[];
};

const EXPECT = 3;
/** Fewer than twice those expected: with more, agents without a store refuse. */
const MOST_AGENTS = 5;

/** The plan of a seed; with `outages` the same one, and those too. */
export function planOf(seed: number, { outages = false } = {}): Plan {
  const chance = chanceOf(seed);
  const agents = chance.whole(EXPECT, MOST_AGENTS);
  const latestMs = chance.pick([0, 100, 400, 1_500]);
  return {
    seed,
    expect: EXPECT,
    formation: chance.pick(["single", "single+init", "symmetric"]),
    startsMs: Array.from({ length: agents }, () => Math.round(chance.between(0, latestMs))),
    blow: chance.is(0.75) ? blowOf(chance, agents) : null,
    outages: outages ? Array.from({ length: chance.whole(1, 3) }, () => outageOf(chance)).sort(byTime) : [],
  };
}

/** Most formations are over a second after the last start. */
function blowOf(chance: Chance, agents: number): Blow {
  return {
    kind: chance.pick(["kill", "restart", "pause"]),
    at: chance.whole(0, agents - 1),
    afterMs: Math.round(chance.between(0, 1_200)),
    forMs: Math.round(chance.between(0, chance.pick([50, 500, 3_000]))),
  };
}

/** From before the first agent asks to after the last one has its outcome, mostly. */
function outageOf(chance: Chance): Outage {
  return {
    atMs: Math.round(chance.between(0, 1_500)),
    forMs: Math.round(chance.between(0, chance.pick([20, 400, 1_500]))),
  };
}

function byTime(a: Outage, b: Outage): number {
  return a.atMs - b.atMs;
}

/** One line that says all of it. */
export function planText({ seed, expect, formation, startsMs, blow, outages }: Plan): string {
  const what =
    blow === null ? "no blow" : `${blow.kind} n${blow.at} after ${blow.afterMs} ms for ${blow.forMs} ms`;
  const gone = outages.map(({ atMs, forMs }) => `, outage at ${atMs} ms for ${forMs} ms`).join("");
  return `seed ${seed}: ${formation}, expect ${expect}, starts at ${startsMs.join(", ")} ms, ${what}${gone}`;
}
