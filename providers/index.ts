/**
 * The modes of `-disco-mode`, and that of `-join`, and those of a coordinator's discoveries, each in a file that is
 * loaded when it is chosen.
 */
import type * as z from "zod";
import type { Inventory, InventoryContext, InventoryMode } from "../src/core/inventory.ts";
import type { Provider, ProviderContext } from "../src/core/provider.ts";
import { ofOneCluster } from "./one-cluster.ts";

/** What the file of a mode exports. `open` takes what `Config` makes of the JSON, and of nothing else. */
export interface ProviderModule {
  readonly Config: z.ZodType;
  open(config: unknown, context: ProviderContext): Promise<Provider>;
}

/** One line a mode. `static` is what `-join` makes, and no value of `-disco-mode`. */
export const providers = byMode({
  "consul-kv": () => import("./consul-kv.ts"),
  "etcd-kv": () => import("./etcd-kv.ts"),
  disco: () => import("./disco.ts"),
  dns: () => import("./dns.ts"),
  "dns-srv": () => import("./dns-srv.ts"),
  "consul-service": () => import("./consul-service.ts"),
  file: () => import("./file.ts"),
  http: () => import("./http.ts"),
  static: () => import("./static.ts"),
});

/** The table as it is: its keys are the modes. */
function byMode<Mode extends string>(table: Readonly<Record<Mode, () => Promise<ProviderModule>>>) {
  return table;
}

/** What lists clusters. `open` takes what `Config` makes of the JSON, and of nothing else. */
export interface InventoryModule {
  readonly Config: z.ZodType;
  open(config: unknown, context: InventoryContext): Promise<Inventory>;
}

/** One line a mode. Where the source names no cluster its look-ups are those of the one that the settings name. */
export const inventories: Readonly<Record<InventoryMode, () => Promise<InventoryModule>>> = {
  http: () => import("./http/inventory.ts"),
  file: () => import("./file/inventory.ts"),
  "consul-kv": () => import("./consul/inventory.ts"),
  "etcd-kv": () => import("./etcd/inventory.ts"),
  disco: async () => ofOneCluster(await import("./disco.ts")),
  dns: async () => ofOneCluster(await import("./dns.ts")),
  "dns-srv": async () => ofOneCluster(await import("./dns-srv.ts")),
  "consul-service": async () => ofOneCluster(await import("./consul-service.ts")),
  static: async () => {
    const { Inventoried: Config, open } = await import("./static.ts");
    return ofOneCluster({ Config, open: (config) => open(Config.parse(config)) });
  },
};
