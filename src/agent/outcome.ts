/** The outcome, kept current once the node has settled, and those who wait for it or for a newer one. */
import type { Settled } from "../core/genesis-state.ts";
import { byIdentity, type LeaderRecord, type Member, type MemberRef, type Outcome } from "../core/model.ts";

/** Who waits at most, so that waiting callers cannot take all memory. */
const MOST_WAITERS = 1024;

/**
 * `earlier`: the last outcome of the agent before this one, so that a revision means one outcome across
 * restarts. `changed` is called after every change.
 */
export function openOutcome(earlier: Outcome | null = null, changed: () => void = () => {}) {
  let outcome: Outcome | null = null;
  const waiters = new Set<() => void>();
  const release = () => {
    for (const wake of waiters) wake();
    waiters.clear();
  };
  return {
    current: () => outcome,
    /** Takes in what is known now; the revision rises only when that changes something. */
    update(
      settled: Settled,
      members: readonly Member[],
      leader: LeaderRecord | null = null,
      left: readonly string[] = [],
    ): void {
      const { kind, record } = settled;
      const next = {
        kind,
        genesis_id: record.genesis_id,
        formation: record.formation,
        members:
          kind === "bootstrap" && record.formation === "symmetric"
            ? record.members
            : currentMembers(record, members, left),
        leader,
      };
      const { revision, ...last } = outcome ?? earlier ?? { revision: 0 };
      const same = JSON.stringify(next) === JSON.stringify(last);
      if (same && outcome !== null) return;
      outcome = { ...next, revision: same ? revision : revision + 1 };
      changed();
      release();
    },
    /** Lets everybody who waits look again: there will be no outcome, at least for now. */
    release,
    /** Resolves at the next change when there is no outcome of a revision above `revision` yet; at once on abort. */
    newer(revision: number, signal: AbortSignal): Promise<void> {
      if ((outcome?.revision ?? 0) > revision || signal.aborted || waiters.size >= MOST_WAITERS)
        return Promise.resolve();
      return new Promise((resolve) => {
        const wake = () => {
          waiters.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        waiters.add(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
    },
  };
}

/**
 * The founding members with their present addresses, and everybody whose entry names the same genesis. `left`: ids of
 * nodes that left for good.
 */
export function currentMembers(
  record: Settled["record"],
  members: readonly Member[],
  left: readonly string[] = [],
): MemberRef[] {
  const refs = new Map(record.members.map((m) => [m.incarnation, m]));
  for (const m of members) {
    const { id, incarnation, agent_addr, api_addr, addr } = m;
    if (refs.has(incarnation) || m.genesis_id === record.genesis_id)
      refs.set(incarnation, { id, incarnation, agent_addr, api_addr, addr });
  }
  // A node that came back with an empty disk has a new incarnation; the old one is no address any more.
  const now = new Map(members.map((m) => [m.id, m.incarnation]));
  return [...refs.values()]
    .filter((m) => (now.get(m.id) ?? m.incarnation) === m.incarnation && !left.includes(m.id))
    .sort(byIdentity);
}
