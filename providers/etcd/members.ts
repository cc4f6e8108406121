/** The leased directory of members in etcd: a row that hangs on a lease. */
import { decode, Member } from "../../src/core/model.ts";
import type { Announced, Members } from "../../src/core/provider.ts";
import { codeOf } from "../../src/lib/errors.ts";
import { badRecord } from "../failure.ts";
import { rowNames, tombstone, untilSettled } from "../kv.ts";
import type { Leases } from "./leases.ts";
import type { HeldRow, Rows } from "./rows.ts";

/** What keeping a member needs. `ttlMs` is the lease's, in whole seconds. */
export type MembersOptions = { readonly rows: Rows; readonly leases: Leases; readonly ttlMs: number };

/** One lease at most is held, from the first announcement to the withdrawal. */
export function createMembers({ rows, leases, ttlMs }: MembersOptions): Members {
  let lease: string | null = null;
  let announced: { row: string; incarnation: string } | null = null;

  /** One try: null means that the row or the lease changed meanwhile. */
  async function attempt(doing: string, member: Member, signal: AbortSignal): Promise<Announced | null> {
    const row = rowNames.member(member.id);
    const found = await rows.get(doing, row, signal);
    const holder = found === null ? null : holderOf(doing, found);
    if (holder !== null && holder.incarnation !== member.incarnation) return { kind: "taken", by: holder };
    lease ??= await leases.grant(doing, ttlMs, signal);
    const removes = rowNames.retired(member.incarnation);
    const change = { row, expected: found, value: JSON.stringify(member), lease, removes };
    const ended = await rows.change(doing, change, signal).catch((error: unknown) => {
      if (codeOf(error) !== "lease_gone") throw error;
      lease = null;
      return null;
    });
    if (ended?.kind !== "done") return null;
    announced = { row, incarnation: member.incarnation };
    if (found !== null && found.lease !== null && found.lease !== lease) {
      // Of an earlier life of this node. Nothing hangs on it any more, so that it may as well run out.
      await leases.revoke(doing, found.lease, signal).catch(() => {});
    }
    return { kind: "held" };
  }

  return {
    ttlMs,

    async announce(member, signal) {
      const doing = `announce ${member.id}`;
      return untilSettled(doing, () => attempt(doing, member, signal));
    },

    async renew(signal) {
      const doing = "renew the member's lease";
      if (lease === null || announced === null) return false;
      if (!(await leases.keepAlive(doing, lease, signal))) {
        lease = null;
        return false;
      }
      // Somebody may have deleted the row, or written over it, while the lease is alive.
      const found = await rows.get(doing, announced.row, signal);
      return (
        found !== null &&
        found.lease === lease &&
        holderOf(doing, found).incarnation === announced.incarnation
      );
    },

    async retire({ id, incarnation }, signal) {
      // Refused: it is there already.
      const row = rowNames.retired(incarnation);
      await rows.change(`retire ${id}`, { row, expected: null, value: tombstone(id) }, signal);
    },

    async withdraw(signal) {
      if (lease === null) return;
      await leases.revoke("withdraw the member", lease, signal);
      lease = null;
      announced = null;
    },
  };
}

function holderOf(doing: string, found: HeldRow): Member {
  const decoded = decode(Member, found.value);
  if (!decoded.ok) throw badRecord(doing, found.name, decoded.problem);
  return decoded.value;
}
