/**
 * rqlited finding its peers by itself, for benches: several at once, by a list (`-join`), by SRV records, or by one of
 * its stores. It asks the system's resolver, so it gets a `resolv.conf` of its own, which only root may give.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePlace, loopbackAddress, type Spot } from "../test/support/loopback.ts";
import { recordsOf } from "../test/support/modes.ts";
import { type Process, start } from "../test/support/processes.ts";
import { startKnot } from "../test/support/servers/knot.ts";
import { RQLITE_PORTS, rqliteCommand } from "../test/support/servers/rqlite.ts";
import { removeTemp, tempDir } from "../test/support/temp.ts";

/** How native nodes find each other. */
export type Way = {
  /** The flags of nodes whose Raft listens at these places. */
  flags(rafts: readonly Spot[]): Promise<readonly string[]>;
  /** What goes before the command. */
  readonly before: readonly string[];
  end(): Promise<unknown>;
};

/** Each names all, itself too, and waits for `expect` of them. */
export function byJoin(expect: number): Way {
  return {
    flags: async (rafts) => [
      `-bootstrap-expect=${expect}`,
      `-join=${rafts.map(({ address, port }) => `${address}:${port}`).join()}`,
    ],
    before: [],
    end: async () => {},
  };
}

/** SRV records of a Knot server on port 53 of a loopback address; null where this user may not. */
export async function bySrv(expect: number): Promise<Way | null> {
  if (process.getuid?.() !== 0) return null;
  const knot = await startKnot([], { address: await loopbackAddress(), ports: { dns: 53 } });
  const folder = tempDir("resolv");
  const file = join(folder, "resolv.conf");
  writeFileSync(file, `nameserver ${knot.address}\n`);
  let names = 0;
  return {
    async flags(rafts) {
      names += 1;
      const name = `r${names}`;
      await knot.setRecords(recordsOf("dns-srv", name, rafts));
      const config = JSON.stringify({ name: `${name}.test`, service: "rqlite" });
      return [`-bootstrap-expect=${expect}`, "-disco-mode=dns-srv", `-disco-config=${config}`];
    },
    before: ["unshare", "--mount", "sh", "-c", `mount --bind ${file} /etc/resolv.conf && exec "$@"`, "sh"],
    async end() {
      await knot.stop();
      removeTemp(folder);
    },
  };
}

export type Native = {
  readonly nodes: readonly { readonly id: string; readonly http: string }[];
  /** When the last process was started, on the clock of `performance`. */
  readonly lastStart: number;
  end(): Promise<void>;
};

/** Starts one new node for each of these times, in milliseconds from now. */
export async function startNatives(way: Way, startsMs: readonly number[]): Promise<Native> {
  const places = await Promise.all(
    startsMs.map(async () => freePlace(await loopbackAddress(), RQLITE_PORTS)),
  );
  const flags = await way.flags(places.map(({ address, ports }) => ({ address, port: ports.raft })));
  const commands = await Promise.all(places.map(() => rqliteCommand()));
  const processes: Process[] = [];
  const starts = places.map(async ({ address, ports }, i) => {
    const { command, dir } = commands[i] ?? { command: [], dir: "" };
    const own = [
      `-node-id=n${i}`,
      `-http-addr=${address}:${ports.http}`,
      `-raft-addr=${address}:${ports.raft}`,
    ];
    const [program = "", ...args] = [...way.before, ...command, ...own, ...flags, join(dir, "data")];
    await sleep(startsMs[i] ?? 0);
    const at = performance.now();
    processes.push(await start({ name: `rqlited n${i}`, program, args }));
    return at;
  });
  return {
    nodes: places.map(({ address, ports }, i) => ({ id: `n${i}`, http: `${address}:${ports.http}` })),
    lastStart: Math.max(...(await Promise.all(starts))),
    async end() {
      await Promise.all(processes.map((one) => one.kill()));
      for (const { dir } of commands) removeTemp(dir);
    },
  };
}
