/** Stages on a real server, behind a fault proxy of their own. */
import type { Provider } from "../../src/core/provider.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { freshKey, type Stage } from "./stage.ts";

/** What a stage needs to know of its kind of server. */
export type RealStore = {
  /** The server's own address. */
  readonly target: { readonly address: string; readonly port: number };
  /** What only a swap's request has in it. */
  readonly swaps: RegExp;
  open(endpoint: string, key: string): Promise<Provider>;
  /** Removes everything below the key, whoever holds it. */
  empty(key: string): Promise<void>;
};

/** A stage on a fresh key. */
export async function realStage(store: RealStore): Promise<Stage> {
  const proxy: FaultProxy = await startFaultProxy(store.target);
  const key = freshKey();
  const opened: Provider[] = [];
  return {
    async open(suffix = "") {
      const provider = await store.open(proxy.endpoint, `${key}${suffix}`);
      opened.push(provider);
      return provider;
    },
    down: () => proxy.refuse(),
    hang: () => proxy.blackhole(),
    up: () => proxy.pass(),
    loseAnswer: () => proxy.dropResponses({ matching: store.swaps }).dropped,
    wipe: () => store.empty(key),
    async close() {
      await Promise.all(opened.map((provider) => provider.close()));
      await proxy.stop();
    },
  };
}
