import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Process, start } from "../support/processes.ts";
import { findProgram, type Program, variableOf } from "../support/servers/find.ts";
import { describeWith, withoutLeaks } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";

const DEMO = fileURLToPath(new URL("../../examples/demo/demo.ts", import.meta.url));
const WHOLE_MS = 90_000;

/** A demo with a temporary directory of its own, by which its processes are known. */
type Running = { readonly child: Process; readonly temp: string };

async function demo(args: readonly string[], env: Record<string, string | undefined> = {}): Promise<Running> {
  const temp = tempDir("d");
  const child = await start({
    name: "demo",
    program: process.execPath,
    args: [DEMO, ...args],
    env: { NODE_EXTRA_CA_CERTS: undefined, CONSUL_BIN: undefined, ETCD_BIN: undefined, ...env, TMPDIR: temp },
  });
  return { child, temp };
}

/** Plays to the end, and checks that nothing is left of it. */
async function played(args: readonly string[], env?: Record<string, string | undefined>) {
  const running = await demo(args, env);
  const exit = await running.child.ended;
  expect(left(running)).toEqual([]);
  return { exit, out: running.child.stdout(), err: running.child.stderr() };
}

/** What is still there of a demo: processes (on Linux, where /proc tells) and files. */
function left(running: Running): string[] {
  return [...processesOf(running).map(({ command }) => command), ...readdirSync(running.temp)];
}

function processesOf({ child, temp }: Running): { pid: number; command: string }[] {
  return pids().flatMap((pid) => {
    try {
      const ours = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`TMPDIR=${temp}`);
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      return ours && pid !== child.pid && command !== "" ? [{ pid, command }] : [];
    } catch {
      return []; // It ended while we looked, or belongs to somebody else.
    }
  });
}

function pids(): number[] {
  return process.platform === "linux" ? readdirSync("/proc").map(Number).filter(Number.isInteger) : [];
}

function says(running: Running, text: string): Promise<unknown> {
  return until(() => running.child.stdout().includes(text), {
    deadlineMs: WHOLE_MS,
    what: `the demo to say "${text}"`,
    giveUp: () => (running.child.exit() === null ? null : `it has ended: ${running.child.stderr()}`),
  });
}

/** The lines of a whole story, in their order. */
const STORY = [
  /^ +\d+\.\ds {2}node-1 {7}lets its database wait\. Asked why/,
  /^ +\| 2 of 3 voters are there: node-1 \(this node\), node-2\./,
  /^2\. The third arrives$/,
  /^ +\d+\.\ds {2}node-[12] {7}claims the creation/,
  /^ +\d+\.\ds {2}all {10}settled \d+ ms after the agent of node-3 was up$/,
  /outcome bootstrap: its database creates the data and is the primary$/,
  /outcome join: its database joins node-\d as a replica$/,
  /outcome join: its database joins node-\d as a replica$/,
  /loses its power: agent and database are killed \(SIGKILL\)$/,
  /outcome existing, \d+ ms after its agent was up: the same incarnation/,
  /outcome join: an empty disk is a new incarnation, [0-9a-f]{8} after [0-9a-f]{8}\./,
  /lists three members\. [0-9a-f]{8} is none of them; it never counts again\.$/,
  /^ {2}NODE +INCARNATION +AGENT +DATABASE +ROLE +OUTCOME$/,
  /^ {2}node-1 .* existing$/,
  /^ {2}node-2 .* replica {2}join$/,
  /^ {2}node-3 .* replica {2}join$/,
  /^Genesis record {7}[0-9a-f-]{36}$/,
  /^Outcomes so far {6}1 bootstrap, 3 join, 1 existing$/,
  /^Coordinator {10}demo is green, 3 of 3 nodes are up, node-\d leads$/,
  /^Events {15}demo:1 to demo:\d+, told as they are stored, without a gap$/,
  /^Exactly one genesis\.$/,
  /ended in order, the coordinator first\. Nothing is left behind\.$/,
];

/** What the coordinator tells meanwhile, in its order; among the sentences it comes when it comes. */
const EVENTS = [
  /CLUSTER_NEW {9}demo: found by file, 3 nodes$/,
  /NODE_NEW {12}demo node-[12]: /,
  /LEADER_CHANGED {6}demo: nobody → node-\d$/,
  /AGENT_DOWN {10}demo node-\d: does not answer$/,
  /LEADER_CHANGED {6}demo: node-\d → nobody$/,
  /AGENT_UP {12}demo node-\d: answers again$/,
  /LEADER_CHANGED {6}demo: nobody → node-\d$/,
  /CLUSTER_CHANGED {5}demo: now also 127\.0\.0\.1:\d+, no longer( |$)/,
  /NODE_REPLACED {7}demo node-3: another disk, incarnation [0-9a-f]{8} →/,
].map(({ source }) => new RegExp(`^ +\\d+\\.\\ds  coordinator  ${source}`));

function expectInOrder(lines: readonly string[], expected: readonly RegExp[]): void {
  let from = 0;
  for (const wanted of expected) {
    const at = lines.findIndex((line, i) => i >= from && wanted.test(line));
    expect(at, `${wanted} in\n${lines.slice(from).join("\n")}`).toBeGreaterThanOrEqual(0);
    from = at + 1;
  }
}

