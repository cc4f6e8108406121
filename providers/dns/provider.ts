/** What the modes `dns` and `dns-srv` have in common: one look-up, its deadline and its end. */
import type { Lookup, Provider } from "../../src/core/provider.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { aborted, closed } from "../failure.ts";
import type { Asking } from "./config.ts";
import { type AddressRecord, openQuestions, type Questions } from "./questions.ts";

/** What was found: agents in any order, the records they came from, and one line for each that is missing. */
export type Seen = {
  readonly addresses: readonly string[];
  readonly records: readonly AddressRecord[];
  readonly problems: readonly string[];
};

type Options = {
  readonly mode: string;
  /** What is resolved, for messages. */
  readonly name: string;
  readonly config: Asking;
  readonly clock: Clock;
};

/**
 * A provider of addresses alone. `look` throws the error of a whole look-up that came to nothing. Questions that
 * are still open after `timeout` end as not answered, so that the others count.
 */
export function createProvider(
  { mode, name, config, clock }: Options,
  look: (questions: Questions) => Promise<Seen>,
): Provider {
  const running = new Set<Questions>();
  let open = true;
  const doing = `resolve ${name}`;
  const stopped = (signal: AbortSignal) =>
    signal.aborted ? aborted(doing, signal) : open ? null : closed(doing);

  return {
    mode,
    async lookup(signal) {
      const early = stopped(signal);
      if (early !== null) throw early;
      const questions = openQuestions(config.resolvers ?? null, config.timeout);
      const settle = clock.after(config.timeout, questions.cancel);
      signal.addEventListener("abort", questions.cancel, { once: true });
      running.add(questions);
      try {
        const seen = await look(questions);
        const late = stopped(signal);
        if (late !== null) throw late;
        return toLookup(seen);
      } catch (error) {
        throw stopped(signal) ?? error;
      } finally {
        settle();
        signal.removeEventListener("abort", questions.cancel);
        running.delete(questions);
        questions.cancel();
      }
    },
    async close() {
      open = false;
      for (const questions of running) questions.cancel();
    },
  };
}

function toLookup({ addresses, records, problems }: Seen): Lookup {
  const found = {
    addresses: [...new Set(addresses)].sort(),
    ttlMs: records.reduce((least, { ttl }) => Math.min(least, ttl), Number.POSITIVE_INFINITY) * 1000,
  };
  return problems.length === 0 ? { kind: "complete", ...found } : { kind: "partial", ...found, problems };
}
