/** Looking for addresses of agents where no store lists them: again and again, since an answer is evidence of presence only. */
import type { Lookup, Provider } from "../core/provider.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { backoff, bell, bucket, type Pacing, withDeadline } from "../lib/loop.ts";
import type { StoreHealth } from "./watch.ts";

/** How long one look may take. A provider's own time limit is shorter. */
const LOOK_LIMIT_MS = 30_000;
/** Between two looks while the cluster forms: from the first to the last, and never longer than, where the answer holds longer. */
const FIRST_MS = 100;
const LAST_MS = 1_000;
const MOST_MS = 5_000;
/** Between two looks of a settled node, a fifth more or less. */
const SETTLED_MS = 30_000;
/** Between two tries of a watch that cannot tell, at most. */
const WATCH_MS = 5_000;
/** Changes that may come at once, and each second after that: a list that changes all the time keeps no node busy. */
const CHANGES = { burst: 10, perSecond: 2 } as const;

export type SeekingOptions = {
  readonly pacing: Pacing;
  readonly log: Log;
  /** Whether the cluster is still to be formed, or found. */
  readonly forming: () => boolean;
  /** Addresses were found. What an answer leaves out is not gone. */
  readonly found: (addresses: readonly string[]) => void;
  /** The answer, or that there is none, is another than before. */
  readonly changed: () => void;
};

/** The last look. `code`: that of the error, or `partial`. */
export type Sought = {
  /** The last answer; null: there was none yet. */
  readonly lookup: Lookup | null;
  readonly problems: readonly { readonly code: string; readonly text: string }[];
};

export function openSeeking({ pacing, log, forming, found, changed }: SeekingOptions) {
  const { clock, random } = pacing;
  const soon = bell();
  let sought: Sought = { lookup: null, problems: [] };
  let told = "";

  const look = async (provider: Provider, signal: AbortSignal): Promise<Lookup | null> => {
    try {
      const lookup = await withDeadline(clock, signal, LOOK_LIMIT_MS, "look for agents", (s) =>
        provider.lookup(s),
      );
      sought = { lookup, problems: (lookup.problems ?? []).map((text) => ({ code: "partial", text })) };
      found(lookup.addresses);
      return lookup;
    } catch (error) {
      if (signal.aborted) return null;
      const code = error instanceof RollcallError ? error.code : "failed";
      sought = { ...sought, problems: [{ code, text: reason(error) }] };
      return null;
    }
  };

  const say = () => {
    const now = JSON.stringify([sought.lookup?.addresses, sought.problems]);
    if (now === told) return;
    const [problem] = sought.problems;
    if (problem !== undefined)
      log.warn({ error: problem.text }, "not all agents can be found; looking again");
    else if (told !== "") log.info({ addresses: sought.lookup?.addresses.length }, "found other addresses");
    told = now;
    changed();
  };

  const looks = async (provider: Provider, signal: AbortSignal) => {
    const pace = backoff(FIRST_MS, LAST_MS, random);
    while (!signal.aborted) {
      const lookup = await look(provider, signal);
      if (signal.aborted) return;
      say();
      const holdsMs = lookup?.ttlMs;
      const formingMs = holdsMs === undefined ? pace.take() : Math.min(Math.max(holdsMs, FIRST_MS), MOST_MS);
      const ms = forming() ? formingMs : SETTLED_MS * (0.8 + random() * 0.4);
      if (await soon.wait(clock, ms, signal)) pace.reset();
    }
  };

  const isNews = ({ addresses, problems = [] }: Lookup) =>
    JSON.stringify([addresses, problems]) !==
    JSON.stringify([sought.lookup?.addresses, sought.problems.map(({ text }) => text)]);

  /** Looks at once after a change, where the provider tells of changes, and once it tells of them no more. */
  const wakes = async (provider: Provider, signal: AbortSignal) => {
    if (provider.watch === undefined) return;
    const wait = backoff(FIRST_MS, WATCH_MS, random);
    const pace = bucket(clock, CHANGES.burst, CHANGES.perSecond);
    let failing = false;
    while (!signal.aborted) {
      try {
        for await (const lookup of provider.watch(signal)) {
          wait.reset();
          failing = false;
          if (isNews(lookup)) soon.ring();
          await pace.take(signal);
          if (signal.aborted) return;
        }
      } catch {
        // The looks go on without it, and say what is wrong.
        if (!failing) soon.ring();
        failing = true;
      }
      await clock.sleep(wait.take(), signal);
    }
  };

  return {
    sought: () => sought,
    health: (): StoreHealth => {
      const [problem] = sought.problems;
      if (problem !== undefined) return { ok: false, problem: problem.text };
      return { ok: sought.lookup === null ? null : true, problem: null };
    },
    /** Looks at once. */
    soon: () => soon.ring(),
    async run(provider: Provider, signal: AbortSignal): Promise<void> {
      await Promise.all([looks(provider, signal), wakes(provider, signal)]);
    },
  };
}