function expectStory(out: string): void {
  const lines = out.split("\n");
  expectInOrder(lines, STORY);
  expectInOrder(lines, EVENTS);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(96);
  expect(out).not.toContain("\u001b");
  expect(out).not.toContain("`");
}

describe("the demo", () => {
  withoutLeaks(() => {
    it("tells the whole story, at the pace of a reader", { timeout: WHOLE_MS }, async () => {
      const began = performance.now();
      const { exit, out, err } = await played([]);
      process.stdout.write(`the demo took ${((performance.now() - began) / 1_000).toFixed(1)} s\n`);
      expect(err).toBe("");
      expect(exit).toEqual({ code: 0, signal: null });
      expectStory(out);
    });

    for (const moment of ["1. Two of three are there", "| 2 of 3 voters", "is back, with its disk"])
      it(`leaves nothing when interrupted at "${moment}"`, { timeout: WHOLE_MS }, async () => {
        const running = await demo([]);
        await says(running, moment);
        await until(() => pids().length === 0 || processesOf(running).length > 0, {
          deadlineMs: 5_000,
          what: "a child",
        });
        const began = performance.now();
        running.child.signal("SIGINT");
        expect(await running.child.ended).toEqual({ code: 130, signal: null });
        // Two seconds, and one more for a machine that runs other tests.
        expect(performance.now() - began).toBeLessThan(3_000);
        expect(left(running)).toEqual([]);
        expect(running.child.stdout()).toMatch(/all {10}interrupted: everything ends now\n$/);
        expect(running.child.stderr()).toBe("");
      });

    it.runIf(process.platform === "linux")(
      "ends with 1 and the log of an agent that ended by itself",
      { timeout: WHOLE_MS },
      async () => {
        const running = await demo([]);
        await says(running, "| 2 of 3 voters");
        const agent = processesOf(running).find(({ command }) => / agent -node-id node-2 /.test(command));
        process.kill(agent?.pid ?? 0, "SIGKILL");
        expect(await running.child.ended).toEqual({ code: 1, signal: null });
        const [first, ...log] = running.child.stderr().split("\n");
        expect(first).toBe("demo: the agent of node-2 ended by itself with SIGKILL; the end of its log:");
        expect(log.join("\n")).toContain("listening");
        expect(left(running)).toEqual([]);
      },
    );

    it("keeps the cluster running on request, until it is stopped", { timeout: WHOLE_MS }, async () => {
      const running = await demo(["-pace=0", "--keep"]);
      await says(running, "events --follow -coordinator");
      const url = /curl (http:\S+\/v1\/outcome)/.exec(running.child.stdout())?.[1] ?? "";
      expect(await (await fetch(url)).json()).toMatchObject({ kind: "existing" });
      const coordinator = / clusters -coordinator (http:\S+)/.exec(running.child.stdout())?.[1] ?? "";
      expect(await (await fetch(`${coordinator}/v1/clusters`)).json()).toMatchObject({
        items: [{ cluster_id: "demo", view: { health: "green" } }],
      });
      running.child.signal("SIGTERM");
      expect(await running.child.ended).toEqual({ code: 143, signal: null });
      expect(left(running)).toEqual([]);
    });

    it.each([
      [["-disco", "nonsense"], '-disco: "nonsense" is none of embedded, consul-kv, etcd-kv'],
      [["-disco=etc-kv"], '-disco: "etc-kv" is none of embedded, consul-kv, etcd-kv (did you mean etcd-kv?)'],
      [["-disco"], "-disco: needs a value"],
      [["-pace", "fast"], '-pace: "fast" is no number from 0 to 10'],
      [["--keeps"], "--keeps: is no flag of the demo (did you mean -keep?); see -h"],
      [
        ["-disco", "consul-kv"],
        "-disco consul-kv: there is no consul on PATH; install consul or give its path in $CONSUL_BIN",
      ],
    ])("ends with 2 and one line for %j", async (args, line) => {
      const { exit, out, err } = await played(args, { PATH: "/nowhere" });
      expect({ code: exit.code, out, err }).toEqual({ code: 2, out: "", err: `demo: ${line}\n` });
    });

    it("explains its flags", async () => {
      const { exit, out } = await played(["-h"]);
      expect(exit.code).toBe(0);
      expect(out).toContain("-disco STORE");
    });
  });
});

for (const [mode, program] of [
  ["consul-kv", "consul"],
  ["etcd-kv", "etcd"],
] as const)
  describeWith(program, `the demo on ${program}`, () => {
    it("tells the whole story", { timeout: WHOLE_MS }, async () => {
      const args = ["-disco", mode, "-pace", "0"];
      const { exit, out, err } = await played(args, { [variableOf(program)]: pathOf(program) });
      expect(err).toBe("");
      expect(exit.code).toBe(0);
      expectStory(out);
    });
  });

function pathOf(program: Program): string | undefined {
  const found = findProgram(program);
  return found.kind === "found" ? found.path : undefined;
}
