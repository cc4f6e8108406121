/** Taking this node out of its database's cluster, for good. */
import { lists } from "../core/node-report.ts";
import type { Database } from "../databases/database.ts";
import { reason } from "../lib/errors.ts";
import { type Pacing, withDeadline } from "../lib/loop.ts";
import type { Hooks } from "./hook-queue.ts";
import type { Probe } from "./probe.ts";

/** Why a node stays. */
export type Stays = { readonly code: string; readonly message: string; readonly hint: string };

export type LeaveOptions = {
  readonly pacing: Pacing;
  readonly nodeId: string;
  readonly database: Database;
  readonly probe: Probe;
  readonly hooks: Hooks;
  /** The node is on its way out, or after all is not. */
  readonly leaving: (is: boolean) => void;
};

const LIMIT_MS = 10_000;

/** Removes the node from the cluster where its database can, then runs `-on-leave`; null: done, else why it stays. */
export async function leave(options: LeaveOptions, signal: AbortSignal): Promise<Stays | null> {
  const { database, leaving } = options;
  if (database.removeMember !== undefined) {
    leaving(true);
    const stays = await remove(options, database.removeMember.bind(database), signal);
    if (stays !== null) {
      leaving(false);
      return stays;
    }
  }
  await options.hooks.once("leave", signal);
  return null;
}

type Remove = (id: string, signal: AbortSignal) => Promise<void>;

async function remove(
  { pacing, nodeId, probe }: LeaveOptions,
  removeMember: Remove,
  signal: AbortSignal,
): Promise<Stays | null> {
  const seen = await probe.look(signal);
  if (seen === null)
    return stays(
      "database_unavailable",
      "the database does not answer, so it cannot leave",
      "start it first",
    );
  const listed = lists(seen, nodeId);
  if (listed === null)
    return stays("cannot_tell", "the database does not tell its members", "see /v1/node; try again");
  if (!listed) return null;
  if (seen.members?.length === 1)
    return stays("last_member", "this node is the only member of its cluster", "stop the agent instead");
  try {
    await withDeadline(pacing.clock, signal, LIMIT_MS, "leave the cluster", (s) => removeMember(nodeId, s));
    return null;
  } catch (error) {
    return stays("not_removed", reason(error), "without a leader nobody can leave: see /v1/leader");
  }
}

function stays(code: string, message: string, hint: string): Stays {
  return { code, message, hint };
}
