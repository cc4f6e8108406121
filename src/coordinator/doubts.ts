/**
 * What the store may have otherwise than it is known: a commit of it failed, and nobody could tell how far. It stays in
 * doubt until it is read back, and nothing is made of it before.
 */
import { RollcallError, reason } from "../lib/errors.ts";
import { bell } from "../lib/loop.ts";
import type { Commit } from "../store/store.ts";

/**
 * The turn of a discovery's settings and records, and the name of what may be in doubt. A cluster's own, with its
 * settings, is its id, which has no colon. Who needs both takes those of discoveries first, all at once, and then those
 * of clusters: so nobody waits in a circle.
 */
export const discoveryTurn = (name: string) => `discovery:${name}`;

/** Each reads one of a kind back, by its name, and gives what tells of it. */
export type Readers = Readonly<Record<"cluster" | "discovery", (name: string) => Promise<() => void>>>;

export type DoubtsOptions = {
  readonly read: Readers;
  /** Whether a cluster has to be read before anything is made of it, in doubt or not. */
  readonly isUnfenced: (clusterId: string) => boolean;
  /** The discoveries that list a cluster. */
  readonly listers: (clusterId: string) => readonly string[];
};

type Doubt = {
  /** Of a discovery: it may list something else. */
  readonly lists: boolean;
  /** Why it could not be read back; null: it was not tried yet. */
  readonly problem: string | null;
};

/** No doubts at first. They are named by scopes: each is its turn's. */
export function openDoubts({ read, isUnfenced, listers }: DoubtsOptions) {
  const doubts = new Map<string, Doubt>();
  const more = bell();

  async function readBack(scope: string): Promise<void> {
    const [kind, name] = parted(scope);
    const tell = await read[kind](name).catch((error: unknown) => {
      const doubt = doubts.get(scope);
      if (doubt !== undefined) doubts.set(scope, { ...doubt, problem: reason(error) });
      throw error;
    });
    if (doubts.delete(scope)) tell();
  }

  /** Throws `store` where a cluster is in doubt, or what is listed of it. */
  function refuse(id: string): void {
    if (doubts.size === 0) return;
    const about = doubts.has(id)
      ? id
      : listers(id)
          .map(discoveryTurn)
          .find((scope) => doubts.get(scope)?.lists);
    if (about === undefined) return;
    throw new RollcallError("store", `read ${about} back: ${doubts.get(about)?.problem ?? "not done yet"}`);
  }

  return {
    refuse,
    /** All of these commits is in doubt from now on; gives the scopes. */
    raise(commits: readonly Commit[]): string[] {
      const scopes = new Set<string>();
      for (const one of commits) {
        const scope = scopeOf(one);
        if (scope === null) continue;
        const { lists = false, problem = null } = doubts.get(scope) ?? {};
        doubts.set(scope, { lists: lists || listsOtherwise(one), problem });
        scopes.add(scope);
      }
      more.ring();
      return [...scopes];
    },
    /**
     * Reads back what is in doubt of these. Only in the turn of all of them. Throws `store` where that cannot be read,
     * and where it is in doubt what is listed of one of those clusters: that is read back in its discovery's turn.
     */
    async sure(scopes: readonly string[]): Promise<void> {
      const unsure = scopes.filter((scope) => doubts.has(scope) || isUnfenced(scope));
      // All of it in this turn: what came later would be older than what the next one makes.
      const failed = (await Promise.allSettled(unsure.map(readBack))).find(
        (one) => one.status === "rejected",
      );
      if (failed !== undefined) throw failed.reason;
      for (const scope of scopes) refuse(scope);
    },
    scopes: (): readonly string[] => [...doubts.keys()],
    /** Rings when there are more of them. */
    more,
  };
}
export type Doubts = ReturnType<typeof openDoubts>;

function parted(scope: string): readonly [keyof Readers, string] {
  const prefix = discoveryTurn("");
  return scope.startsWith(prefix) ? ["discovery", scope.slice(prefix.length)] : ["cluster", scope];
}

/** Null: nothing of it is ever in doubt. */
function scopeOf(commit: Commit): string | null {
  switch (commit.kind) {
    case "cluster":
    case "settings":
      return commit.clusterId;
    case "discovery":
      return discoveryTurn(commit.name);
    // The next run is written with its own times.
    case "run":
      return null;
    default:
      return commit satisfies never;
  }
}

function listsOtherwise(commit: Commit): boolean {
  return commit.kind === "discovery" && (commit.stored === null || commit.records !== undefined);
}
