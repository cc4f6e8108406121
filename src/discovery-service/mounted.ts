/** The Discovery Service in another program's server, below a path: the same service, with a file of its own. */
import { tokenIn } from "../lib/bearer.ts";
import type { Log } from "../lib/log.ts";
import type { Mounted } from "../lib/mounted.ts";
import { openDurable } from "./durable.ts";
import type { Deps } from "./http.ts";
import { pathsBelow } from "./openapi.ts";
import { openService } from "./service.ts";

/** Where it is, what it keeps, and who may ask. */
export type MountOptions = {
  /** As `/discovery`. */
  readonly base: `/${string}`;
  readonly store: { readonly path: string };
  readonly unusedMs: number;
  /** Holds the token that opens everything; null: none. An id's own token opens that id. */
  readonly tokenFile: string | null;
  /** Callers must show a client certificate. */
  readonly certified: boolean;
};

export type MountDeps = Omit<Deps, "log"> & {
  readonly log: Log;
  readonly version: string;
  /** A file's text, read again when it changed. */
  readonly file: (path: string) => Promise<string>;
};

/** Opens its file. Throws one line that names it, as `openDurable`. */
export async function openMounted(options: MountOptions, deps: MountDeps): Promise<Mounted> {
  const { base, store, unusedMs, certified } = options;
  const { file, version, log } = deps;
  const contents = await openDurable(store.path, deps);
  const token = () => tokenIn(options.tokenFile, file);
  const service = openService({ ...contents, base, unusedMs, certified, token, version }, deps);
  const ids = contents.registers.size().ids + contents.lists.size().ids;
  log.info({ path: base, store: store.path, ids }, "serving the Discovery Service too");
  // Not refused as the coordinator's own changes are: agents come from other machines.
  if (options.tokenFile === null && !certified)
    log.warn({ path: base }, "open to everybody who can reach it: neither -token-file nor -tls-client-auth");
  return {
    base,
    fetch: (request, env) => service.app.fetch(request, env),
    metrics: service.metrics,
    paths: pathsBelow(base),
    broken: contents.broken,
    end: service.end,
    close() {
      service.end();
      contents.close();
    },
  };
}
