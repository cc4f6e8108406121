/**
 * The circuit breaker of one agent: whether its next poll is made. `(state) → state` for what was asked and for what
 * came of it; no clock. Pure.
 *
 * Events of an agent that comes back must be there within two intervals. So an open breaker never leaves out two
 * polls in a row, and it backs off no further than that: what it saves is half of the waiting, and what makes a
 * silent agent cheap is the small share of slots that it is asked in, with less time to connect.
 */

/**
 * `closed`: asked every time. `open`: it has not answered for long; `rested` says that one poll was left out since it
 * was last asked. `probing`: open, and one poll is under way.
 */
export type Breaker =
  | { readonly at: "closed"; readonly failures: number }
  | { readonly at: "open"; readonly rested: boolean }
  | { readonly at: "probing" };

/** `poll`: as usual. `probe`: the one that finds out whether the agent is back. `skip`: the last failure holds. */
export type Turn = "poll" | "probe" | "skip";

/** What came of a poll. `unknown`: it was given up before it could tell. */
export type Came = "answered" | "failed" | "unknown";

/** Of an agent that nothing is known of, or that answered when last asked. */
export const CLOSED: Breaker = { at: "closed", failures: 0 };

/** Failures in a row that open it: fewer are a restart. */
export const OPENS_AFTER = 3;

/** Whether the next poll is made. Between this and `told` another poll of the agent may ask too; it is left out while a probe runs. */
export function next(breaker: Breaker): { readonly breaker: Breaker; readonly turn: Turn } {
  switch (breaker.at) {
    case "closed":
      return { breaker, turn: "poll" };
    case "open":
      return breaker.rested
        ? { breaker: { at: "probing" }, turn: "probe" }
        : { breaker: { at: "open", rested: true }, turn: "skip" };
    case "probing":
      return { breaker, turn: "skip" };
    default:
      return breaker satisfies never;
  }
}

/** The breaker after a poll or a probe; never after one that was left out. */
export function told(breaker: Breaker, came: Came): Breaker {
  if (came === "answered") return CLOSED;
  switch (breaker.at) {
    case "closed": {
      if (came === "unknown") return breaker;
      const failures = breaker.failures + 1;
      return failures < OPENS_AFTER ? { at: "closed", failures } : { at: "open", rested: false };
    }
    // A poll that began while it was closed ended after another one had opened it.
    case "open":
      return breaker;
    case "probing":
      return { at: "open", rested: came === "unknown" };
    default:
      return breaker satisfies never;
  }
}
