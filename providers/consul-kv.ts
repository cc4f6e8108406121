/**
 * Consul's key-value store: registers, leased members and look-ups below `<key>/`. Takes rqlite's configuration for
 * consul-kv unchanged, and `timeout`. Every read asks for Consul's `consistent` mode.
 */
import type { Lookup, Provider, ProviderContext } from "../src/core/provider.ts";
import { changesOf } from "./consul/blocking.ts";
import type { Config } from "./consul/config.ts";
import { createConnection } from "./consul/connection.ts";
import { createMembers } from "./consul/members.ts";
import { genesisRegister, leaderRegister } from "./consul/registers.ts";
import { createRows, type Rows } from "./consul/rows.ts";
import { checkKey, fingerprint, toLookup } from "./kv.ts";

export { Config } from "./consul/config.ts";

/** The time to live of the member's session: the shortest that Consul takes by itself (`session_ttl_min`). */
const TTL_MS = 10_000;

/**
 * Opens the provider. Connects to nothing yet. Throws `bad_key` for a key that other clusters' rows would meet.
 * `ttlMs` is for tests, on a Consul that allows shorter sessions.
 */
export async function open(
  config: Config,
  context: ProviderContext,
  { ttlMs = TTL_MS } = {},
): Promise<Provider> {
  checkKey(context.key);
  const { default: Consul } = await import("consul");
  const connection = createConnection(Consul, config, context);
  const { namespace, partition } = config;
  const rows = createRows(connection, { key: context.key, namespace, partition });
  return {
    mode: "consul-kv",
    lookup: async (signal) => toLookup((await rows.tree("look up", null, signal)).rows),
    watch: (signal) => watch(rows, signal),
    members: createMembers({ rows, connection, ttlMs }),
    genesis: genesisRegister(rows),
    leaderKey: leaderRegister(rows),
    async close() {
      connection.close();
    },
  };
}

async function* watch(rows: Rows, signal: AbortSignal): AsyncGenerator<Lookup> {
  const trees = changesOf(
    (wait) => rows.tree("watch", wait, signal),
    (tree) => fingerprint(tree.rows),
  );
  for await (const tree of trees) yield toLookup(tree.rows);
}
