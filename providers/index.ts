/** The modes of `-disco-mode`, and that of `-join`, each in a file that is loaded when it is chosen. */
import type * as z from "zod";
import type { Provider, ProviderContext } from "../src/core/provider.ts";

/** What the file of a mode exports. `open` takes what `Config` makes of the JSON, and of nothing else. */
export interface ProviderModule {
  readonly Config: z.ZodType;
  open(config: unknown, context: ProviderContext): Promise<Provider>;
}

/** One line a mode. `static` is what `-join` makes, and no value of `-disco-mode`. */
export const providers: Readonly<
  Record<"consul-kv" | "etcd-kv" | "disco" | "dns" | "dns-srv" | "static", () => Promise<ProviderModule>>
> = {
  "consul-kv": () => import("./consul-kv.ts"),
  "etcd-kv": () => import("./etcd-kv.ts"),
  disco: () => import("./disco.ts"),
  dns: () => import("./dns.ts"),
  "dns-srv": () => import("./dns-srv.ts"),
  static: () => import("./static.ts"),
};
