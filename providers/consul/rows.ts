/** The rows of one cluster in Consul's key-value store: reads, transactions and their results. */
import * as z from "zod";
import { type Doing, denied } from "../failure.ts";
import { type Row, rowNames } from "../kv.ts";
import { held, type Wait } from "./blocking.ts";
import { type Connection, lacks, notConsul, parse } from "./connection.ts";

/** A row with what Consul knows of it. `revision` is its ModifyIndex; `session` the lock's holder. */
export type HeldRow = Row & { readonly session: string | null };

/** All rows below the key at one moment, and the index to wait from. */
export type Tree = { readonly rows: readonly Row[]; readonly index: string };

/** One operation of a transaction, on a row of the cluster. Consul's own verbs. */
export type Operation = {
  readonly verb: "get" | "set" | "cas" | "lock" | "check-index" | "check-not-exists" | "delete";
  readonly row: string;
  readonly value?: string;
  readonly index?: number;
  readonly session?: string;
  readonly flags?: number;
};

/** How a transaction ended. `refused`: nothing was written; `problems` are Consul's words. */
export type Committed =
  | { readonly kind: "done"; readonly revisions: ReadonlyMap<string, string> }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

/** Every method throws when it cannot tell. */
export interface Rows {
  /** Names a row in messages. */
  readonly prefix: string;
  /** One linearizable read. */
  get(doing: string, row: string, signal: AbortSignal): Promise<HeldRow | null>;
  /** One linearizable read of all; with `wait`, held back until the index has passed or the time is over. */
  tree(doing: string, wait: Wait, signal: AbortSignal): Promise<Tree>;
  /** All operations or none. */
  commit(doing: string, operations: readonly Operation[], signal: AbortSignal): Promise<Committed>;
}

const Item = z.object({
  Key: z.string(),
  Value: z.string().nullable(),
  ModifyIndex: z.int(),
  Session: z.string().optional(),
});
const Body = {
  items: z.array(Item),
  done: z.object({
    Results: z.array(z.object({ KV: z.object({ Key: z.string(), ModifyIndex: z.int() }) })).nullable(),
  }),
  refused: z.object({ Errors: z.array(z.object({ What: z.string() })) }),
};

/** `namespace` and `partition` are repeated in each operation of a transaction, which is where Consul looks for them. */
export function createRows(
  connection: Connection,
  {
    key,
    namespace,
    partition,
  }: { key: string; namespace?: string | undefined; partition?: string | undefined },
): Rows {
  const prefix = `${key}/`;
  const reading = (doing: string): Doing => ({ doing, needs: `key_prefix "${prefix}" read` });
  const writing = (doing: string): Doing => ({ doing, needs: `key_prefix "${prefix}" write` });
  const place = {
    ...(namespace ? { Namespace: namespace } : {}),
    ...(partition ? { Partition: partition } : {}),
  };

  const toRow = ({ Key, Value, ModifyIndex, Session }: z.infer<typeof Item>): HeldRow => ({
    name: Key.slice(prefix.length),
    value: Value ?? "",
    revision: String(ModifyIndex),
    session: Session ?? null,
  });

  async function get(doing: string, row: string, signal: AbortSignal): Promise<HeldRow | null> {
    const answer = await connection.call(reading(doing), signal, (consul, options) =>
      consul.kv.get({ ...options, key: `${prefix}${row}`, consistent: true }),
    );
    const item = answer.status === 404 ? undefined : parse(doing, Body.items, answer)[0];
    return item === undefined ? null : toRow(item);
  }

  return {
    prefix,
    get,

    async tree(doing, wait, signal) {
      const { options: waiting, extraMs } = held(wait);
      const answer = await connection.call({ ...reading(doing), extraMs }, signal, (consul, options) =>
        consul.kv.get({ ...options, ...waiting, key: prefix, recurse: true, consistent: true }),
      );
      const items = answer.status === 404 ? [] : parse(doing, Body.items, answer);
      const rows = items.map(toRow);
      if (answer.filtered) throw denied(doing, "rows are hidden", lacks(reading(doing).needs));
      // Rows that a token may not read are left out without a word, but a read of one such row is refused.
      if (!rows.some((row) => row.name === rowNames.genesis)) await get(doing, rowNames.genesis, signal);
      if (!rows.some((row) => row.name.startsWith(rowNames.members)))
        await get(doing, rowNames.members, signal);
      if (answer.index === null) throw notConsul(doing);
      return { rows, index: answer.index };
    },

    async commit(doing, operations, signal) {
      const body = operations.map(({ verb, row, value, index, session, flags }) => ({
        KV: {
          Verb: verb,
          Key: `${prefix}${row}`,
          ...(value === undefined ? {} : { Value: Buffer.from(value).toString("base64") }),
          ...(index === undefined ? {} : { Index: index }),
          ...(session === undefined ? {} : { Session: session }),
          ...(flags === undefined ? {} : { Flags: flags }),
          ...place,
        },
      }));
      const answer = await connection.call(writing(doing), signal, (consul, options) =>
        consul.transaction.create(body, options),
      );
      if (answer.status === 409) return refused(writing(doing), parse(doing, Body.refused, answer).Errors);
      if (answer.status === 404) throw notConsul(doing);
      const results = parse(doing, Body.done, answer).Results ?? [];
      const revisions = results.map(
        ({ KV }) => [KV.Key.slice(prefix.length), String(KV.ModifyIndex)] as const,
      );
      return { kind: "done", revisions: new Map(revisions) };
    },
  };
}

/** A right that is missing is told with the same status as a condition that does not hold; only the text differs. */
function refused({ doing, needs }: Doing, errors: readonly { What: string }[]): Committed {
  const problems = errors.map((error) => error.What);
  const right = problems.find((problem) => /permission denied|acl not found/i.test(problem));
  if (right !== undefined) throw denied(doing, right, lacks(needs));
  return { kind: "refused", problems };
}
