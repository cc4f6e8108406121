/** The rows of one cluster in etcd: reads, check-and-set, and what the watch follows. */
import type { IKeyValue, IRangeResponse } from "etcd3";
import type { Versioned } from "../../src/core/provider.ts";
import type { Doing } from "../failure.ts";
import type { Row } from "../kv.ts";
import type { Connection } from "./connection.ts";

/** A row with what etcd knows of it. `revision` is its mod_revision; `lease` the id of its lease. */
export type HeldRow = Row & { readonly lease: string | null };

/** All rows below the key at one moment, and the store's revision then. */
export type Tree = { readonly rows: readonly Row[]; readonly revision: number };

/** A check-and-set: `expected` null means that the row must be absent. */
export type Change = {
  readonly row: string;
  readonly expected: Versioned | null;
  readonly value: string;
  readonly lease?: string;
  /** Another row, which is removed in the same transaction. */
  readonly removes?: string;
};

/** How it ended. `current` is the row at the same moment. */
export type Changed =
  | { readonly kind: "done"; readonly revision: string }
  | { readonly kind: "refused"; readonly current: HeldRow | null };

/** Every method throws when it cannot tell. */
export interface Rows {
  /** `/<key>/`. */
  readonly prefix: string;
  /** All keys that begin with the prefix, as etcd's requests name them. */
  readonly range: { readonly key: Buffer; readonly range_end: Buffer };
  /** The row's name relative to the prefix. */
  nameOf(kv: IKeyValue): string;
  /** One linearizable read. */
  get(doing: string, row: string, signal: AbortSignal): Promise<HeldRow | null>;
  /** One linearizable read of all. */
  tree(doing: string, signal: AbortSignal): Promise<Tree>;
  /** One transaction, sent once. Compares the value too: a revision alone may repeat after a wipe. */
  change(doing: string, change: Change, signal: AbortSignal): Promise<Changed>;
}

/** What a user's role must grant, as the end of an error. */
export function rightOn(prefix: string): string {
  return `readwrite on the prefix ${JSON.stringify(prefix)}`;
}

/** The rows below `/<key>/`. */
export function createRows(connection: Connection, key: string): Rows {
  const prefix = `/${key}/`;
  // The first key after all that begin with the prefix: its last byte, a slash, raised by one.
  const range = { key: Buffer.from(prefix), range_end: Buffer.from(`/${key}0`) };
  const what = (doing: string): Doing => ({ doing, needs: rightOn(prefix) });
  const bytesOf = (row: string) => Buffer.from(`${prefix}${row}`);
  const nameOf = (kv: IKeyValue) => kv.key.toString().slice(prefix.length);

  const toRow = (kv: IKeyValue): HeldRow => ({
    name: nameOf(kv),
    value: kv.value.toString(),
    revision: kv.mod_revision,
    lease: kv.lease === "0" ? null : kv.lease,
  });
  const firstOf = (response: IRangeResponse | undefined): HeldRow | null => {
    const kv = response?.kvs[0];
    return kv === undefined ? null : toRow(kv);
  };

  return {
    prefix,
    range,
    nameOf,

    async get(doing, row, signal) {
      const request = { key: bytesOf(row) };
      const asked = { ...what(doing), repeat: true };
      return firstOf(
        await connection.call(asked, signal, (etcd, options) => etcd.kv.range(request, options)),
      );
    },

    async tree(doing, signal) {
      const asked = { ...what(doing), repeat: true };
      const response = await connection.call(asked, signal, (etcd, options) => etcd.kv.range(range, options));
      return { rows: response.kvs.map(toRow), revision: Number(response.header.revision) };
    },

    async change(doing, { row, expected, value, lease, removes }, signal) {
      const at = bytesOf(row);
      const equal = { key: at, result: "Equal" } as const;
      const request = {
        compare:
          expected === null
            ? [{ ...equal, target: "Create" as const, create_revision: "0" }]
            : [
                { ...equal, target: "Mod" as const, mod_revision: expected.revision },
                { ...equal, target: "Value" as const, value: Buffer.from(expected.value) },
              ],
        success: [
          { request_put: { key: at, value: Buffer.from(value), ...(lease === undefined ? {} : { lease }) } },
          ...(removes === undefined ? [] : [{ request_delete_range: { key: bytesOf(removes) } }]),
        ],
        failure: [{ request_range: { key: at } }],
      };
      const asked = { ...what(doing), repeat: false };
      const ended = await connection.call(asked, signal, (etcd, options) => etcd.kv.txn(request, options));
      if (ended.succeeded) return { kind: "done", revision: ended.header.revision };
      return { kind: "refused", current: firstOf(ended.responses[0]?.response_range) };
    },
  };
}
