/**
 * etcd: registers, leased members and look-ups below `/<key>/`. Takes rqlite's configuration for etcd-kv, which is
 * that of etcd's own Go client, and adds TLS files, `password_file` and `timeout`. Every read is linearizable.
 */
import type { Provider, ProviderContext } from "../src/core/provider.ts";
import type { Config } from "./etcd/config.ts";
import { createConnection } from "./etcd/connection.ts";
import { createLeases } from "./etcd/leases.ts";
import { createMembers } from "./etcd/members.ts";
import { createRegister } from "./etcd/registers.ts";
import { createRows } from "./etcd/rows.ts";
import { watch } from "./etcd/watch.ts";
import { checkKey, rowNames, toLookup } from "./kv.ts";

export { Config } from "./etcd/config.ts";

/** The time to live of the member's lease. */
const TTL_MS = 10_000;

/**
 * Opens the provider. Connects to nothing yet. Throws `bad_key` for a key that other clusters' rows would meet.
 * `ttlMs` is for tests.
 */
export async function open(
  config: Config,
  context: ProviderContext,
  { ttlMs = TTL_MS } = {},
): Promise<Provider> {
  checkKey(context.key);
  // The default of a CommonJS package is all of it, in Node and in a bundle; its names are there in Node only.
  const {
    default: { Etcd3 },
  } = await import("etcd3");
  const connection = createConnection(Etcd3, config, context);
  const rows = createRows(connection, context.key);
  const leases = createLeases(connection);
  return {
    mode: "etcd-kv",
    lookup: async (signal) => toLookup((await rows.tree("look up", signal)).rows),
    watch: (signal) => watch(connection, rows, signal),
    members: createMembers({ rows, leases, ttlMs }),
    genesis: createRegister(rows, { row: rowNames.genesis, called: "genesis" }),
    leaderKey: createRegister(rows, { row: rowNames.leader, called: "leader key" }),
    async close() {
      connection.close();
    },
  };
}
