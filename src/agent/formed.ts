/**
 * The members as this node's database last listed them while it listed itself, kept in `database.json`: it
 * tells a database that holds a cluster from one that was only begun, and how its peers were reached.
 */
import * as z from "zod";
import { decode } from "../core/model.ts";
import { type DatabaseMember, lists, type NodeReport } from "../core/node-report.ts";
import type { Clock } from "../lib/clock.ts";
import { type Disk, readIfThere, systemDisk } from "../lib/files.ts";
import { openKeptFile } from "../lib/kept-file.ts";
import type { Log } from "../lib/log.ts";

const Formed = z.looseObject({
  v: z.literal(1),
  /** Of the node when it was written: with a new disk the list is of another life. */
  incarnation: z.string(),
  members: z.array(
    z.object({
      id: z.string(),
      addr: z.string(),
      api_addr: z.string(),
      voter: z.boolean().nullable(),
      reachable: z.null(),
    }),
  ),
});

export type FormedOptions = {
  readonly path: string;
  readonly nodeId: string;
  readonly incarnation: () => string;
  readonly clock: Clock;
  readonly log: Log;
  readonly disk?: Disk;
};

export async function openFormed(options: FormedOptions) {
  const { path, nodeId, incarnation, clock, log, disk = systemDisk } = options;
  const text = await readIfThere(path, disk).catch(() => null);
  const kept = text === null ? null : decode(Formed, text);
  let formed: { readonly incarnation: string; readonly members: readonly DatabaseMember[] } | null = kept?.ok
    ? kept.value
    : null;
  const file = openKeptFile({
    path,
    text: () => formed && `${JSON.stringify({ v: 1, ...formed })}\n`,
    clock,
    log,
    disk,
  });
  return {
    /** Null: this node's database has never listed itself. */
    members: () => (formed?.incarnation === incarnation() ? formed.members : null),
    /** Takes in one look; true when the list is another now. */
    saw(report: NodeReport): boolean {
      if (report.status !== "healthy" || lists(report, nodeId) !== true) return false;
      const members = (report.members ?? []).map((m) => ({ ...m, reachable: null }));
      const next = { incarnation: incarnation(), members };
      if (JSON.stringify(next) === JSON.stringify(formed)) return false;
      formed = next;
      file.changed();
      return true;
    },
    run: file.run,
  };
}
export type Formed = Awaited<ReturnType<typeof openFormed>>;
