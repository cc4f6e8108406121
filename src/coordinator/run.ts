/**
 * A coordinator as a process: opens the store, applies the settings from files, listens, and runs until it is told
 * to stop. What it was about to commit is committed or not; nothing is half done.
 */
import type { CoordinatorConfig } from "../config.ts";
import { formatAddress } from "../core/address.ts";
import { replayed } from "../core/replay.ts";
import { tokenIn } from "../lib/bearer.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import { callerOf, listen } from "../lib/http-server.ts";
import type { Mounted } from "../lib/mounted.ts";
import { releasers, runAll } from "../lib/run.ts";
import { readTls, renewTls } from "../lib/server-tls.ts";
import { openStore } from "../store/open.ts";
import { openAccess } from "./access.ts";
import { AGENT_CLIENT, openAgentClient } from "./agent-client.ts";
import { type CoordinatorDeps, openCoordinator } from "./coordinator.ts";
import { parseDocuments } from "./documents.ts";
import { coordinatorApp } from "./http.ts";
import { openSettingsFiles } from "./settings-files.ts";
import { readSettings, watchSettings } from "./watched.ts";

export type RunDeps = Pick<
  CoordinatorDeps,
  "openInventory" | "checkInventory" | "pacing" | "log" | "version"
> & {
  /** A file's text, read again when it changed. */
  readonly file: (path: string) => Promise<string>;
  /** Opens what the server serves beside the coordinator; null: nothing. */
  readonly mount: (() => Promise<Mounted>) | null;
};

/** What requests that still run may take at the end. */
const GRACE_MS = 500;
/** With agents that hold long polls. */
const MOUNTED_CONNECTIONS = 10_000;

/** Runs one coordinator to its end. Throws one clear line when it cannot go on; nothing is polled before that is sure. */
export async function runCoordinator(
  config: CoordinatorConfig,
  deps: RunDeps,
  stop: AbortSignal,
): Promise<void> {
  const { log, pacing, file } = deps;
  const { clock } = pacing;
  const opened = releasers((error) => log.warn({ error: reason(error) }, "closing"));
  const ending = new AbortController();
  const signal = AbortSignal.any([stop, ending.signal]);
  try {
    const source = `/rollcall/${config.name}`;
    const store = await openStore(`sqlite:${config.store.path}`, { source, clock, log, replayed });
    opened.push(store.close);
    const mounted = (await deps.mount?.()) ?? null;
    if (mounted !== null) opened.push(mounted.close);
    const client = openAgentClient(AGENT_CLIENT, { clock, file, log });
    opened.push(client.close);
    const coordinator = await openCoordinator(
      {
        ...deps,
        ...{ store, client, name: config.name },
        retention: { ageMs: config.retain.ms, most: config.retain.events },
      },
      signal,
    );
    const { view } = coordinator;
    const parse = (text: string) => parseDocuments(text, deps.checkInventory);
    const files = openSettingsFiles({ apply: view.apply, parse });
    const watched = config.apply === null ? null : { path: config.apply, files, pacing, log };
    if (watched !== null) {
      const problems = await files.take(await readSettings(watched.path));
      // They were right a moment ago.
      if (problems[0] !== undefined) throw new RollcallError("usage", `-apply: ${problems[0]}`);
    }
    const access = openAccess({
      token: () => tokenIn(config.tokenFile, file),
      reads: config.tokenForReads,
      certificates: config.tls?.clientAuth === true,
    });
    const tls = await readTls(config.tls, file);
    const app = coordinatorApp(view, { access, clock, callerOf, mounted });
    const most = mounted === null ? {} : { mostConnections: MOUNTED_CONNECTIONS };
    const server = await listen({ app, addr: config.httpAddr, tls, clock, ...most });
    opened.push(() => server.close(GRACE_MS));
    if (mounted !== null) opened.push(mounted.end);
    const address = formatAddress({ ...config.httpAddr, port: server.port });
    log.info({ address, store: config.store.path, clusters: view.clusters().length }, "listening");
    if (config.exposure !== null) log.warn({}, config.exposure);
    const whole = mounted === null ? signal : AbortSignal.any([signal, mounted.broken]);
    await runAll(whole, [
      (until) => {
        // It ends by the signal that it was opened with, and so with the first of the others that fails.
        if (until.aborted) ending.abort();
        else until.addEventListener("abort", () => ending.abort(), { once: true });
        return coordinator.run();
      },
      (until) => renewTls(config.tls, tls, server, { file, clock, log }, until),
      ...(watched === null ? [] : [(until: AbortSignal) => watchSettings(watched, until)]),
    ]);
    if (mounted?.broken.aborted) throw mounted.broken.reason;
  } finally {
    ending.abort();
    await opened.close();
  }
}
