/** The two check-and-set registers in etcd. */
import type { Register, Swapped, Versioned } from "../../src/core/provider.ts";
import type { HeldRow, Rows } from "./rows.ts";

/** `row` holds the value; `called` names it in messages. */
export function createRegister(rows: Rows, { row, called }: { row: string; called: string }): Register {
  return {
    async read(signal) {
      return toVersioned(await rows.get(`read ${called}`, row, signal));
    },

    async swap(expected, next, signal): Promise<Swapped> {
      try {
        const ended = await rows.change(`write ${called}`, { row, expected, value: next }, signal);
        if (ended.kind === "done") return { kind: "won", revision: ended.revision };
        return { kind: "lost", current: toVersioned(ended.current) };
      } catch (cause) {
        return { kind: "unknown", cause };
      }
    },
  };
}

function toVersioned(row: HeldRow | null): Versioned | null {
  return row === null ? null : { value: row.value, revision: row.revision };
}
