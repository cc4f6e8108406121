import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { freePort } from "../support/loopback.ts";
import { type Process, start } from "../support/processes.ts";
import { withoutLeaks } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";

const ROOT = new URL("../../", import.meta.url);
const RUN = fileURLToPath(new URL("examples/coordinator/run.ts", ROOT));
const SETTINGS = fileURLToPath(new URL("examples/coordinator/settings.yaml", ROOT));
const WHOLE_MS = 90_000;

async function run(args: readonly string[]): Promise<{ child: Process; temp: string }> {
  const temp = tempDir("c");
  const env = { NODE_EXTRA_CA_CERTS: undefined, TMPDIR: temp };
  return {
    temp,
    child: await start({ name: "example", program: process.execPath, args: [RUN, ...args], env }),
  };
}

function says({ child }: { child: Process }, text: string): Promise<unknown> {
  return until(() => child.stdout().includes(text), {
    deadlineMs: WHOLE_MS,
    what: `the example to say "${text}"`,
    giveUp: () => (child.exit() === null ? null : `it has ended: ${child.stderr()}`),
  });
}

/** What must be told, in this order; what belongs to one sentence may come with other events between. */
const STORY = [
  /CLUSTER_NEW {9}sim\/cluster-\d{3}: found by file, 10 nodes, led by n1$/,
  /^ +and 17 more\. All 200 agents have answered after \d+ ms\.$/,
  /sim\/cluster-003 elects n5$/,
  /LEADER_CHANGED {6}sim\/cluster-003: n1 → n5$/,
  /NODE_DOWN {11}sim\/cluster-007 n3: status healthy → unavailable, role$/,
  /NODE_UP {13}sim\/cluster-007 n3: status unavailable → healthy, role$/,
  /AGENT_DOWN {10}sim\/cluster-009 n4: does not answer$/,
  /NODE_STALE {10}sim\/cluster-009 n4: its agent is down;/,
  /AGENT_UP {12}sim\/cluster-009 n4: answers again$/,
  /CLUSTER_CHANGED {5}sim\/cluster-011: now also 127\.\d+\.0\.201:\d+$/,
  /AGENT_NEW {11}sim\/cluster-011 n11: at 127\.\d+\.0\.201:\d+/,
  /NODE_NEW {12}sim\/cluster-011 n11: rqlite 8\.26\.8, healthy, replica$/,
  /DISCOVERY_SUSPECT {3}sim\/cluster-013: file lists only 0 of 10 nodes;/,
  /DISCOVERY_SUSPECT {3}sim\/cluster-013: file is believed again$/,
  /NODE_DOWN {11}sim\/cluster-005 n2: status healthy → unavailable, role$/,
  /^ {2}ID +HEALTH +NODES +PRIMARY +VERSION/,
  /^ {2}sim\/cluster-003 {2}green {3}10\/10 {2}n5 /,
  /^ {2}sim\/cluster-005 {2}yellow {2}9\/10 {3}n1 .* n2: its database is unavailable$/,
  /^ {2}… and 12 rows more$/,
  /^ {2}health {5}yellow$/,
  /^ {2}n2 .* unavailable {2}unknown /,
  /^\d+ events came; those of sim\/cluster-005 end with sim\/cluster-005:\d+, without a gap\.$/,
  /ended in order: coordinator, agents\. Nothing is left behind\.$/,
];

/** Told of its election, but when is chance: the polls of one refresh are not of one moment. */
const ELECTION = [
  /NODE_CHANGED {8}sim\/cluster-003 n1: role leader → replica$/,
  /NODE_CHANGED {8}sim\/cluster-003 n5: role replica → leader$/,
];

describe("the coordinator's example", () => {
  withoutLeaks(() => {
    it("tells what happens to 200 agents, and nothing of those to whom nothing does", {
      timeout: WHOLE_MS,
    }, async () => {
      const { child, temp } = await run(["-pace", "0"]);
      expect(await child.ended, child.stderr()).toEqual({ code: 0, signal: null });
      expect(child.stderr()).toBe("");
      expect(readdirSync(temp)).toEqual([]);
      const lines = child.stdout().split("\n");
      let from = 0;
      for (const wanted of STORY) {
        const at = lines.findIndex((line, i) => i >= from && wanted.test(line));
        expect(at, `${wanted} in\n${lines.slice(from).join("\n")}`).toBeGreaterThanOrEqual(0);
        from = at + 1;
      }
      const elected = lines.slice(lines.findIndex((line) => line.includes("sim/cluster-003 elects n5")));
      for (const wanted of ELECTION) expect(elected).toContainEqual(expect.stringMatching(wanted));
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(96);
      expect(child.stdout()).not.toContain("\u001b");
      const others = lines.filter((line) => {
        const [, cluster] = /coordinator {2}(?!CLUSTER_NEW)[A-Z_]+ +sim\/cluster-(\d+)/.exec(line) ?? [];
        return cluster !== undefined && !["003", "005", "007", "009", "011", "013"].includes(cluster);
      });
      expect(others).toEqual([]);
    });

    it("keeps everything running on request, until it is stopped", { timeout: WHOLE_MS }, async () => {
      const running = await run(["--pace=0", "-keep"]);
      await says(running, "events --follow -coordinator");
      const [, url = ""] = / nodes -coordinator (http:\S+)/.exec(running.child.stdout()) ?? [];
      const { items } = (await (await fetch(`${url}/v1/clusters?limit=100`)).json()) as { items: unknown[] };
      expect(items).toHaveLength(20);
      running.child.signal("SIGINT");
      expect(await running.child.ended).toEqual({ code: 130, signal: null });
      expect(running.child.stdout()).toMatch(/all {10}interrupted: everything ends now\n$/);
      expect(readdirSync(running.temp)).toEqual([]);
    });

    it.each([
      [["-pace", "fast"], '-pace: "fast" is no number from 0 to 10'],
      [["--keeps"], "Unknown option '-keeps'; see -h"],
    ])("ends with 2 and one line for %j", async (args, line) => {
      const { child } = await run(args);
      expect(await child.ended).toEqual({ code: 2, signal: null });
      expect([child.stdout(), child.stderr()]).toEqual(["", `coordinator: ${line}\n`]);
    });

    it("has settings that a coordinator takes as they are", async () => {
      const port = await freePort("127.0.0.1");
      const store = `sqlite:${join(tempDir("s"), "rollcall.db")}`;
      const child = await start({
        name: "coordinator",
        program: process.execPath,
        args: [
          ...[fileURLToPath(new URL("src/main.ts", ROOT)), "coordinator", "-store", store],
          ...["-apply", SETTINGS, "-http-addr", `127.0.0.1:${port}`],
        ],
        env: { NODE_EXTRA_CA_CERTS: undefined },
      });
      await until(() => child.stderr().includes('"listening"'), {
        deadlineMs: 30_000,
        what: "the coordinator to listen",
        giveUp: () => (child.exit() === null ? null : child.stderr()),
      });
      const page = (await (await fetch(`http://127.0.0.1:${port}/v1/discoveries`)).json()) as {
        items: { name: string }[];
      };
      expect(page.items.map(({ name }) => name)).toEqual(["from-consul", "from-file", "from-http"]);
      expect((await child.stop()).code).toBe(0);
    });
  });
});
