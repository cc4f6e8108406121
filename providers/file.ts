/**
 * Agents in a YAML or JSON file that somebody else keeps (agents.ts has its shapes), watched. There is no register behind
 * it: the agents agree among themselves.
 */
import * as z from "zod";
import type { Lookup, Provider, ProviderContext } from "../src/core/provider.ts";
import { agentsOf, Labels } from "./agents.ts";
import { aborted, closed } from "./failure.ts";
import { openChanges } from "./file/changes.ts";
import { readDocument } from "./file/document.ts";

/** The file's size, at most. */
const MOST_BYTES = 4 * 1024 * 1024;

/** The JSON of `-disco-config` for this mode. */
export const Config = z.strictObject({
  path: z.string().min(1, "must be the path of a file"),
  labels: Labels,
});
export type Config = z.infer<typeof Config>;

/** Opens nothing yet, and throws nothing. */
export async function open({ path, labels }: Config, { key }: ProviderContext): Promise<Provider> {
  const doing = `look for agents in ${path}`;
  const ending = new AbortController();

  async function lookup(signal: AbortSignal): Promise<Lookup> {
    if (ending.signal.aborted) throw closed(doing);
    if (signal.aborted) throw aborted(doing, signal);
    return agentsOf(await readDocument({ doing, path, mostBytes: MOST_BYTES }), { doing, key, labels });
  }

  /** The next content that is another than `seen`. Between two calls nothing is watched: the content tells. */
  async function after(seen: string | null, signal: AbortSignal): Promise<Lookup> {
    const changes = await openChanges(path);
    try {
      for (;;) {
        const now = await lookup(signal);
        if (JSON.stringify(now) !== seen) return now;
        await changes.next(AbortSignal.any([signal, ending.signal]));
      }
    } finally {
      changes.close();
    }
  }

  return {
    mode: "file",
    lookup,
    async *watch(signal) {
      let seen: string | null = null;
      for (;;) {
        const now = await after(seen, signal);
        seen = JSON.stringify(now);
        yield now;
      }
    },
    async close() {
      ending.abort();
    },
  };
}
