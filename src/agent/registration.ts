/**
 * Keeps this node's entry in the members directory: announces it, renews its lease, announces again when the
 * lease or the content changed, and tells a node id that another live agent uses from one whose holder died.
 */
import type { Hello, Member } from "../core/model.ts";
import type { Members } from "../core/provider.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { type Bell, backoff, bell, type Pacing, withDeadline } from "../lib/loop.ts";

export const CALL_LIMIT_MS = 5_000;

export type RegistrationState =
  | { readonly at: "announcing" }
  | { readonly at: "held" }
  /** The directory still names an older incarnation of this node, whose agent does not answer: it lapses. */
  | { readonly at: "lapsing"; readonly by: Member }
  /** Another live agent has this node id. */
  | { readonly at: "duplicate"; readonly by: Member }
  /** `hint`: what the store says helps. */
  | { readonly at: "failing"; readonly problem: string; readonly hint: string | null };

export type RegistrationOptions = {
  readonly pacing: Pacing;
  readonly log: Log;
  /** The entry as it should be now. */
  readonly entry: () => Member;
  /** Asks the agent at an address who it is; null when it does not answer. */
  readonly hello: (address: string, signal: AbortSignal) => Promise<Hello | null>;
  readonly changed: () => void;
};

export function openRegistration(options: RegistrationOptions) {
  const { pacing, log, entry, hello, changed } = options;
  const { clock, random } = pacing;
  let state: RegistrationState = { at: "announcing" };
  let announced = "";
  /** Who holds this node's id, and since when this agent has seen that. */
  let holder: { readonly incarnation: string; readonly since: number } | null = null;
  const due: Bell = bell();

  const become = (next: RegistrationState) => {
    if (JSON.stringify(next) === JSON.stringify(state)) return;
    state = next;
    if (next.at === "duplicate")
      log.error({ node_id: next.by.id, other: next.by.agent_addr }, "another live agent uses this node id");
    changed();
  };

  /** One turn: true when the entry stands. */
  const turn = async (members: Members, signal: AbortSignal): Promise<boolean> => {
    const member = entry();
    const content = JSON.stringify(member);
    const call = <T>(what: string, work: (s: AbortSignal) => Promise<T>) =>
      withDeadline(clock, signal, CALL_LIMIT_MS, what, work);
    if (
      state.at === "held" &&
      content === announced &&
      (await call("renew the registration", (s) => members.renew(s)))
    )
      return true;
    const result = await call("register", (s) => members.announce(member, s));
    if (result.kind === "held") {
      announced = content;
      holder = null;
      become({ at: "held" });
      return true;
    }
    const answer = await hello(result.by.agent_addr, signal);
    if (holder?.incarnation !== result.by.incarnation)
      holder = { incarnation: result.by.incarnation, since: clock.now() };
    // A lease that outlives every limit is being renewed: its holder lives, though it does not answer this agent.
    const outlived = clock.now() - holder.since > 3 * members.ttlMs;
    const alive = outlived || answer?.incarnation === result.by.incarnation;
    become(alive ? { at: "duplicate", by: result.by } : { at: "lapsing", by: result.by });
    return false;
  };

  return {
    state: () => state,
    /** The entry's content may have changed. */
    refresh(): void {
      if (state.at === "held" && JSON.stringify(entry()) !== announced) due.ring();
    },
    /** The directory does not show this node: it may be time to announce it. */
    lost(): void {
      if (state.at === "held") state = { at: "announcing" };
      due.ring();
    },
    async run(members: Members, signal: AbortSignal): Promise<void> {
      const wait = backoff(100, 2_000, random);
      while (!signal.aborted) {
        let ms: number;
        try {
          ms = (await turn(members, signal)) ? members.ttlMs / 3 : wait.take();
          if (state.at === "held") wait.reset();
        } catch (error) {
          if (signal.aborted) break;
          const hint = error instanceof RollcallError ? error.hint : null;
          become({ at: "failing", problem: reason(error), hint });
          ms = wait.take();
        }
        await due.wait(clock, ms, signal);
      }
    },
  };
}
export type Registration = ReturnType<typeof openRegistration>;
