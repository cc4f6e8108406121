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

export type Plan = {
  readonly seed: number;
  readonly expect: number;
  /** `single+init`: single, and the creator's database is initialised before it is allowed to open. */
  readonly formation: "single" | "single+init" | "symmetric";
  /** One an agent: how long after the beginning its process is started. */
  readonly startsMs: readonly number[];
  readonly blow: Blow | null;
};

const EXPECT = 3;
/** Fewer than twice those expected: with more, agents without a store refuse. */
const MOST_AGENTS = 5;

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const chance = chanceOf(seed);
  const agents = chance.whole(EXPECT, MOST_AGENTS);
  const latestMs = chance.pick([0, 100, 400, 1_500]);
  return {
    seed,
    expect: EXPECT,
    formation: chance.pick(["single", "single+init", "symmetric"]),
    startsMs: Array.from({ length: agents }, () => Math.round(chance.between(0, latestMs))),
    blow: chance.is(0.75) ? blowOf(chance, agents) : null,
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

/** One line that says all of it. */
export function planText({ seed, expect, formation, startsMs, blow }: Plan): string {
  const what =
    blow === null ? "no blow" : `${blow.kind} n${blow.at} after ${blow.afterMs} ms for ${blow.forMs} ms`;
  return `seed ${seed}: ${formation}, expect ${expect}, starts at ${startsMs.join(", ")} ms, ${what}`;
}
