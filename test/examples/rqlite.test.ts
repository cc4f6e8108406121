import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Process, start } from "../support/processes.ts";
import { findProgram, type Program, variableOf } from "../support/servers/find.ts";
import { describeWith, withoutLeaks } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { rqlitedBelow } from "./rqlited.ts";

const WHOLE_MS = 90_000;
const STORES = [
  ["consul", "Consul"],
  ["etcd", "etcd"],
] as const;
const EXAMPLES = ["consul", "etcd", "static"] as const;
type Example = (typeof EXAMPLES)[number];

/** A running example with a temporary directory of its own, by which its processes are known. */
type Running = { readonly child: Process; readonly temp: string };

async function example(
  store: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Running> {
  const temp = tempDir("x");
  const child = await start({
    name: `rqlite-${store}`,
    program: process.execPath,
    args: [`examples/rqlite-${store}/run.ts`],
    env: { NODE_EXTRA_CA_CERTS: undefined, ...(await programs(temp)), ...env, TMPDIR: temp },
  });
  return { child, temp };
}

/** The servers of the tests, as the example is told of them. */
async function programs(temp: string): Promise<Record<string, string | undefined>> {
  const pathOf = (program: Program) => {
    const found = findProgram(program);
    return found.kind === "found" ? found.path : undefined;
  };
  return {
    [variableOf("consul")]: pathOf("consul"),
    [variableOf("etcd")]: pathOf("etcd"),
    [variableOf("rqlited")]: await rqlitedBelow(temp),
  };
}

/** What is still there of an example: processes (on Linux, where /proc tells) and files. */
function left(running: Running): string[] {
  return [...startedBy(running).map(({ command }) => command), ...readdirSync(running.temp)];
}

function startedBy({ child, temp }: Running): { pid: number; command: string }[] {
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

function says({ child }: Running, text: string): Promise<unknown> {
  return until(() => child.stdout().includes(text), {
    deadlineMs: WHOLE_MS,
    what: `the example to say "${text}"`,
    giveUp: () => (child.exit() === null ? null : `it has ended: ${child.stderr()}`),
  });
}

/** The lines of a whole story, in their order; some are told where there is a store, some where there is none. */
function storyOf(example: Example): readonly RegExp[] {
  const stored = example !== "static";
  return [
    /two agents listen, and have not started their rqlited/,
    /^ +\| 2 of 3 voters are there: node-1 \(this node\), node-2\./,
    /are one cluster, \d+ ms after node-3 was started; node-\d leads$/,
    ...(stored ? [/has the leader key, and it names node-\d at 127\.0\.0\.1:\d+$/] : []),
    /have it: each was asked for what it has itself$/,
    /loses its power: agent and rqlited are killed \(SIGKILL\)$/,
    stored
      ? /is elected\. \d+ ms after the kill both agents and the leader key name it;$/
      : /is elected\. \d+ ms after the kill both agents name it;$/,
    /outcome existing: it follows node-\d with the data it had$/,
    /have both rows$/,
    /^ {2}NODE +AGENT +RQLITE +ROLE +OUTCOME$/,
    ...(stored
      ? [
          /^Genesis record +[0-9a-f-]{36}, sealed, claimed by node-\d$/,
          /^Leader key +node-\d at http:\/\/127\.0\.0\.1:\d+, term \d+$/,
          /^One cluster, one leader, and the key says so\.$/,
        ]
      : [
          /^Genesis +[0-9a-f-]{36}, says every agent$/,
          /^One cluster, one leader, and every agent says so\.$/,
        ]),
    /ended in order: each agent its rqlited, then itself\. Nothing is left behind\.$/,
  ];
}

function expectStory(example: Example, out: string): void {
  const lines = out.split("\n");
  let from = 0;
  for (const wanted of storyOf(example)) {
    const at = lines.findIndex((line, i) => i >= from && wanted.test(line));
    expect(at, `${wanted} in\n${lines.slice(from).join("\n")}`).toBeGreaterThanOrEqual(0);
    from = at + 1;
  }
}

describe.each(EXAMPLES)("the example rqlite-%s", (store) => {
  withoutLeaks(() => {
    it("ends with 2 and one line where its programs are missing", async () => {
      const running = await example(store, {
        PATH: "/nowhere",
        ...(store === "static" ? {} : { [variableOf(store)]: undefined }),
        [variableOf("rqlited")]: "/nowhere/rqlited",
      });
      expect((await running.child.ended).code).toBe(2);
      const missing =
        store === "static"
          ? ""
          : `there is no ${store} on PATH; install it or give its path in $${variableOf(store)}; `;
      expect(running.child.stderr()).toBe(
        `rqlite-${store}: ${missing}$RQLITED_BIN is /nowhere/rqlited, which is no program\n`,
      );
      expect(running.child.stdout()).toBe("");
      expect(left(running)).toEqual([]);
    });
  });

  const readme = readFileSync(`examples/rqlite-${store}/README.md`, "utf8");

  it("is what its README says", () => {
    expect(readme).toContain(`\nnode examples/rqlite-${store}/run.ts\n`);
    expectStory(store, readme);
  });
});

async function expectWholeStory(store: Example): Promise<void> {
  const running = await example(store);
  const exit = await running.child.ended;
  expect(running.child.stderr()).toBe("");
  expect(exit).toEqual({ code: 0, signal: null });
  expectStory(store, running.child.stdout());
  expect(left(running)).toEqual([]);
}

describeWith("rqlited", "the example rqlite-static on real nodes", () => {
  it("tells the whole story", { timeout: WHOLE_MS }, () => expectWholeStory("static"));
});

for (const [store, name] of STORES)
  describeWith([store, "rqlited"], `the example rqlite-${store} on a real ${name}`, () => {
    it("tells the whole story", { timeout: WHOLE_MS }, () => expectWholeStory(store));

    it("leaves nothing when interrupted with a dead leader", { timeout: WHOLE_MS }, async () => {
      const running = await example(store);
      await says(running, "loses its power");
      running.child.signal("SIGINT");
      expect(await running.child.ended).toEqual({ code: 130, signal: null });
      expect(running.child.stdout()).toMatch(/interrupted: everything ends now\n$/);
      expect(left(running)).toEqual([]);
    });
  });

describeWith(["consul", "rqlited"], "the example rqlite-consul, cut short", () => {
  it.runIf(process.platform === "linux")(
    "leaves nothing when interrupted twice while databases run",
    { timeout: WHOLE_MS },
    async () => {
      const running = await example("consul");
      await says(running, "takes a row");
      // As on a busy machine: agents are killed before they have ended their databases, which do not notice it.
      for (const { pid } of startedBy(running)) process.kill(pid, "SIGSTOP");
      running.child.signal("SIGINT");
      running.child.signal("SIGTERM");
      expect((await running.child.ended).code).toBeGreaterThan(128);
      await until(() => left(running).length === 0, { deadlineMs: 5_000, what: "everything to be gone" });
    },
  );
});
