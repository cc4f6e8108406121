/** What must never happen, judged from outside: by what databases are told and do, and by what is on the disks. */
import type { Outcome } from "../../src/core/model.ts";
import { codeOf, reason } from "../../src/lib/errors.ts";
import { DATA_DIR, type VirtualDisk } from "./disk.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

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
  /** An agent was told to stop. */
  told(node: Watched, life: Life): void;
  /** An agent ended with an error of its own. */
  threw(node: Watched, error: unknown): void;
  violate(what: string): void;
  /** Whether an agent that was told to stop may still be on its way. */
  waits(): boolean;
  /** The geneses that databases have opened under. */
  opened(): readonly string[];
  violations(): readonly string[];
};

/** An agent that is told to stop, and runs, is gone after this time. */
const STOP_LIMIT_MS = 6_000;

export function openOracle(world: Pick<World, "time" | "note">): Oracle {
  const violations: string[] = [];
  const opened = new Set<string>();
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

  return {
    opens(node, outcome, { blank, cluster, init }) {
      const { genesis_id: id, kind } = outcome;
      const kept = identityOn(node, true);
      if (kept?.marker?.genesis_id !== id || !kept.opened)
        violate(`${node.name} opens ${id} before its marker is on disk`);
      opened.add(id);
      if (opened.size > 1) violate(`${node.name} opens ${id} beside ${[...opened].join(" ")}`);
      // What was cut short while it was written is a beginning of it.
      if (cluster !== null && !id.startsWith(cluster))
        violate(`${node.name} opens ${id} over the data of ${cluster}`);
      if (init !== null && (init !== id || kind === "join"))
        violate(`${node.name} is to ${kind} ${id} over what was initialised for ${init}`);
      if (cluster === id && kind === "bootstrap" && outcome.formation === "single")
        violate(`${node.name} is to create ${id}, which it has created`);
      if (blank && kind === "existing") violate(`${node.name} is to open ${id}, and has no data`);
      checkKind(node, outcome, kept?.incarnation ?? "");
    },
    made: (node, { genesis_id, kind }) => world.note("made", `${node.name} ${kind} ${genesis_id}`),
    speaks(node) {
      if (identityOn(node, true) === null) violate(`${node.name} speaks before its identity is on disk`);
    },
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
    threw(node, error) {
      // Its own disk failed: it has to end, and is started again.
      if (codeOf(error) !== "disk") violate(`${node.name} ended by itself: ${reason(error)}`);
    },
    violate,
    waits: () => stopping > 0,
    opened: () => [...opened],
    violations: () => violations,
  };
}

type Kept = {
  readonly incarnation: string;
  readonly opened: boolean;
  readonly claim: unknown;
  readonly marker: { readonly genesis_id: string } | null;
};

/** What a machine's data directory says; `durable`: as it would be after a power failure. Null: nothing that can be read. */
export function identityOn({ disk }: Pick<Watched, "disk">, durable = false): Kept | null {
  const text = disk.text(`${DATA_DIR}/identity.json`, durable);
  try {
    return text === null ? null : (JSON.parse(text) as Kept);
  } catch {
    return null;
  }
}
