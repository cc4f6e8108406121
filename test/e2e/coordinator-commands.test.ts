/** The commands that ask a coordinator, as somebody types them, one story after the other. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { lead, touch } from "../../examples/coordinator/simulated.ts";
import { rollcall } from "../support/commands.ts";
import {
  type Coordinator,
  discovery,
  documents,
  portsOf,
  settings,
  startCommand,
  startCoordinator,
  writeClusters,
} from "../support/coordinators.ts";
import { withoutLeaks } from "../support/servers/index.ts";
import { type SimulatedFleet, startSimulatedFleet } from "../support/simulated-agents.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";

const ONE = "sim/cluster-001";
const TWO = "sim/cluster-002";

describe("the commands that ask a coordinator", () =>
  withoutLeaks(() => {
    const dir = tempDir("commands");
    const [file, list] = [join(dir, "settings.yaml"), join(dir, "clusters.json")];
    let fleet: SimulatedFleet;
    let coordinator: Coordinator;

    beforeAll(async () => {
      fleet = await startSimulatedFleet({ clusters: 2, nodes: 4 });
      writeClusters(list, fleet.listing());
      const ports = portsOf(fleet.addresses());
      writeFileSync(
        file,
        documents([
          discovery("inventory", { mode: "file", config: { path: list }, allow: { ports } }),
          settings(ONE, { quorum: 2 }),
        ]),
      );
      coordinator = await startCoordinator();
    });
    afterAll(async () => {
      await coordinator?.stop();
      await fleet?.close();
    });

    /** What a command prints that goes well. */
    const says = async (...line: readonly string[]): Promise<string> => {
      const { code, out, err } = await rollcall([...line, "-coordinator", coordinator.url]);
      expect({ line, code, err }).toEqual({ line, code: 0, err: "" });
      return out;
    };
    const json = async (...line: readonly string[]) => JSON.parse(await says(...line, "-o", "json"));
    /** The rows of a table, each its cells. */
    const rows = (text: string) =>
      text
        .trimEnd()
        .split("\n")
        .map((line) => line.trimEnd().split(/ {2,}/));
    const simulated = (id: string) => {
      const found = fleet.clusters.find(({ cluster_id }) => cluster_id === id);
      if (found === undefined) throw new Error(`no ${id}`);
      return found;
    };

    it("apply settings, and say when there is nothing new in them", async () => {
      expect(await says("clusters")).toMatch(/^no clusters yet; /);
      const applied = `DiscoverySettings inventory: applied\nClusterSettings ${ONE}: applied\n`;
      expect(await says("apply", "-f", file)).toBe(applied);
      expect(await says("apply", "-f", file)).toBe(applied.replaceAll("applied", "unchanged"));
      await Promise.all([ONE, TWO].map((id) => coordinator.found(id)));
      expect(rows(await says("get", "discoveries"))).toEqual([
        ["NAME", "MODE", "INTERVAL", "CLUSTERS", "LAST LOOK"],
        ["inventory", "file", "1s", "2", "well"],
      ]);
      expect(rows(await says("get", "settings")).map(([id, interval]) => [id, interval])).toEqual([
        ["CLUSTER", "INTERVAL"],
        [ONE, "1s"],
        [TWO, "1m"],
      ]);
    });

    it("list clusters and nodes, and show one cluster", async () => {
      const [head, one, two, ...more] = rows(await says("clusters"));
      expect(head?.slice(0, 4)).toEqual(["ID", "HEALTH", "NODES", "PRIMARY"]);
      expect([one?.slice(0, 4), two?.slice(0, 4), more]).toEqual([
        [ONE, "green", "4/4", "n1"],
        [TWO, "green", "4/4", "n1"],
        [],
      ]);
      expect(rows(await says("nodes"))).toHaveLength(1 + 8);
      const nodes = rows(await says("nodes", "-cluster", TWO)).slice(1);
      expect(nodes.map(([id, , state, role]) => [id, state, role]).sort()).toEqual([
        ["n1", "healthy", "leader"],
        ...["n2", "n3", "n4"].map((id) => [id, "healthy", "replica"]),
      ]);
      const shown = await says("cluster", "show", ONE);
      expect(shown).toMatch(/^cluster +sim\/cluster-001$/m);
      expect(shown).toMatch(/^health +green$/m);
      expect(shown).toMatch(/^primary +n1$/m);
      expect(shown).toMatch(/^nodes +4 up, 4 reached, 4 discovered, 4 expected$/m);
    });

    it("give programs JSON and YAML of the same", async () => {
      for (const line of [
        ["clusters"],
        ["nodes"],
        ["cluster", "show", ONE],
        ["get", "discoveries"],
        ["get", "discoveries", "inventory"],
        ["get", "settings", ONE],
        ["get", "clusters", TWO],
      ]) {
        const whole = await json(...line);
        const same = parse(await says(...line, "-o", "yaml"));
        // What time has changed in between is no difference of the formats.
        expect([line, shapeOf(same)]).toEqual([line, shapeOf(whole)]);
      }
      const lines = (await says("events", "-o", "json"))
        .trimEnd()
        .split("\n")
        .map((text) => JSON.parse(text).id);
      const inYaml = parseAllDocuments(await says("events", "-o", "yaml")).map((one) => one.toJS().id);
      expect(inYaml).toEqual(lines);
      expect(lines).toContain(`${ONE}:1`);
    });

    it("refresh a cluster, and tell of it", async () => {
      expect(await says("cluster", "refresh", TWO)).toBe(`cluster ${TWO}: refresh is queued\n`);
      const told = () => says("events", "-cluster", TWO, "-type", "orchestrate-report");
      await until(async () => /ORCHESTRATE_REPORT +sim\/cluster-002: refresh done/.test(await told()), {
        deadlineMs: 30_000,
        what: "the report",
      });
    });

    it("follow events over a coordinator that is killed, without a gap or a repeat, until SIGINT", async () => {
      const line = ["-coordinator", coordinator.url, "-cluster", ONE, "-after", `${ONE}:1`, "-o", "json"];
      const follower = await startCommand(["events", "-follow", ...line]);
      const ids = () =>
        follower
          .stdout()
          .split("\n")
          .filter((text) => text !== "")
          .map((text) => JSON.parse(text).id as string);
      const cluster = simulated(ONE);
      const change = async (times: number) => {
        for (let time = 0; time < times; time++) {
          const known = (await coordinator.events(ONE)).length;
          const at = cluster.leader === null ? 0 : cluster.nodes.indexOf(cluster.leader);
          lead(cluster, cluster.nodes[(at + 1) % cluster.nodes.length] ?? null);
          await until(async () => (await coordinator.events(ONE)).length > known, MOMENT);
        }
      };
      await change(1);
      await until(() => ids().length > 0, MOMENT);
      await coordinator.kill();
      await coordinator.restart();
      await change(2);
      const all = async () => (await coordinator.events(ONE)).map(({ id }) => id).slice(1);
      await until(async () => ids().length === (await all()).length, MOMENT);
      expect(ids()).toEqual(await all());
      const lost = /^rollcall: lost http:\S+: .*; trying again\nrollcall: http:\S+ is there again\n$/;
      expect(follower.stderr()).toMatch(lost);
      follower.signal("SIGINT");
      expect(await follower.ended).toEqual({ code: 0, signal: null });
    });

    it("show who is missing, and why", async () => {
      const { nodes, leader } = simulated(ONE);
      const last = nodes.findLast((node) => node !== leader);
      if (last === undefined) throw new Error("no other node");
      last.status = "unavailable";
      touch(last);
      await coordinator.refreshed(ONE);
      const shown = await says("cluster", "show", ONE);
      expect(shown).toMatch(/^health +yellow$/m);
      expect(shown).toMatch(/^nodes +3 up, 4 reached/m);
      expect(shown).toMatch(new RegExp(`^${last.node_id} .*unavailable.*connection refused$`, "m"));
      const [, down] =
        (await says("events", "-cluster", ONE, "-type", "NODE_DOWN")).match(/NODE_DOWN +(.*)/) ?? [];
      expect(down).toMatch(new RegExp(`^${ONE} ${last.node_id}: .*unavailable`));
    });

    it("keep what an inventory that shrank had listed until somebody accepts it", async () => {
      const shrunk = fleet.listing();
      writeClusters(list, { ...shrunk, [TWO]: shrunk[TWO]?.slice(0, 1) ?? [] });
      await until(async () => (await says("events", "-cluster", TWO)).includes("DISCOVERY_SUSPECT"), MOMENT);
      expect((await coordinator.cluster(TWO)).view.counts.discovered).toBe(4);
      expect(await says("discovery", "accept", "inventory")).toBe(
        `discovery inventory: what it lists of ${TWO} is taken as the truth\n`,
      );
      expect((await coordinator.cluster(TWO)).view.counts.discovered).toBe(1);
      const told = (await coordinator.events(TWO)).map(({ type }) => type.slice("rollcall.".length));
      expect(told.slice(told.indexOf("DISCOVERY_SUSPECT"))).toEqual([
        "DISCOVERY_SUSPECT",
        "CLUSTER_CHANGED",
        "DISCOVERY_SUSPECT",
      ]);
    });

    it("delete settings and a discovery, and what was told of its clusters stays", async () => {
      expect(await says("delete", "cluster", ONE)).toBe(`settings of cluster ${ONE}: deleted\n`);
      expect((await json("get", "settings", ONE)).synthetic).toBe(true);
      expect(await says("delete", "discovery", "inventory")).toBe("discovery inventory: deleted\n");
      expect(await says("clusters")).toMatch(/^no clusters yet; /);
      expect(await says("get", "discoveries")).toMatch(/^none yet; /);
      expect((await says("events", "-cluster", ONE)).trimEnd().split("\n").at(-1)).toContain(
        "CLUSTER_REMOVED",
      );
    });

    it.each([
      [["apply"], 2, /^rollcall: -f: is required/],
      [["apply", "-f", "/nowhere.yaml"], 2, /^rollcall: -f: \/nowhere\.yaml: no such file/],
      [["cluster", "show"], 2, /^rollcall: cluster show: which one\?/],
      [["cluster", "show", "prod/none"], 1, /^rollcall: ask http:.*prod\/none/],
      [["delete", "discovery", "none"], 1, /^rollcall: ask http:.*none/],
      [["discovery", "accept", "none"], 1, /^rollcall: ask http:.*none/],
      [["events", "-type", "LEADER_CHANGD"], 2, /^rollcall: -type: .*did you mean LEADER_CHANGED\?/],
      [["events", "-after", "prod/none:9"], 1, /^rollcall: ask http:.*prod\/none:9/],
      [["clusters", "-o", "xml"], 2, /^rollcall: -o: "xml" must be table, json or yaml$/m],
      [["clusters", "-coordinators", "x"], 2, /^rollcall: .*did you mean -coordinator\?/],
    ])("refuse %j in one line", async (line, code, said) => {
      const more = line.includes("-coordinators") ? [] : ["-coordinator", coordinator.url];
      const ended = await rollcall([...line, ...more]);
      expect(ended.err).toMatch(said);
      expect(ended.err.trimEnd().split("\n")).toHaveLength(1);
      expect([ended.code, ended.out]).toEqual([code, ""]);
    });

    it("refuse wrong objects with a line for each problem, and nobody who listens in one", async () => {
      const path = join(dir, "wrong.yaml");
      writeFileSync(
        path,
        documents([settings("prod/orders", { quorum: 0 }), discovery("x", { mode: "fil" })]),
      );
      const refused = await rollcall(["apply", "-f", path, "-coordinator", coordinator.url]);
      expect(refused.err.trimEnd().split("\n")).toEqual([
        expect.stringMatching(
          /^rollcall: .*wrong\.yaml: document 1, ClusterSettings prod\/orders: spec\.quorum: /,
        ),
        expect.stringMatching(/^rollcall: .*wrong\.yaml: document 2, DiscoverySettings x: spec\.mode: /),
      ]);
      expect(refused.code).toBe(2);
      const nobody = await rollcall(["clusters", "-coordinator", "http://127.0.0.1:9"]);
      expect(nobody.err).toMatch(/^rollcall: ask http:\/\/127\.0\.0\.1:9: nobody listens there; /);
      expect(nobody.code).toBe(1);
    });
  }));

const MOMENT = { deadlineMs: 30_000, what: "it to happen" };

/** A value with its keys and texts, without what changes from one question to the next: times, and whether a refresh is under way. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value === "number" || typeof value === "boolean") return typeof value;
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value)) return "time";
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
}
