/**
 * One formation of real agents while one of them is killed, restarted or held, or what they agree through is killed,
 * and what it came to. Beside each agent
 * runs a stand-in for a database, which notes every start that it is given, or a real rqlited.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "../../src/core/model.ts";
import { reason } from "../../src/lib/errors.ts";
import { type Agent, startAgent } from "../support/agents.ts";
import { freeSpots, type Spot } from "../support/loopback.ts";
import type { Mode } from "../support/modes.ts";
import { clustersOf } from "../support/rqlite-clusters.ts";
import { startNode } from "../support/supervised.ts";
import { removeTemp, tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { linesOf, tracesOf, violationsIn } from "./evidence.ts";
import { type Blow, type Plan, planText } from "./plan.ts";

/** What runs beside each agent. */
export type Beside = "stand-in" | "rqlite";

export type Formed = {
  readonly plan: Plan;
  /** Whatever makes it more than one cluster. */
  readonly doubles: readonly string[];
  /** Who had not settled in time, in the agents' own words; null: all had. */
  readonly unsettled: string | null;
  /** From the last start or SIGCONT of any agent, or the end of the last outage, until all had settled, 0 where they had before; null: they had not. */
  readonly settledMs: number | null;
  /** Outages that began before every agent had its outcome. */
  readonly met: number;
};

type Body = {
  readonly id: string;
  readonly agent: Agent;
  /** The database's HTTP, where it has one. */
  readonly http: string | null;
  /** How its database was started, each time. */
  starts(): readonly string[];
  end(): Promise<void>;
};

const SETTLED_WITHIN_MS = 60_000;

/** Forms one cluster as planned, under a key that nobody else uses. */
export async function form(plan: Plan, mode: Mode, beside: Beside): Promise<Formed> {
  const key = `chaos-${process.pid}-${plan.seed}`;
  const spots = await freeSpots(plan.startsMs.length);
  const flags = [
    ...(await mode.flags(key, spots)),
    `-bootstrap-expect=${plan.expect}`,
    `-formation=${plan.formation === "symmetric" ? "symmetric" : "single"}`,
  ];
  const bodies: Body[] = [];
  const over = new AbortController();
  const outcomes = new Map<string, Outcome[]>();
  const watches: Promise<void>[] = [];
  try {
    const began = performance.now();
    const forming = () => {
      const settled = [...outcomes.values()].filter((seen) => seen.length > 0);
      return settled.length < plan.startsMs.length;
    };
    const outages = strikeStore(plan, mode, began, forming);
    const starts = Promise.all(
      plan.startsMs.map(async (ms, i) => {
        await sleep(ms);
        const body = await startBody(`n${i}`, spots[i] ?? fail(), flags, plan, beside);
        const seen: Outcome[] = [];
        outcomes.set(body.id, seen);
        bodies.push(body);
        watches.push(watch(body.agent, seen, over.signal));
        const startedAt = performance.now();
        if (plan.blow?.at !== i) return startedAt;
        await strike(body.agent, plan.blow);
        return performance.now();
      }),
    );
    const [ready, { overAt, met }] = await Promise.all([starts, outages]);
    const lastAt = Math.max(...ready, overAt);
    const settled = await settle(bodies, lastAt);
    const apart = typeof settled === "number" && beside === "rqlite" ? await splitsIn(bodies) : [];
    over.abort();
    const traces = bodies.map((body) =>
      tracesOf(body.id, body.agent.dir, outcomes.get(body.id) ?? [], body.starts()),
    );
    const told = (what: string) => `${planText(plan)}: ${what}`;
    return {
      plan,
      met,
      doubles: [...violationsIn(plan, traces), ...apart].map(told),
      ...(typeof settled === "number"
        ? { unsettled: null, settledMs: settled }
        : { unsettled: told(settled), settledMs: null }),
    };
  } finally {
    over.abort();
    await Promise.all(bodies.map((body) => body.end()));
    await Promise.all(watches);
    for (const { agent } of bodies) removeTemp(agent.dir);
  }
}

function fail(): never {
  throw new Error("an agent without a place");
}

// Module state on purpose: an exit hook has nothing else to look at.
const standIns = new Set<string>();
process.on("exit", () => {
  for (const data of standIns) endStandIns(data);
});

