/**
 * The leader key's history and what must hold in it: what every agent sent to the register and heard from it,
 * in the order of one clock. The versions are put in the order of their revisions; then each must be somebody's
 * write over its predecessor. A write whose answer is not known may have landed, at any time, or never.
 */
import { decode, LeaderRecord } from "../../src/core/model.ts";
import type { Register, Swapped, Versioned } from "../../src/core/provider.ts";

/** What a writer's database said at the moment of a write; null: that it does not lead. */
export type Said = { readonly term: number | null } | null;

type Write = {
  readonly by: string;
  readonly expected: Versioned | null;
  readonly value: string;
  readonly said: Said;
  ended: Swapped;
};
/** Something that showed what the register held at some time between `sent` and `heard`. */
type Sight = {
  readonly what: string;
  readonly raw: Versioned | null;
  readonly sent: number;
  readonly heard: number;
};

export type History = {
  /** A register whose calls are noted under the name of who makes them. */
  noted(register: Register, by: string, said: () => Said): Register;
  /** A value that another program wrote, whatever was there. */
  foreign(value: string): void;
  /** Something seen by another way, such as a watch: at any time before now. */
  saw(raw: Versioned | null): void;
  /** What is wrong with it, one line each; none when all is well. */
  problems(): string[];
  /** How many writes won, lost, and ended unknown, and how many versions were seen. */
  counts(): { won: number; lost: number; unknown: number; versions: number };
};

/** An empty history. `orderOf` gives the place of a revision among those of one life of the store. */
export function openHistory(orderOf: (revision: string) => number = Number): History {
  const writes: Write[] = [];
  const sights: Sight[] = [];
  const foreign = new Set<string>();
  let tick = 0;
  const sight = (what: string, raw: Versioned | null, sent: number) =>
    void sights.push({ what, raw, sent, heard: ++tick });
  return {
    noted: (register, by, said) => ({
      async read(signal) {
        const sent = ++tick;
        const raw = await register.read(signal);
        sight(`a read of ${by}`, raw, sent);
        return raw;
      },
      async swap(expected, value, signal) {
        const sent = ++tick;
        const write: Write = {
          by,
          expected,
          value,
          said: said(),
          ended: { kind: "unknown", cause: "never heard of" },
        };
        writes.push(write);
        if (expected !== null)
          sights.push({ what: "", raw: expected, sent: 0, heard: Number.POSITIVE_INFINITY });
        const ended = await register.swap(expected, value, signal);
        write.ended = ended;
        if (ended.kind === "won") sight(`a write of ${by}`, { value, revision: ended.revision }, sent);
        if (ended.kind === "lost") sight(`a lost write of ${by}`, ended.current, sent);
        return ended;
      },
    }),
    foreign: (value) => void foreign.add(value),
    saw: (raw) => void sights.push({ what: "", raw, sent: 0, heard: Number.POSITIVE_INFINITY }),
    problems() {
      const versions = versionsOf(sights, orderOf);
      return [
        ...versions.problems,
        ...chain(versions.sorted, writes, foreign),
        ...terms(versions.sorted, foreign),
        ...founded(writes),
        ...order(sights, versions.placeOf),
      ];
    },
    counts() {
      const of = (kind: Swapped["kind"]) => writes.filter((w) => w.ended.kind === kind).length;
      const versions = versionsOf(sights, orderOf).sorted.length;
      return { won: of("won"), lost: of("lost"), unknown: of("unknown"), versions };
    },
  };
}

/** All versions that anybody saw, in the order of their revisions; each revision must always show one value. */
function versionsOf(sights: readonly Sight[], orderOf: (revision: string) => number) {
  const byRevision = new Map<string, string>();
  const problems: string[] = [];
  for (const { raw } of sights) {
    if (raw === null) continue;
    const known = byRevision.get(raw.revision);
    if (known !== undefined && known !== raw.value)
      problems.push(`revision ${raw.revision} shows two values`);
    byRevision.set(raw.revision, raw.value);
  }
  const sorted = [...byRevision]
    .map(([revision, value]) => ({ revision, value }))
    .sort((a, b) => orderOf(a.revision) - orderOf(b.revision));
  const places = new Map(sorted.map(({ revision }, at) => [revision, at]));
  const placeOf = (raw: Versioned | null) => (raw === null ? -1 : (places.get(raw.revision) ?? -1));
  return { sorted, placeOf, problems };
}

