/** Agreeing among the agents: hearing everybody, and asking for and giving votes. */

import type { State } from "../core/genesis-state.ts";
import type { Hello, MemberRef } from "../core/model.ts";
import type { Polled } from "../core/proposer.ts";
import { giveUp, step } from "../core/register.ts";
import { type Effect, type Input, vote } from "../core/register-steps.ts";
import { hasLost, type Message, noVotes, type Reply } from "../core/votes.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import { withDeadline } from "../lib/loop.ts";
import { type AgreementOptions, openAgreement, type Standing } from "./agreement.ts";
import { TAKE_OVER_MS } from "./asking.ts";
import { lookAt } from "./database.ts";
import type { PeerClient } from "./peer-client.ts";
import { HELLO_LIMIT_MS, type Peers } from "./peers.ts";

/**
 * What one exchange of votes takes at least and at most, in milliseconds: there and back, and one write to disk at
 * either end. A ballot is two of them. The first ones of a process run cold code, on machines where many start.
 */
const EXCHANGE_MS = { least: 50, most: 500 } as const;
/** Ballots that those before this node in the order are left to make, at least and at most. */
const BALLOTS_LEFT = { least: 2, most: 6 } as const;
/**
 * Between two rounds of a settled node, a fifth more or less: as long as it has been running, since others may have been
 * started with it.
 */
const SETTLED_MS = { least: 100, most: 10_000 } as const;

export type RegisterOptions = AgreementOptions & {
  readonly peers: Peers;
  readonly client: Pick<PeerClient, "say">;
  /** The list of addresses is complete, and names this node alone. */
  readonly alone: () => boolean;
  /** A round of hearing is over. */
  readonly heard: (hellos: readonly Hello[]) => void;
};

type Own = Extract<Effect, { type: "read" | "poll" }>;

/** The agent's part in the register. */
export async function openRegister(options: RegisterOptions) {
  const { rules, dataDir, pacing, peers, client, self, log } = options;
  const { clock, random } = pacing;
  const startedAt = clock.now();
  let exchangeMs: number = EXCHANGE_MS.least;

  /** How long an exchange took, on the way or on the disk; a quick one makes up for a slow one by and by. */
  const took = (ms: number) => {
    const slowest = Math.max(ms, exchangeMs * 0.9);
    exchangeMs = Math.min(Math.max(slowest, EXCHANGE_MS.least), EXCHANGE_MS.most);
  };

  /** Enough to decide something. Who belongs to the cluster afterwards, everybody says for itself, however late it answers. */
  const isEnough = (hellos: readonly Hello[]) =>
    agreement.state().settled === null &&
    hellos.filter((h) => h.voter && h.key === rules.key).length + 1 >= rules.expect;

  const hear = async (impatient: boolean, signal: AbortSignal): Promise<Input> => {
    try {
      const hellos = await peers.askAll(signal, { isEnough });
      options.heard(hellos);
      const data = await lookAt(options.dbDataDir, dataDir.disk);
      // Who just now hears that the founders are decided has not waited for any of them to create the cluster.
      const news = !knowsFounders(agreement.state()) && hellos.some(tellsFounders);
      return {
        type: "heard",
        heard: { self: self(), data, hellos, alone: options.alone(), impatient: impatient && !news },
      };
    } catch (error) {
      const of = error instanceof RollcallError && error.code === "disk" ? "database" : "store";
      return { type: "unreadable", problem: reason(error), of };
    }
  };

  /** Of founders that this node may take in: of those that an operator has ruled out it would hear for ever. */
  const tellsFounders = ({ key, votes }: Hello) => {
    const own = agreement.state().kept.votes ?? noVotes;
    return key === rules.key && votes?.members != null && !hasLost(own, votes.members);
  };

  /** Asks a founder where it is now: a set that was proposed before has the addresses of then. */
  const say = (
    { incarnation, agent_addr }: MemberRef,
    message: Message,
    signal: AbortSignal,
  ): Promise<Reply | null> => {
    const address = peers.addressOf(incarnation) ?? agent_addr;
    return withDeadline(clock, signal, HELLO_LIMIT_MS, `${message.kind} to ${address}`, (s) =>
      client.say(address, message, s),
    ).catch((error: unknown) => {
      log.debug({ error: reason(error) }, "no vote");
      return null;
    });
  };

  /** Ends when all have answered, when enough are in favour, or when each has had its time. */
  const poll = async (
    { poll: { message, to }, needs }: Extract<Own, { type: "poll" }>,
    signal: AbortSignal,
  ) => {
    const replies = new Map<string, Reply | null>();
    const enough = Promise.withResolvers<void>();
    const inFavour = () =>
      [...replies.values()].filter((r) => r?.kind === "promise" || r?.kind === "accepted").length;
    const began = clock.now();
    const asked = to.map(async (founder) => {
      const reply = await say(founder, message, signal);
      if (reply !== null) took(clock.now() - began);
      replies.set(founder.incarnation, reply);
      if (inFavour() >= needs && needs < to.length) enough.resolve();
    });
    await Promise.race([Promise.all(asked), enough.promise]);
    const polled: Polled = to.map(({ incarnation }) => ({
      incarnation,
      reply: replies.get(incarnation) ?? null,
    }));
    return { type: "polled", polled } as const;
  };

  const agreement = await openAgreement(options, {
    kept: (kept) => ({ ...kept, votes: kept.votes ?? noVotes }),
    step,
    perform: (effect: Own, { impatient }: Standing, signal): Promise<Input> =>
      effect.type === "read" ? hear(impatient, signal) : poll(effect, signal),
    tell({ message, to }, signal) {
      for (const founder of to) void say(founder, message, signal);
    },
    patienceMs({ on }) {
      if (on === "claimer") return TAKE_OVER_MS;
      if (on !== "turn") return null;
      const ballots = BALLOTS_LEFT.least + (BALLOTS_LEFT.most - BALLOTS_LEFT.least) * random();
      return ballots * 2 * exchangeMs;
    },
    due: knowsFounders,
    settledMs() {
      const runsMs = clock.now() - startedAt;
      return Math.min(Math.max(runsMs, SETTLED_MS.least), SETTLED_MS.most) * (0.8 + random() * 0.4);
    },
  });
  return {
    ...agreement,
    /** Answers a message, once what it promises is on disk. Throws `disk` where it cannot be. */
    async vote(message: Message): Promise<Reply> {
      const before = agreement.state().kept.votes;
      const began = clock.now();
      const reply = await agreement.amend((state) => {
        const { state: next, reply } = vote(rules, state, message);
        return { state: next, value: reply };
      });
      took(clock.now() - began);
      // Whoever is heard of with a ballot is given the time to bring it to an end.
      if (reply.kind === "promise" || reply.kind === "accepted") agreement.defer();
      // A decision is what a node waits for; a promise given to another is not.
      const after = agreement.state().kept.votes;
      if (
        after?.members.decided !== before?.members.decided ||
        after?.genesis.decided !== before?.genesis.decided
      )
        agreement.wake();
      return reply;
    },
    /** An operator says that a voter is gone for good; false: this node may not agree any more. */
    async assumeLost(incarnation: string): Promise<boolean> {
      const agreed = await agreement.amend((state) => {
        const next = giveUp(rules, state, incarnation);
        return { state: next ?? state, value: next !== null };
      });
      if (agreed) agreement.wake();
      return agreed;
    },
  };
}
export type Register = Awaited<ReturnType<typeof openRegister>>;

/** The founders are decided, as far as this node knows: what is due is who of them creates the cluster. */
function knowsFounders({ kept }: State): boolean {
  return kept.votes?.members.decided != null;
}
