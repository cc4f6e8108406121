/** What an agent's ring of transitions tells of a node between two polls, so that a flip is not lost. */
import type { Report } from "./cluster.ts";
import { Role, StatusCode } from "./node-report.ts";
import type { SeenTransition } from "./observation.ts";

/** Stages of one node in one refresh at most, the oldest first: as many as an agent keeps transitions. */
const MOST_STAGES = 64;

/** A report as it was in between; the kinds of transitions that events tell of. */
type Told = Partial<Pick<Report, "role" | "status" | "version">>;

/** Whether the ring has every transition after `from` up to `to`; one that is missing at most is the state's own last. */
export function covers(ring: readonly SeenTransition[], from: number, to: number): boolean {
  if (to - from <= 1) return true;
  const between = new Set(ring.map(({ seq }) => seq).filter((seq) => seq > from && seq <= to));
  return between.size === to - from;
}

/**
 * The reports between the one known at `from` and the one at `to`, oldest first; empty where nothing changed more
 * than once. Transitions of different kinds that follow each other are one stage, as one poll would have seen them;
 * a kind that changes again begins the next. The last stage is left out where it is what the agent says now.
 */
export function stagesBetween(
  known: Report,
  now: Report,
  ring: readonly SeenTransition[],
  { from, to }: { readonly from: number; readonly to: number },
): Report[] {
  const told = [...new Map(ring.map((transition) => [transition.seq, transition])).values()]
    .filter(({ seq }) => seq > from && seq <= to)
    .sort((a, b) => a.seq - b.seq)
    .flatMap(read);
  const stages: Told[] = [];
  for (const change of told) {
    const last = stages.at(-1);
    if (last === undefined || Object.keys(change).some((kind) => Object.hasOwn(last, kind)))
      stages.push(change);
    else stages[stages.length - 1] = { ...last, ...change };
  }
  const reports: Report[] = [];
  let report = known;
  for (const stage of stages.slice(0, MOST_STAGES)) {
    report = { ...report, ...stage };
    reports.push(report);
  }
  const last = reports.at(-1);
  return last !== undefined && isSame(last, now) ? reports.slice(0, -1) : reports;
}

/** What it changes, by the kinds that events tell of; a value that is none changes nothing. */
function read({ kind, after }: SeenTransition): Told[] {
  if (kind === "role") return Role.safeParse(after).success ? [{ role: after as Role }] : [];
  if (kind === "status") return StatusCode.safeParse(after).success ? [{ status: after as StatusCode }] : [];
  // A version that is not told is that which was.
  return kind === "version" && typeof after === "string" ? [{ version: after }] : [];
}

function isSame(a: Report, b: Report): boolean {
  return a.role === b.role && a.status === b.status && a.version === b.version;
}
