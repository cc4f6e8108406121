/** The real servers of the tests, and the gate before tests that need them. For tests only: needs vitest. */
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { RollcallError } from "../../../src/lib/errors.ts";
import { type Process, running } from "../processes.ts";
import { type Found, findProgram, type Program } from "./find.ts";

export type { Cluster } from "./cluster.ts";
export { type Consul, type ConsulOptions, startConsul, startConsulCluster } from "./consul.ts";
export { base64, type Etcd, type EtcdOptions, type EtcdUsers, startEtcd, startEtcdCluster } from "./etcd.ts";
export type { Program } from "./find.ts";
export { type Knot, startKnot } from "./knot.ts";
export { type Prometheus, startPrometheus } from "./prometheus.ts";
export { type Rqlite, type RqliteOptions, startRqlite } from "./rqlite.ts";
export { newRqlited, type Rqlited } from "./rqlited.ts";

/**
 * A `describe` that runs when the programs are there. Where one is missing the suite is skipped under a name
 * that says why; with `CI=true` it is one failing test instead. A process that the suite starts and leaves
 * running is killed and fails the suite.
 */
export function describeWith(needs: Program | readonly Program[], name: string, body: () => void): void {
  const programs = typeof needs === "string" ? [needs] : needs;
  const reasons = programs.flatMap((program) => {
    const found = whereIs(program);
    return found.kind === "missing" ? [found.reason] : [];
  });
  const why = reasons.join("; ");
  // Three outcomes: run it, show that it is not run, or, where nobody would see that, fail.
  if (reasons.length === 0) describe(name, () => withoutLeaks(body));
  else if (process.env.CI !== "true") describe.skip(`${name} [skipped: ${why}]`, body);
  else describe(name, () => it(`has ${programs.join(", ")}`, () => fail(why)));
}

/** Registers, in the current suite, the check that the suite leaves no process running. */
export function withoutLeaks(body: () => void): void {
  let before: readonly Process[] = [];
  beforeAll(() => {
    before = running();
  });
  // Hooks run last in, first out: this one, registered before those of the body, runs after them.
  afterAll(async () => {
    const left = running().filter((child) => !before.includes(child));
    await Promise.all(left.map((child) => child.kill()));
    if (left.length === 0) return;
    const names = left.map((child) => `${child.name} (${child.pid})`).join(", ");
    throw new RollcallError("test_leak", `the suite left running: ${names}`);
  });
  body();
}

// The global set-up knows why fetching failed; without one we look ourselves.
function whereIs(program: Program): Found {
  return inject("programs")?.[program] ?? findProgram(program);
}

function fail(why: string): never {
  throw new RollcallError("missing_program", why);
}
