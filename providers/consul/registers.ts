/** The two check-and-set registers in Consul. */
import type { Register, Swapped, Versioned } from "../../src/core/provider.ts";
import { badRecord } from "../failure.ts";
import { initIdOf, rowNames } from "../kv.ts";
import type { Operation, Rows } from "./rows.ts";

/**
 * `<key>/genesis`. An index alone is no identity: after a wipe it repeats. So a second row, `<key>/init/<init_id>`,
 * is made together with the record and must be there at every later swap: the same index in another life of the
 * store, whose record has another `init_id`, does not match. Values without an `init_id` cannot be swapped.
 */
export function genesisRegister(rows: Rows): Register {
  return createRegister(rows, { row: rowNames.genesis, called: "genesis", conditions: initConditions });
}

/** `<key>/leader`, which native rqlite nodes read and write too. Nothing is kept beside it: it is only a hint. */
export function leaderRegister(rows: Rows): Register {
  return createRegister(rows, { row: rowNames.leader, called: "leader key", conditions: () => [] });
}

type Named = {
  readonly row: string;
  readonly called: string;
  /** What goes into the transaction beside the swap. Throws `bad_record`. */
  conditions(expected: Versioned | null, next: string): Operation[];
};

function createRegister(rows: Rows, { row, called, conditions }: Named): Register {
  async function read(doing: string, signal: AbortSignal): Promise<Versioned | null> {
    const found = await rows.get(doing, row, signal);
    return found === null ? null : { value: found.value, revision: found.revision };
  }

  return {
    read: (signal) => read(`read ${called}`, signal),

    async swap(expected, next, signal): Promise<Swapped> {
      const doing = `write ${called}`;
      try {
        // 0 stands for "is absent".
        const index = Number(expected?.revision ?? 0);
        // Consul skips a write that changes nothing, its index included; these flags differ from those before.
        const swap: Operation = { verb: "cas", row, value: next, index, flags: index };
        const ended = await rows.commit(doing, [...conditions(expected, next), swap], signal);
        if (ended.kind === "refused") {
          const current = await read(doing, signal);
          // The record is the one that was expected, so it was the other condition that did not hold.
          const same = current?.revision === expected?.revision && current?.value === expected?.value;
          if (current !== null && same) throw stuck(doing, rows.prefix);
          return { kind: "lost", current };
        }
        const revision = ended.revisions.get(row);
        if (revision === undefined) throw badRecord(doing, rows.prefix + row, "is not in the answer");
        return { kind: "won", revision };
      } catch (cause) {
        return { kind: "unknown", cause };
      }
    },
  };
}

function initConditions(expected: Versioned | null, next: string): Operation[] {
  const before = expected === null ? null : initIdIn(expected.value);
  const after = initIdIn(next);
  return [
    ...(before === null ? [] : [{ verb: "get", row: rowNames.init(before) } as const]),
    ...(before === after ? [] : [{ verb: "set", row: rowNames.init(after), value: "" } as const]),
  ];
}

/** Somebody removed rows by hand, or brought back a part of them. */
function stuck(doing: string, prefix: string): Error {
  const row = `${prefix}${rowNames.init("<init_id>")}`;
  return badRecord(doing, row, "of the record is missing, so that nobody can write the record");
}

function initIdIn(value: string): string {
  const id = initIdOf(value);
  if (id === null) throw badRecord("write genesis", "the record", "has no init_id");
  return id;
}