/** The stand-in notes how it was started, has data from then on, and lives until it is ended. */
const STAND_IN = `echo "$OUTCOME_KIND" >> "$0.starts"; mkdir -p "$0"; touch "$0/data"; exec tail -f "$0/data"`;
const INIT = `mkdir -p "$0" && touch "$0/made"`;

async function startBody(
  id: string,
  at: Spot,
  flags: readonly string[],
  plan: Plan,
  beside: Beside,
): Promise<Body> {
  if (beside === "rqlite") {
    const node = await startNode({ id, seat: at, args: flags });
    return { id, agent: node.agent(), http: node.http(), starts: () => [], end: node.kill };
  }
  const dir = tempDir(id);
  const data = join(dir, "db");
  const init = plan.formation === "single+init" ? ["-on-init", JSON.stringify(["sh", "-c", INIT, data])] : [];
  const command = ["-db-data-dir", data, "--", "sh", "-c", STAND_IN, data];
  standIns.add(data);
  const agent = await startAgent({ id, dir, ...at, args: [...flags, ...init, ...command] });
  return {
    id,
    agent,
    http: null,
    starts: () => linesOf(`${data}.starts`),
    async end() {
      await agent.kill();
      endStandIns(data);
    },
  };
}

/** All outages: when the last one was over, and how many the cluster met while it formed. */
async function strikeStore({ outages }: Plan, mode: Mode, began: number, forming: () => boolean) {
  let met = 0;
  for (const { atMs, forMs } of outages) {
    if (mode.outage === undefined) throw new Error(`nothing of ${mode.name} can be killed`);
    await sleep(Math.max(0, began + atMs - performance.now()));
    if (forming()) met += 1;
    await mode.outage(forMs);
  }
  return { overAt: outages.length === 0 ? began : performance.now(), met };
}

async function strike(agent: Agent, { kind, afterMs, forMs }: Blow): Promise<void> {
  await sleep(afterMs);
  if (kind === "kill") await agent.kill();
  else if (kind === "restart") await agent.stop();
  else await agent.pause();
  await sleep(forMs);
  if (kind === "pause") agent.resume();
  else await agent.restart();
}

/** Until every agent has its outcome, and every stand-in was started: how long that took; else what each of them says. */
async function settle(bodies: readonly Body[], sinceAt: number): Promise<number | string> {
  const deadlineMs = SETTLED_WITHIN_MS;
  try {
    const ends = await Promise.all(
      bodies.map(async ({ agent, http, starts }) => {
        const outcome = () => agent.get("/v1/outcome?wait=5s", { timeoutMs: 7_000 });
        await until(async () => (await outcome()).status === 200, {
          deadlineMs,
          what: "an outcome",
          everyMs: 1,
        });
        const at = performance.now();
        await until(() => http !== null || starts().length > 0, { deadlineMs, what: "a database's start" });
        return at;
      }),
    );
    return Math.max(0, Math.max(...ends) - sinceAt);
  } catch (error) {
    const words = bodies.map(async ({ id, agent }) => {
      const said = await agent.explain().then(
        ({ summary }) => summary,
        (why: unknown) => `${reason(why)}; ${agent.process().stderr().slice(-300)}`,
      );
      return `${id}: ${said}`;
    });
    return `not settled after ${deadlineMs / 1_000} s (${reason(error)}): ${(await Promise.all(words)).join("; ")}`;
  }
}

/** Takes down every outcome that the agent gives, until aborted. */
async function watch(agent: Agent, seen: Outcome[], over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const newer = `wait=1s&revision=${seen.at(-1)?.revision ?? 0}`;
    const reply = await agent.get(`/v1/outcome?${newer}`, { timeoutMs: 3_000 }).catch(() => null);
    if (reply?.status === 200) seen.push(JSON.parse(reply.body) as Outcome);
    else if (reply === null) await sleep(20);
  }
}

/** More clusters than one, by what the databases themselves do. */
async function splitsIn(bodies: readonly Body[]): Promise<readonly string[]> {
  const state = await clustersOf(bodies.map(({ id, http }) => ({ id, http: http ?? "" })));
  return state.verdict === "one" ? [] : [`the databases are ${state.verdict}: ${state.what}`];
}

/** A database outlives its agent by design. Its command line names its directory, as nothing else's does. */
function endStandIns(data: string): void {
  standIns.delete(data);
  for (const pid of readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && isOf(pid, data)))
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
}

function isOf(pid: number, data: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0")
      .some((word) => word.startsWith(data));
  } catch {
    return false; // It has ended meanwhile.
  }
}
