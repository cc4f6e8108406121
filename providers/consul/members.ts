/** The leased directory of members in Consul: a row that a session with a time to live holds as a lock. */
import * as z from "zod";
import { decode, Member } from "../../src/core/model.ts";
import type { Announced, Members } from "../../src/core/provider.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { badRecord } from "../failure.ts";
import { rowNames, tombstone, untilSettled } from "../kv.ts";
import type { Connection } from "./connection.ts";
import type { HeldRow, Operation, Rows } from "./rows.ts";

const NEEDS = 'session_prefix "" write';
const Created = z.object({ ID: z.string().min(1) });

/** What keeping a member needs. `ttlMs` is the session's; Consul ends it between one and two times later. */
export type MembersOptions = { readonly rows: Rows; readonly connection: Connection; readonly ttlMs: number };

/** One session at most is held, from the first announcement to the withdrawal. */
export function createMembers({ rows, connection, ttlMs }: MembersOptions): Members {
  let session: string | null = null;
  let announced: { row: string; incarnation: string } | null = null;

  /** Without checks, so that only the time to live counts, and without a delay before the row may be locked again. */
  async function ensureSession(doing: string, signal: AbortSignal): Promise<string> {
    if (session !== null) return session;
    const options = {
      behavior: "delete",
      lockdelay: "0s",
      ttl: `${ttlMs}ms`,
      checks: [],
      name: `rollcall ${rows.prefix}`,
    };
    const what = { doing: `${doing}: create a session`, needs: NEEDS };
    const answer = await connection.call(what, signal, (consul, more) =>
      consul.session.create({ ...options, ...more }),
    );
    const created = Created.safeParse(answer.body);
    if (!created.success)
      throw new RollcallError("store_error", `${what.doing}: an answer that is not Consul's`);
    session = created.data.ID;
    return session;
  }

  /** Consul says yes to a session that is gone already, too. Its rows are deleted with it. */
  async function destroy(doing: string, id: string, signal: AbortSignal): Promise<void> {
    const what = { doing: `${doing}: end a session`, needs: NEEDS };
    await connection.call(what, signal, (consul, more) => consul.session.destroy({ id, ...more }));
  }

  /** One try: null means that the row or the session changed meanwhile. */
  async function attempt(doing: string, member: Member, signal: AbortSignal): Promise<Announced | null> {
    const row = rowNames.member(member.id);
    let found = await rows.get(doing, row, signal);
    const holder = found === null ? null : holderOf(doing, found);
    if (holder !== null && holder.incarnation !== member.incarnation) return { kind: "taken", by: holder };
    if (found !== null && found.session !== null && found.session !== session) {
      // An earlier life of this node, stopped without a withdrawal: its session would keep the lock for a while.
      await destroy(doing, found.session, signal);
      found = null;
    }
    const held = await ensureSession(doing, signal);
    const value = JSON.stringify(member);
    const unchanged: Operation =
      found === null
        ? { verb: "check-not-exists", row }
        : { verb: "check-index", row, index: Number(found.revision) };
    const lock: Operation = { verb: "lock", row, value, session: held };
    const back: Operation = { verb: "delete", row: rowNames.retired(member.incarnation) };
    const ended = await rows.commit(doing, [unchanged, lock, back], signal);
    if (ended.kind === "done") {
      announced = { row, incarnation: member.incarnation };
      return { kind: "held" };
    }
    if (ended.problems.some((problem) => /session/.test(problem))) session = null;
    return null;
  }

  async function renewSession(doing: string, id: string, signal: AbortSignal): Promise<boolean> {
    const answer = await connection.call({ doing, needs: NEEDS }, signal, (consul, more) =>
      consul.session.renew({ id, ...more }),
    );
    return answer.status !== 404;
  }

  return {
    ttlMs,

    async announce(member, signal) {
      const doing = `announce ${member.id}`;
      return untilSettled(doing, () => attempt(doing, member, signal));
    },

    async renew(signal) {
      const doing = "renew the member's session";
      if (session === null || announced === null) return false;
      if (!(await renewSession(doing, session, signal))) {
        session = null;
        return false;
      }
      // Somebody may have deleted the row, or written over it, under a session that is alive.
      const found = await rows.get(doing, announced.row, signal);
      return (
        found !== null &&
        found.session === session &&
        holderOf(doing, found).incarnation === announced.incarnation
      );
    },

    async retire({ id, incarnation }, signal) {
      const row = rowNames.retired(incarnation);
      await rows.commit(`retire ${id}`, [{ verb: "set", row, value: tombstone(id) }], signal);
    },

    async withdraw(signal) {
      if (session === null) return;
      await destroy("withdraw the member", session, signal);
      session = null;
      announced = null;
    },
  };
}

function holderOf(doing: string, found: HeldRow): Member {
  const decoded = decode(Member, found.value);
  if (!decoded.ok) throw badRecord(doing, found.name, decoded.problem);
  return decoded.value;
}
