/**
 * How often five new nodes that expect three become two clusters: rqlited by itself, by a list and by SRV records, and
 * rqlited driven by agents in the same modes. One run after the other, the systems in turns; a run is over when all
 * five are one cluster, when two leaders take writes apart from each other, or after 30 s.
 * Run: npm run bench:split [-- --runs N]. The SRV records of rqlited itself need root.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { freeSpots } from "../test/support/loopback.ts";
import { openMode } from "../test/support/modes.ts";
import { type Clusters, clustersOf } from "../test/support/rqlite-clusters.ts";
import { openNodes } from "../test/support/supervised.ts";
import { removeTemp } from "../test/support/temp.ts";
import { table } from "./figures.ts";
import { byJoin, bySrv, startNatives, type Way } from "./native.ts";

delete process.env.NODE_EXTRA_CA_CERTS;
// What was started ends with this process: by a signal it would end without its exit hooks.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const { values } = parseArgs({ options: { runs: { type: "string", default: "100" } } });
const RUNS = Number(values.runs);
const NODES = 5;
const EXPECT = 3;
/** The processes are started within this time, in any order. */
const WITHIN_MS = 100;

type System = {
  readonly name: string;
  /** One run: what the databases have become. */
  form(startsMs: readonly number[]): Promise<Clusters>;
  end(): Promise<unknown>;
};

function nativeBy(name: string, way: Way): System {
  return {
    name,
    async form(startsMs) {
      const native = await startNatives(way, startsMs);
      try {
        return await clustersOf(native.nodes);
      } finally {
        await native.end();
      }
    },
    end: way.end,
  };
}

async function drivenBy(name: "static" | "dns-srv"): Promise<System> {
  const mode = await openMode(name);
  let keys = 0;
  return {
    name: `rqlited driven by agents, ${name}`,
    async form(startsMs) {
      keys += 1;
      const spots = await freeSpots(startsMs.length);
      const args = [...(await mode.flags(`split-${keys}`, spots)), `-bootstrap-expect=${EXPECT}`];
      const fleet = openNodes();
      const dirs: string[] = [];
      try {
        const nodes = await Promise.all(
          spots.map(async (at, i) => {
            await new Promise((resolve) => setTimeout(resolve, startsMs[i]));
            const node = await fleet.one({ id: `n${i}`, seat: at, args });
            dirs.push(node.agent().dir);
            return { id: node.id, http: node.http() };
          }),
        );
        return await clustersOf(nodes);
      } finally {
        await fleet.end();
        for (const dir of dirs) removeTemp(dir);
      }
    },
    end: mode.end,
  };
}

async function main(): Promise<void> {
  const srv = await bySrv(EXPECT);
  const systems = [
    nativeBy("rqlited, -join", byJoin(EXPECT)),
    ...(srv === null ? [] : [nativeBy("rqlited, dns-srv", srv)]),
    await drivenBy("static"),
    await drivenBy("dns-srv"),
  ];
  const verdicts = new Map(systems.map(({ name }) => [name, [] as Clusters["verdict"][]]));
  try {
    for (let run = 0; run < RUNS; run++)
      for (const system of systems) {
        const startsMs = Array.from({ length: NODES }, () => Math.random() * WITHIN_MS);
        const { verdict, what } = await system.form(startsMs);
        verdicts.get(system.name)?.push(verdict);
        if (verdict !== "one") process.stderr.write(`run ${run + 1}, ${system.name}: ${verdict}: ${what}\n`);
      }
  } finally {
    await Promise.all(systems.map((system) => system.end()));
    const count = (all: readonly string[], what: string) => String(all.filter((one) => one === what).length);
    const rows = [...verdicts].map(([name, all]) => [
      name,
      String(all.length),
      count(all, "split"),
      count(all, "hung"),
    ]);
    process.stdout.write(
      `${NODES} new nodes that expect ${EXPECT}, started within ${WITHIN_MS} ms; load ${loadavg()[0]?.toFixed(1)}\n\n`,
    );
    process.stdout.write(`${table([["system", "runs", "two clusters", "hung"], ...rows])}\n`);
  }
}

await main();