/** Every version is the write of somebody who expected exactly the one before it, or another program's. */
function chain(
  versions: readonly Versioned[],
  writes: readonly Write[],
  foreign: ReadonlySet<string>,
): string[] {
  const problems: string[] = [];
  const winners = new Map<string, Write>();
  for (const write of writes) {
    if (write.ended.kind !== "won") continue;
    const { revision } = write.ended;
    if (winners.has(revision)) problems.push(`revision ${revision} was won twice`);
    winners.set(revision, write);
  }
  for (const [at, version] of versions.entries()) {
    const before = versions[at - 1] ?? null;
    const { revision, value } = version;
    if (foreign.has(value)) continue;
    const winner = winners.get(revision);
    const fits = (w: Write) => w.value === value && same(w.expected, before);
    const from = winner ?? writes.find((w) => w.ended.kind === "unknown" && fits(w));
    const told = `revision ${revision} (${value})`;
    if (from === undefined)
      problems.push(
        writes.some((w) => w.ended.kind === "lost" && fits(w))
          ? `${told} is a write that lost`
          : `${told} was written by nobody who expected revision ${before?.revision ?? "none"}`,
      );
    else if (!fits(from))
      problems.push(
        `${told} was written over revision ${before?.revision ?? "none"}; ${from.by} expected ${from.expected?.revision ?? "none"}`,
      );
    else if (recordOf(value)?.seq !== (before === null ? 0 : (recordOf(before.value)?.seq ?? 0)) + 1)
      problems.push(`${told} does not count on`);
  }
  return problems;
}

/** The term of one genesis never goes back, and one term names one node. What another program wrote hides both. */
function terms(versions: readonly Versioned[], foreign: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  let last: LeaderRecord | null = null;
  for (const { revision, value } of versions) {
    const record = recordOf(value);
    if (record === null || foreign.has(value)) {
      last = null;
      continue;
    }
    if (last !== null && last.genesis_id === record.genesis_id) {
      const [was, is] = [last.term ?? 0, record.term ?? 0];
      if (is < was) problems.push(`revision ${revision}: the term went back from ${was} to ${is}`);
      if (is === was && record.id !== last.id)
        problems.push(`revision ${revision}: term ${is} named ${last.id} and names ${record.id}`);
    }
    last = record;
  }
  return problems;
}

/** Nobody wrote anything but itself, and only while its own database led in that term. */
function founded(writes: readonly Write[]): string[] {
  return writes.flatMap(({ by, said, value }) => {
    const record = recordOf(value);
    if (record?.id !== by) return [`${by} wrote ${value}`];
    if (said === null) return [`${by} wrote while its database did not lead`];
    return said.term !== null && said.term !== record.term
      ? [`${by} wrote term ${record.term} while its database led in term ${said.term}`]
      : [];
  });
}

/** Who asked after somebody had heard saw nothing older. */
function order(sights: readonly Sight[], placeOf: (raw: Versioned | null) => number): string[] {
  const problems: string[] = [];
  const heard = [...sights].sort((a, b) => a.heard - b.heard);
  let newest = -1;
  let next = 0;
  for (const sight of [...sights].sort((a, b) => a.sent - b.sent)) {
    for (let one = heard[next]; one !== undefined && one.heard < sight.sent; one = heard[++next])
      newest = Math.max(newest, placeOf(one.raw));
    if (placeOf(sight.raw) < newest && sight.what !== "")
      problems.push(`${sight.what} saw revision ${sight.raw?.revision ?? "none"} after a newer one`);
  }
  return problems;
}

function recordOf(value: string): LeaderRecord | null {
  const decoded = decode(LeaderRecord, value);
  return decoded.ok ? decoded.value : null;
}

function same(a: Versioned | null, b: Versioned | null): boolean {
  return a === null || b === null ? a === b : a.revision === b.revision && a.value === b.value;
}
