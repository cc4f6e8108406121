/** Agreeing in a store: reading and writing its record, and asking whoever can tell what the question is about. */
import { step } from "../core/genesis.ts";
import type { Effect, Input } from "../core/genesis-state.ts";
import { decode, GenesisRecord } from "../core/model.ts";
import type { Provider, Register } from "../core/provider.ts";
import type { Seen } from "../core/quorum.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import { withDeadline } from "../lib/loop.ts";
import { type AgreementOptions, openAgreement, type Standing } from "./agreement.ts";
import { openAsking } from "./asking.ts";
import type { Looks } from "./native.ts";
import type { Peers } from "./peers.ts";
import { CALL_LIMIT_MS } from "./registration.ts";

/** How long nodes wait for those before them in the order to claim. */
const TURN_MS = 500;

export type GenesisOptions = AgreementOptions & {
  readonly peers: Peers;
  /** Whether this incarnation holds its node id in the directory. */
  readonly registered: () => boolean;
  /** The ways to the database beside this agent, and to others of its kind; null: there is none. */
  readonly database?: Looks | null;
};

/** Where the record and the members are. */
export type Store = { readonly provider: Provider; readonly register: Register };

/** The agent's part in the genesis protocol. */
export async function openGenesis(options: GenesisOptions) {
  const { dataDir, pacing, log } = options;
  const { clock } = pacing;
  const asking = openAsking({ ...options, clock, disk: dataDir.disk, database: options.database ?? null });
  let at: Store | null = null;
  /** What was last said of a write; "": the last one's outcome was known. */
  let warned = "";

  const call = <T>(signal: AbortSignal, what: string, work: (s: AbortSignal) => Promise<T>) =>
    withDeadline(clock, signal, CALL_LIMIT_MS, what, work);

  const perform = async (
    { provider, register }: Store,
    effect: Extract<Effect, { type: "read" | "ask" | "swap" }>,
    { state, impatient }: Standing,
    signal: AbortSignal,
  ): Promise<Input> => {
    switch (effect.type) {
      case "read":
      case "ask":
        try {
          if (effect.type === "ask") {
            const about = state.phase.at === "asking" ? state.phase.about : "data";
            const lookup = (within: AbortSignal) =>
              call(within, "list the members", (s) => provider.lookup(s));
            return { type: "answers", answers: await asking({ state, about, impatient }, lookup, signal) };
          }
          return {
            type: "record",
            seen: await readRecord(register, (work) => call(signal, "read the genesis record", work)),
            registered: options.registered(),
          };
        } catch (error) {
          const of = error instanceof RollcallError && error.code === "disk" ? "database" : "store";
          return { type: "unreadable", problem: reason(error), of };
        }
      case "swap": {
        const result = await call(signal, "write the genesis record", (s) =>
          register.swap(effect.expected, effect.value, s),
        ).catch((cause: unknown) => ({ kind: "unknown" as const, cause }));
        if (result.kind !== "unknown") {
          warned = "";
          return { type: "swapped", result };
        }
        const problem = reason(result.cause);
        if (problem !== warned)
          log.warn({ error: problem }, "the outcome of a write is unknown; reading back");
        warned = problem;
        return { type: "swapped", result: { kind: "unknown", problem } };
      }
      default:
        return effect satisfies never;
    }
  };

  const agreement = await openAgreement(options, {
    step,
    async perform(effect: Extract<Effect, { type: "read" | "ask" | "swap" }>, node, signal) {
      if (at === null) throw new Error("no store to agree in");
      return perform(at, effect, node, signal);
    },
    patienceMs: ({ on }) => (on === "turn" ? TURN_MS : null),
  });
  return {
    ...agreement,
    /** Runs until abort. */
    run(store: Store, signal: AbortSignal): Promise<void> {
      at = store;
      return agreement.run(signal);
    },
  };
}
export type Genesis = Awaited<ReturnType<typeof openGenesis>>;

async function readRecord(
  register: Register,
  call: (work: (s: AbortSignal) => ReturnType<Register["read"]>) => ReturnType<Register["read"]>,
): Promise<Seen | null> {
  const at = await call((s) => register.read(s));
  if (at === null) return null;
  const decoded = decode(GenesisRecord, at.value);
  if (!decoded.ok) throw new RollcallError("bad_record", `the genesis record ${decoded.problem}`);
  return { record: decoded.value, at };
}
