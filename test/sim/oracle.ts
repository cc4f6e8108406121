/** What must never happen, judged from outside: by what databases are told and do, and by what is on the disks. */
import type { Hello, Outcome } from "../../src/core/model.ts";
import {
  type Ballot,
  compareBallots,
  type Founders,
  type Message,
  type Reply,
  type Votes,
} from "../../src/core/votes.ts";
import { codeOf, reason } from "../../src/lib/errors.ts";
import { DATA_DIR, type VirtualDisk } from "./disk.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** Who a node is, and what it has promised. */
export const IDENTITY_FILE = `${DATA_DIR}/identity.json`;

/** What a database finds in its directory when it is to start. */
export type Found = {
  readonly blank: boolean;
  /** The genesis it already serves. */
  readonly cluster: string | null;
  /** The claim that it was initialised under. */
  readonly init: string | null;
};

/** A machine that is judged. */
export type Watched = {
  readonly name: string;
  readonly disk: VirtualDisk;
  life(): Life | null;
};

export type Oracle = {
  /** A database is told the outcome, and starts. */
  opens(node: Watched, outcome: Outcome, found: Found): void;
  /** A database has written its first data. */
  made(node: Watched, outcome: Outcome): void;
  /** An agent says something to anybody for the first time in its life. */
  speaks(node: Watched): void;
  /** An agent answers another one, or somebody on its machine. */
  says(node: Watched, life: Life, path: string, body: string, answer: string): void;
  /** An agent has synced its data directory. */
  kept(node: Watched): void;
  /** An operator says that this incarnation is gone for good, which is so. */
  givenUp(incarnation: string): void;
  /** An agent was told to stop. */
  told(node: Watched, life: Life): void;
  /** An agent ended with an error of its own. `excused`: its disk has failed it. */
  threw(node: Watched, error: unknown, excused: boolean): void;
  violate(what: string): void;
  /** Whether an agent that was told to stop may still be on its way. */
  waits(): boolean;
  /** The founders that this life of an agent has told are decided; null: none. They need not be on its disk. */
  decided(life: Life | null): Founders | null;
  /** The geneses that databases have opened under. */
  opened(): readonly string[];
  violations(): readonly string[];
};

/** An agent that is told to stop, and runs, is gone after this time. */
const STOP_LIMIT_MS = 6_000;

