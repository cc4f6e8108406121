/** The store for commands that work on it once: opened, used under one deadline a call, and closed. */
import type { DiscoConfig, Settings } from "../config.ts";
import type { Provider } from "../core/provider.ts";
import { withDeadline } from "../lib/loop.ts";
import { discoConfig } from "./configs.ts";
import type { Io } from "./io.ts";

/** How long a store may take for one call, in milliseconds: beyond the 5 s of providers, whose words say more. */
const STORE_LIMIT_MS = 6_000;

/** An open store. `call` gives its work a signal and ends it after 6 s, as `deadline`. */
export type Store = {
  readonly disco: DiscoConfig;
  readonly provider: Provider;
  readonly call: <T>(doing: string, work: (signal: AbortSignal) => Promise<T>) => Promise<T>;
};

/** Opens the store that the settings name, and closes it however `work` ends. */
export async function withStore<T>(
  settings: Settings,
  io: Io,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const disco = await discoConfig(settings, io);
  const provider = await io.openProvider(disco);
  const outer = new AbortController();
  try {
    return await work({
      disco,
      provider,
      call: (doing, call) => withDeadline(io.pacing.clock, outer.signal, STORE_LIMIT_MS, doing, call),
    });
  } finally {
    await provider.close();
  }
}
