/** What the client remembers of agents that did not answer last: their breakers, and why the last poll failed. */
import { type Breaker, type Came, CLOSED, next, type Turn, told } from "../core/breaker.ts";
import type { Failed } from "../core/observation.ts";

type Standing = { readonly breaker: Breaker; readonly last: Failed };

/** `most`: agents remembered; one that was forgotten is asked as if nothing had been. */
export function openStandings(most: number) {
  const failing = new Map<string, Standing>();
  return {
    /** The last failure of an agent that has not answered since; null: it is in good standing. */
    failure: (agent: string): Failed | null => failing.get(agent)?.last ?? null,
    /** Whether the next poll is made; one that is must be followed by `came`. */
    turn(agent: string): Turn {
      const standing = failing.get(agent);
      if (standing === undefined) return "poll";
      const { breaker, turn } = next(standing.breaker);
      failing.set(agent, { ...standing, breaker });
      return turn;
    },
    /** What came of a poll; `last` is why it failed. */
    came(agent: string, came: Came, last: Failed | null): void {
      const standing = failing.get(agent);
      const breaker = told(standing?.breaker ?? CLOSED, came);
      const failure = last ?? standing?.last ?? null;
      if (came === "answered" || failure === null) return void failing.delete(agent);
      failing.set(agent, { breaker, last: failure });
      for (const oldest of failing.keys()) if (failing.size > most) failing.delete(oldest);
    },
    size: () => failing.size,
  };
}