export function openOracle(world: Pick<World, "time" | "note">): Oracle {
  const violations: string[] = [];
  const opened = new Map<string, Outcome>();
  const gone = new Set<string>();
  /** What each incarnation has promised for good, and the genesis that each life has told and has on disk. */
  const promised = new Map<string, Votes>();
  const holds = new WeakMap<Life, string>();
  const decided = new WeakMap<Life, Founders>();
  /** Who created each genesis's cluster, by incarnation. */
  const creators = new Map<string, Set<string>>();
  const lists = new Map<string, string>();
  let stopping = 0;

  const violate = (what: string) => {
    world.note("violation", what);
    violations.push(what);
  };

  const checkKind = (node: Watched, outcome: Outcome, incarnation: string) => {
    const { genesis_id: id, kind, formation, members } = outcome;
    if (kind !== "bootstrap") return;
    const who = creators.get(id) ?? new Set();
    creators.set(id, who.add(incarnation));
    if (formation === "single" && who.size > 1) violate(`two nodes create ${id}, the second is ${node.name}`);
    if (formation === "single") return;
    const list = members.map((m) => m.incarnation).join();
    if (!list.includes(incarnation)) violate(`${node.name} starts ${id} and is not in its list`);
    if ((lists.get(id) ?? list) !== list) violate(`${node.name} starts ${id} with another list`);
    lists.set(id, list);
  };

  /**
   * Opened by too few of its founders to be a cluster, none of whom comes back: it may have been given up, and the
   * others be founding another one.
   */
  const isGivenUp = (id: string): boolean => {
    const { formation = "single", members = [] } = opened.get(id) ?? {};
    const who = [...(creators.get(id) ?? [])];
    return formation === "symmetric" && who.length <= members.length / 2 && who.every((one) => gone.has(one));
  };

  return {
    opens(node, outcome, { blank, cluster, init }) {
      const { genesis_id: id, kind } = outcome;
      const kept = identityOn(node, true);
      if (kept?.marker?.genesis_id !== id || !kept.opened)
        violate(`${node.name} opens ${id} before its marker is on disk`);
      checkKind(node, outcome, kept?.incarnation ?? "");
      opened.set(id, outcome);
      const standing = [...opened.keys()].filter((one) => !isGivenUp(one));
      if (standing.length > 1) violate(`${node.name} opens ${id} beside ${standing.join(" ")}`);
      // What was cut short while it was written is a beginning of it.
      if (cluster !== null && !id.startsWith(cluster))
        violate(`${node.name} opens ${id} over the data of ${cluster}`);
      if (init !== null && (init !== id || kind === "join"))
        violate(`${node.name} is to ${kind} ${id} over what was initialised for ${init}`);
      if (cluster === id && kind === "bootstrap" && outcome.formation === "single")
        violate(`${node.name} is to create ${id}, which it has created`);
      if (blank && kind === "existing") violate(`${node.name} is to open ${id}, and has no data`);
    },
    made: (node, { genesis_id, kind }) => world.note("made", `${node.name} ${kind} ${genesis_id}`),
    speaks(node) {
      if (identityOn(node, true) === null) violate(`${node.name} speaks before its identity is on disk`);
    },
    says(node, life, path, body, answer) {
      if (path.endsWith("/hello")) {
        if (!decided.has(life) && DECIDED.test(answer))
          decided.set(life, (JSON.parse(answer) as Hello).votes?.members ?? []);
        if (!answer.includes('"record":')) return;
        const id = (JSON.parse(answer) as Hello).marker?.genesis_id;
        if (id === undefined || holds.get(life) === id) return;
        if (identityOn(node, true)?.marker?.genesis_id !== id)
          violate(`${node.name} tells of its marker before that is on disk`);
        holds.set(life, id);
      } else if (/(?:prepare|accept)$/.test(path)) {
        const problem = voteProblem(
          identityOn(node, true),
          JSON.parse(body) as Message,
          JSON.parse(answer) as Reply,
        );
        if (problem !== null) violate(`${node.name} ${problem}`);
      }
    },
    kept(node) {
      const { incarnation = "", votes = null } = identityOn(node, true) ?? {};
      const before = promised.get(incarnation);
      if (before !== undefined && (votes === null || takesBack(before, votes)))
        violate(`${node.name} takes back what it has promised`);
      if (votes !== null) promised.set(incarnation, votes);
    },
    givenUp: (incarnation) => void gone.add(incarnation),
    told(node, life) {
      stopping += 1;
      const check = () => {
        stopping -= 1;
        if (!life.isAlive() || node.life() !== life) return;
        const hadTime = !life.isPaused() && life.resumedAtMs() <= world.time.now() - STOP_LIMIT_MS;
        if (!hadTime) {
          stopping += 1;
          world.time.after(STOP_LIMIT_MS, check);
        } else violate(`${node.name} was told to stop and runs on`);
      };
      world.time.after(STOP_LIMIT_MS, check);
    },
    threw(node, error, excused) {
      // It has to end, and is started again.
      if (codeOf(error) !== "disk" || !excused) violate(`${node.name} ended by itself: ${reason(error)}`);
    },
    violate,
    waits: () => stopping > 0,
    decided: (life) => (life && decided.get(life)) ?? null,
    opened: () => [...opened.keys()],
    violations: () => violations,
  };
}

/** In a hello. */
const DECIDED = /"votes":\{"round":\d+,"members":\[/;

/** Votes are on disk before they are given, and given by somebody who is asked. */
function voteProblem(kept: Kept | null, message: Message, { kind }: Reply): string | null {
  if (message.kind === "decided" || (kind !== "promise" && kind !== "accepted")) return null;
  if (!message.members.some((m) => m.incarnation === kept?.incarnation))
    return "votes on a set that it is not in";
  const ofGenesis = message.kind === "prepare" ? message.decree === "genesis" : message.founding !== null;
  const votes = kept?.votes?.[ofGenesis ? "genesis" : "members"];
  const on = (kind === "promise" ? votes?.promised : votes?.accepted?.ballot) ?? null;
  return compareBallots(on, message.ballot) < 0 ? "votes before its vote is on disk" : null;
}

/** Whether a later state of one incarnation's votes has less than an earlier one. */
function takesBack(before: Votes, after: Votes): boolean {
  const isLess = (was: Ballot | null | undefined, is: Ballot | null | undefined) =>
    compareBallots(is ?? null, was ?? null) < 0;
  return (["members", "genesis"] as const).some(
    (decree) =>
      isLess(before[decree].promised, after[decree].promised) ||
      isLess(before[decree].accepted?.ballot, after[decree].accepted?.ballot),
  );
}

/** Whether this text of the identity's file has a promise in it. */
export function hasVoted(text: string | null): boolean {
  return text?.includes('"promised":{') === true;
}

export type Kept = {
  readonly incarnation: string;
  readonly opened: boolean;
  readonly claim: unknown;
  readonly marker: { readonly genesis_id: string } | null;
  readonly votes: Votes | null;
};

/** What a machine's data directory says; `durable`: as it would be after a power failure. Null: nothing that can be read. */
export function identityOn({ disk }: Pick<Watched, "disk">, durable = false): Kept | null {
  const text = disk.text(IDENTITY_FILE, durable);
  try {
    return text === null ? null : (JSON.parse(text) as Kept);
  } catch {
    return null;
  }
}
