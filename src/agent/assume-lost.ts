/** An operator's word that a voter is gone for good: what of it is taken, and what would be a mistake for ever. */
import type { State } from "../core/genesis-state.ts";
import type { PeerRef } from "../core/model.ts";
import type { Peers } from "./peers.ts";

/** What becomes of it. `known`: this node has heard of that incarnation. `refused`: bad input, or not as things are. */
export type Word =
  | { readonly noted: true; readonly incarnation: string; readonly known: boolean }
  | {
      readonly noted: false;
      readonly refused: "input" | "state";
      readonly code: string;
      readonly message: string;
      readonly hint: string;
    };

export type WordOptions = {
  readonly peers: Pick<Peers, "ask" | "members" | "others">;
  readonly state: () => State;
  /** False: this node may not agree any more. */
  readonly giveUp: (incarnation: string) => Promise<boolean>;
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Of what was given, shown at most; of an incarnation, enough to tell which one is meant. */
const MOST_SHOWN = 40;
const LEAST_BEGINNING = 4;

/** Judges what is given, and passes it on. An incarnation that nobody knows is taken: a survivor may have forgotten the set. */
export async function takeWord(
  given: string,
  { peers, state, giveUp }: WordOptions,
  signal: AbortSignal,
): Promise<Word> {
  const known = knownTo(peers, state());
  const incarnation = given.toLowerCase();
  const meant = known.filter((one) => one.incarnation === incarnation);
  if (meant.length === 0 && !UUID.test(incarnation)) return noIncarnation(given, known);
  for (const address of new Set(meant.map((one) => one.agent_addr))) {
    const hello = address === "" ? null : await peers.ask(address, signal);
    if (hello?.incarnation === incarnation)
      return {
        ...{ noted: false, refused: "state", code: "still_there" },
        message: `${hello.node_id} answers at ${address}, and is that very incarnation`,
        hint: "stop it for good first, or let it vote",
      };
  }
  if (await giveUp(incarnation)) return { noted: true, incarnation, known: meant.length > 0 };
  return {
    ...{ noted: false, refused: "state", code: "may_not_agree" },
    message:
      "this node knows the founders, has voted for a genesis, belongs to a cluster, or is the one named",
    hint: "rollcall explain says what it waits for",
  };
}

/** Everybody this node has heard of, and where. */
function knownTo(peers: WordOptions["peers"], { kept, tally }: State): readonly PeerRef[] {
  const { accepted, decided } = kept.votes?.members ?? { accepted: null, decided: null };
  return [
    ...peers.members(),
    ...peers.others(),
    ...(tally?.counted ?? []),
    ...(accepted?.value ?? []),
    ...(decided ?? []),
  ].filter((one) => one.incarnation !== kept.incarnation);
}

function noIncarnation(given: string, known: readonly PeerRef[]): Word {
  const meant = known.filter(
    ({ id, incarnation }) =>
      id === given || (given.length >= LEAST_BEGINNING && incarnation.startsWith(given.toLowerCase())),
  );
  const full = [...new Set(meant.map(({ id, incarnation }) => `${incarnation} (${id})`))].join(" or ");
  const shown = given.length > MOST_SHOWN ? `${given.slice(0, MOST_SHOWN)}…` : given;
  return {
    ...{ noted: false, refused: "input", code: "no_incarnation" },
    message: `${JSON.stringify(shown)} is no incarnation`,
    hint: full === "" ? "a UUID, as `rollcall explain` names it" : `in full it is ${full}`,
  };
}
