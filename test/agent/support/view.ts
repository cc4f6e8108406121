/** What an agent's routes show, made up by the test; and a real server around them. */
import { type Access, type AccessOptions, openAccess } from "../../../src/agent/access.ts";
import { agentApp } from "../../../src/agent/http.ts";
import type { PeerRow, View } from "../../../src/agent/pages.ts";
import type { Explanation } from "../../../src/core/explain.ts";
import type { Outcome, PeerRef } from "../../../src/core/model.ts";
import { blankReport, type NodeReport } from "../../../src/core/node-report.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import {
  type Caller,
  callerOf,
  type Listening,
  listen,
  type ServerTls,
} from "../../../src/lib/http-server.ts";
import { helloOf, refTo } from "./records.ts";

export const KEY = "rollcall";
export const BOOT_ID = "boot-1";

/** An explanation of a node that waits for voters. */
export function explanationOf(more: Partial<Explanation> = {}): Explanation {
  return {
    phase: "waiting",
    code: "voters",
    settled: false,
    overdue: false,
    summary: "1 of 3 voters are there.",
    unblock: ["Start 2 more voters."],
    expected: 3,
    seen: 1,
    reachable: 1,
    counted: ["n1"],
    not_counted: [],
    genesis: null,
    next_try_ms: 100,
    ...more,
  };
}

/** One row of `/v1/peers`. */
export function rowOf(id: string, more: Partial<PeerRow> = {}): PeerRow {
  return {
    ...refTo(id),
    voter: true,
    status: "waiting",
    genesis_id: null,
    registered: true,
    reachable: true,
    problem: null,
    self: false,
    ...more,
  } as PeerRow;
}

/** An outcome of three nodes. */
export function outcomeOf(revision: number): Outcome {
  return {
    kind: "join",
    genesis_id: "g1",
    formation: "single",
    members: ["n1", "n2", "n3"].map((id) => refTo(id)),
    leader: null,
    revision,
  };
}

/** Access of a private agent without secrets, or as told. */
export function accessOf(more: Partial<AccessOptions> = {}): Access {
  return openAccess({
    key: KEY,
    bootId: BOOT_ID,
    private: true,
    insecure: false,
    token: async () => null,
    secret: async () => null,
    ...more,
  });
}

/** What the test may change while the routes run. */
export type Shown = {
  seq: number;
  outcome: Outcome | null;
  refusal: ReturnType<View["refusal"]>;
  explanation: Explanation;
  peers: readonly PeerRow[];
  met: PeerRef[];
  report: NodeReport;
  /** Why the node cannot leave; null: it leaves. */
  stays: Awaited<ReturnType<View["leave"]>>;
  /** Ends every wait for a newer outcome. */
  wake(): void;
  waiting(): number;
};

/** A view on a node that waits, and the handle to change it. */
export function viewOf(more: Partial<View> = {}): { view: View; shown: Shown; stop: AbortController } {
  const stop = new AbortController();
  const waits = new Set<() => void>();
  const shown: Shown = {
    seq: 1,
    outcome: null,
    refusal: null,
    explanation: explanationOf(),
    peers: [rowOf("n1", { self: true })],
    met: [],
    report: blankReport("none", "unknown", null),
    stays: null,
    wake() {
      for (const wake of waits) wake();
    },
    waiting: () => waits.size,
  };
  const view: View = {
    vote: null,
    assumeLost: null,
    bootId: BOOT_ID,
    access: accessOf(),
    secret: async () => null,
    seq: () => shown.seq,
    stateText: () => JSON.stringify({ v: 1, boot_id: BOOT_ID, seq: shown.seq }),
    agent: () => ({ v: 1, node_id: "n1" }),
    peers: () => shown.peers,
    explanation: () => shown.explanation,
    outcome: () => shown.outcome,
    newer: (_revision, _ms, signal) =>
      new Promise((resolve) => {
        const wake = () => {
          waits.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        waits.add(wake);
        signal.addEventListener("abort", wake);
        if (signal.aborted) wake();
      }),
    refusal: () => shown.refusal,
    report: () => shown.report,
    node: () => ({ v: 1, node_id: "n1", kind: shown.report.kind }),
    leader: () => ({ record: null, verified: false, stale_for: null }),
    events: () => new ReadableStream({ start: (controller) => controller.close() }),
    leave: async () => shown.stays,
    hello: () => helloOf("n1", { boot_id: BOOT_ID }),
    met: ({ from }) => void shown.met.push(from),
    strayed: () => {},
    metrics: () => "rollcall_info 1\n",
    failed: () => {},
    stopping: stop.signal,
    ...more,
  };
  return { view, shown, stop };
}

/** The routes behind a real port of 127.0.0.1. Close it. */
export async function serveView(
  view: View,
  tls: ServerTls | null = null,
  caller: (env: unknown) => Caller = callerOf,
): Promise<Listening & { readonly addr: string }> {
  const listening = await listen({
    app: agentApp(view, caller),
    addr: { host: "127.0.0.1", port: 0 },
    tls,
    clock: systemClock,
  });
  return { ...listening, addr: `127.0.0.1:${listening.port}` };
}
