/**
 * The sidecar: opens the data directory, listens, opens the store, and runs its loops until it is told to
 * stop. src/DESIGN.md, "Story 1", walks through it.
 */
import type { AgentConfig } from "../config.ts";
import { formatAddress, isLoopback } from "../core/address.ts";
import type { Provider } from "../core/provider.ts";
import type { Database } from "../databases/database.ts";
import { databases } from "../databases/index.ts";
import { reason } from "../lib/errors.ts";
import { callerOf, type Listening } from "../lib/http-server.ts";
import { withDeadline } from "../lib/loop.ts";
import { releasers, runAll } from "../lib/run.ts";
import { openAccess } from "./access.ts";
import type { NodeDeps } from "./deps.ts";
import { agentApp } from "./http.ts";
import { openDataDir } from "./identity.ts";
import { type Node, openNode } from "./node.ts";
import type { Notify } from "./notify.ts";

export type AgentDeps = NodeDeps & {
  /** Loads and opens the provider; calls no store yet. */
  readonly openProvider: () => Promise<Provider>;
  readonly hostName: string;
  /** Tells the service manager; nobody where there is none. */
  readonly notify?: Notify;
  /** Takes what to do with signals that are the database's, and with a second one that ends the agent. */
  readonly onSignals?: (forward: (name: NodeJS.Signals) => void, kill: () => void) => void;
};

/** How often certificates on disk are compared with those in use. */
const RENEW_MS = 5_000;
/** What an orderly end may take, in milliseconds: deregistration and closing the store, each; requests still running. */
const FAREWELL_MS = 1_500;
const GRACE_MS = 500;

/** How an agent ended: told to, by `-exit-on-timeout`, or with its database, whose exit code is passed on. */
export type Ended = { readonly by: "stop" | "overdue" } | { readonly by: "database"; readonly code: number };

/** Runs one agent to its end. Throws one clear line when it cannot go on. */
export async function runAgent(config: AgentConfig, deps: AgentDeps, stop: AbortSignal): Promise<Ended> {
  const { log } = deps;
  const opened = releasers((error) => log.warn({ error: reason(error) }, "closing"));
  const ending = new AbortController();
  const signal = AbortSignal.any([stop, ending.signal]);
  let ended: Ended = { by: "stop" };
  const end = (by: Ended) => {
    ended = by;
    ending.abort();
  };
  try {
    const dataDir = await openDataDir(
      config.dataDir,
      { key: config.disco.key, nodeId: config.nodeId, hostName: deps.hostName },
      deps.uuid,
      deps.machine,
    );
    opened.push(dataDir.close);
    const database = await openDatabase(config, deps, dataDir.identity.nodeId);
    opened.push(database.close);
    const node = await openNode(config, deps, dataDir, database);
    opened.push(node.client.close);
    await node.beside.prepare();
    // The store's code is loaded first, so that an agent that listens answers at once; the store itself is not
    // asked before that.
    const provider = await deps.openProvider();
    opened.push(() => closeProvider(provider, deps));
    const listening = await serve(config, deps, node, { stopping: signal, left: () => end({ by: "stop" }) });
    opened.push(() => listening.close(GRACE_MS));
    if (config.dnsAddr !== null) {
      const { serveDns } = await import("./dns.ts");
      const { leader, report } = node.beside;
      const shown = { leader, report, peers: node.view.pages.peers };
      const part = { log: log.child({ part: "dns" }), clock: deps.pacing.clock };
      opened.push((await serveDns(config, config.dnsAddr, shown, part)).close);
    }
    const { id: node_id, incarnation } = node.self();
    log.info(
      { node_id, incarnation, key: node.rules.key, addr: formatAddress(config.httpAddr) },
      "listening",
    );
    // Ready to be asked; how far the cluster is, /startupz says. Waiting for it would run into the start's time limit.
    void deps.notify?.tell({ READY: "1" });
    // The database stops first, which may take a while: whoever waits for the service is told before.
    signal.addEventListener("abort", () => void deps.notify?.tell({ STOPPING: "1" }), { once: true });
    opened.push(
      deps.pacing.clock.after(config.bootstrapExpectTimeoutMs, () => {
        if (!node.view.overdue()) return;
        log.warn(
          { why: node.view.pages.explanation().summary },
          "overdue: no cluster within -bootstrap-expect-timeout",
        );
        if (config.exitOnTimeout) end({ by: "overdue" });
      }),
    );
    if (config.supervision !== null) deps.onSignals?.(node.beside.forward, node.beside.kill);
    const databaseEnded = (code: number | null) => {
      if (code !== null) end({ by: "database", code });
    };
    await runLoops(config, deps, { node, provider, listening, databaseEnded }, signal);
    return ended;
  } finally {
    await opened.close();
  }
}

