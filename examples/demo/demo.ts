/**
 * `npm run demo`: starts a store, three agents and three stand-in databases as real processes, tells what they
 * do, and leaves nothing behind. Ends with 0, with 1 when something failed, 2 for bad flags, 130 on Ctrl-C.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";
import { type Arguments, HELP, parseArguments } from "./arguments.ts";
import { openChildren } from "./children.ts";
import { newsOf, openCoordinator } from "./coordinator.ts";
import { openNode } from "./node.ts";
import { freePorts } from "./ports.ts";
import { childEnv, endingOf, screenSince, uuid } from "./process.ts";
import type { Screen } from "./screen.ts";
import { KEY, openStore, programOf, type Store, type StoreDeps } from "./store.ts";
import { type Cast, play } from "./story.ts";
import { openWait } from "./wait.ts";

const ABOUT =
  "Three databases start without knowing each other. Beside each runs a rollcall agent. The agents " +
  "meet in a register, agree exactly once who creates the cluster, and each tells its database what " +
  "to do. The databases are small stand-ins that store nothing; the agents are the real thing.";

/** An orderly end: longer than an agent takes to withdraw from a store that does not answer. */
const IN_ORDER_MS = 4_000;
const WHO = "coordinator".length;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const given = parseArguments(process.argv.slice(2));
    if (!given.help) return await perform(given, programOf(given.disco, process.env));
    process.stdout.write(HELP);
    return 0;
  } catch (error) {
    process.stderr.write(`demo: ${reason(error)}\n`);
    return codeOf(error) === "usage" ? 2 : 1;
  }
}

/** Sets the stage, plays, and clears up whatever happens. Gives the exit code. */
async function perform({ disco, pace, keep }: Arguments, program: string | null): Promise<number> {
  const clock = systemClock;
  const began = clock.now();
  const ending = endingOf();
  const dir = mkdtempSync(join(tmpdir(), "rollcall-demo-"));
  const children = openChildren({ env: childEnv(), failed: (error) => ending.abort(error) }, clock);
  const clear = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  process.once("exit", () => {
    children.killAll();
    clear();
  });
  const wait = openWait({ clock, signal: ending.signal, pace });
  const screen = screenSince(began, WHO);
  let store: Store | null = null;
  try {
    screen.title("rollcall demo: exactly one cluster", ABOUT);
    const ports = await freePorts(process.pid);
    store = await openStore(disco, program, { children, ports, dir, wait, clock, uuid });
    const cast = castOf({ children, ports, dir, wait, store, screen });
    await play(cast);
    if (keep) await keepRunning(cast);
    await wait.event("everything to end", endInOrder(cast));
    return 0;
  } catch (error) {
    return tell(ending.signal.aborted ? ending.signal.reason : error, screen);
  } finally {
    await children.endAll();
    await store?.close();
    clear();
  }
}

type Stage = Pick<Cast, "wait" | "store" | "screen"> & Pick<StoreDeps, "children" | "ports" | "dir">;

function castOf({ children, ports, dir, wait, store, screen }: Stage): Cast {
  const portsOf = (n: number) => ({ agent: ports(n), database: ports(10 + n) });
  const node = (n: number) =>
    openNode({
      name: `node-${n}`,
      dir: join(dir, `node-${n}`),
      ports: portsOf(n),
      flags: store.flags,
      children,
      wait,
    });
  const coordinator = openCoordinator({
    ...{ dir, port: ports(5), agentPorts: [1, 2, 3, 4].map(ports), children, wait },
    settings: [
      {
        ...{ apiVersion: "rollcall/v1", kind: "ClusterSettings", metadata: { name: KEY } },
        spec: { interval: "1s", node_timeout: "1s" },
      },
    ],
    told: (event) => screen.news("coordinator", newsOf(event)),
  });
  const nodes = [node(1), node(2), node(3)] as const;
  return { screen, wait, store, nodes, spare: portsOf(4), coordinator, cluster: KEY };
}

async function keepRunning({ screen, wait, nodes: [first], coordinator, cluster }: Cast): Promise<void> {
  screen.gap();
  screen.plain("Everything keeps running until Ctrl-C. To look around:");
  screen.command(`curl http://${first.databaseAddr()}/`);
  screen.command(`curl http://${first.agentAddr()}/v1/outcome`);
  screen.command(`npm run rollcall -- status -addr ${first.agentAddr()}`);
  screen.command(`npm run rollcall -- clusters -coordinator ${coordinator.url}`);
  screen.command(`npm run rollcall -- cluster show ${cluster} -coordinator ${coordinator.url}`);
  screen.command(`npm run rollcall -- events --follow -coordinator ${coordinator.url}`);
  await wait.end();
}

async function endInOrder({ screen, store, nodes, coordinator }: Cast): Promise<void> {
  await coordinator.stop(IN_ORDER_MS);
  await Promise.all(nodes.map((node) => node.stop(IN_ORDER_MS)));
  await store.close();
  screen.gap();
  screen.event("all", "ended in order, the coordinator first. Nothing is left behind.");
}

/** Says why it ended early, and gives the exit code. */
function tell(error: unknown, screen: Screen): number {
  if (error instanceof RollcallError && typeof error.facts.exitCode === "number") {
    // The terminal has written ^C at the beginning of the line.
    if (process.stdout.isTTY) process.stdout.write("\r");
    if (error.code === "interrupted") screen.event("all", "interrupted: everything ends now");
    return error.facts.exitCode;
  }
  const log = error instanceof RollcallError ? String(error.facts.log ?? "") : "";
  process.stderr.write(`demo: ${reason(error)}${log === "" ? "" : `; the end of its log:\n${log}`}\n`);
  return 1;
}