/** The adapter that `-db` names, at its database. */
async function openDatabase(
  { db }: AgentConfig,
  { file, pacing }: AgentDeps,
  nodeId: string,
): Promise<Database> {
  const module = await databases[db.kind]();
  return module.open(module.Config.parse(db.config), {
    addr: db.addr ?? "",
    nodeId,
    now: pacing.clock.now,
    file,
  });
}

/** One that cannot be closed in time is left to the end of the process. */
async function closeProvider(provider: Provider, { pacing }: AgentDeps): Promise<void> {
  const farewell = new AbortController().signal;
  await withDeadline(pacing.clock, farewell, FAREWELL_MS, "close the store", () => provider.close());
}

async function serve(
  config: AgentConfig,
  { log, pacing, machine }: AgentDeps,
  node: Node,
  { stopping, left }: { readonly stopping: AbortSignal; readonly left: () => void },
): Promise<Listening> {
  const { rules, bootId, credentials, way, outcome, view, beside } = node;
  const loopback = isLoopback(config.httpAddr.host);
  if (config.insecure && !loopback)
    log.warn({}, "-insecure: anybody who reaches this agent can read it and speak for other agents");
  const { token, secret } = credentials;
  const access = openAccess({
    key: rules.key,
    bootId,
    private: loopback,
    insecure: config.insecure,
    token,
    secret,
  });
  const app = agentApp(
    {
      ...view.pages,
      bootId,
      access,
      secret,
      stopping,
      failed: (error) => log.error({ error: reason(error) }, "could not answer a request"),
      newer: (revision, ms, signal) =>
        withDeadline(pacing.clock, signal, ms, "wait", (s) => outcome.newer(revision, s)).catch(() => {}),
      async leave() {
        const refusal = await beside.leave(stopping);
        if (refusal !== null) return refusal;
        const farewell = new AbortController().signal;
        await withDeadline(pacing.clock, farewell, FAREWELL_MS, "say that this node leaves", way.leave).catch(
          (error: unknown) =>
            log.warn({ error: reason(error) }, "not all others know that this node has left"),
        );
        left();
        return null;
      },
      met: way.met,
      strayed: way.strayed,
      vote: way.vote,
      assumeLost: way.assumeLost,
    },
    callerOf,
  );
  return machine.listen({
    app,
    addr: config.httpAddr,
    tls: await credentials.serverTls(),
    clock: pacing.clock,
  });
}

type Running = {
  readonly node: Node;
  readonly provider: Provider;
  readonly listening: Listening;
  readonly databaseEnded: (code: number | null) => void;
};

async function runLoops(
  config: AgentConfig,
  deps: AgentDeps,
  { node, provider, listening, databaseEnded }: Running,
  stop: AbortSignal,
): Promise<void> {
  const { way, peers, keptOutcome, beside } = node;
  const { log, pacing } = deps;
  const tasks = way.tasks(provider);
  try {
    await runAll(stop, [
      ...tasks,
      (s) => peers.run(s),
      (s) => keptOutcome.run(s),
      ...beside.tasks(provider.leaderKey, databaseEnded),
      (s) => (config.tls === null ? Promise.resolve() : renewCertificates(deps, node, listening, s)),
    ]);
  } finally {
    const farewell = new AbortController().signal;
    await withDeadline(pacing.clock, farewell, FAREWELL_MS, "deregister", (s) =>
      way.farewell(provider, s),
    ).catch((error: unknown) =>
      log.warn({ error: reason(error) }, "could not deregister; the lease will lapse"),
    );
  }
}

/** Uses certificates that are replaced on disk, without a restart and without dropping a connection. */
async function renewCertificates(
  { log, pacing }: AgentDeps,
  { credentials }: Node,
  listening: Listening,
  stop: AbortSignal,
): Promise<void> {
  let used = JSON.stringify(await credentials.serverTls());
  let complaint = "";
  while (!stop.aborted) {
    await pacing.clock.sleep(RENEW_MS, stop);
    try {
      const tls = await credentials.serverTls();
      const now = JSON.stringify(tls);
      if (tls !== null && now !== used) {
        listening.renew(tls);
        used = now;
        log.info({}, "using the new certificate");
      }
      complaint = "";
    } catch (error) {
      // The two files are rarely replaced at one moment, and a bad one may lie there for days.
      const said = reason(error);
      if (said !== complaint)
        log.error({ error: said }, "the new certificate cannot be used; keeping the old one");
      complaint = said;
    }
  }
}
