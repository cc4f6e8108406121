/** Real Knot DNS servers with one zone, `test`, whose records change while it runs. */

import { Resolver } from "node:dns/promises";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatAddress } from "../../../src/core/address.ts";
import { loopbackAddress, type Place } from "../loopback.ts";
import { until } from "../wait.ts";
import { programPath } from "./install.ts";
import { type Server, startServer } from "./server.ts";

/** The port of a Knot server, over UDP and TCP. */
export type KnotPorts = "dns";

/** One running Knot server. */
export type Knot = Server<KnotPorts> & {
  /** As `resolvers` has it: `127.1.2.3:40000`. */
  readonly endpoint: string;
  /** Puts other records in place of all, as lines of a zone file; returns when they are served. */
  setRecords(records: readonly string[]): Promise<void>;
};

/**
 * Starts one server with these records, as in `n1 60 A 10.0.0.1` for n1.test. Every name outside `test` is REFUSED.
 * `where`: the loopback address to use, ::1 too, instead of a fresh one, or the whole place.
 */
export async function startKnot(
  records: readonly string[],
  where?: Place<KnotPorts> | string,
): Promise<Knot> {
  const program = await programPath("knotd");
  let serial = 1;
  let folder = "";
  const write = async () => writeFile(join(folder, "test.zone"), zoneFile(serial, records));
  const server = await startServer<KnotPorts>({
    name: "knotd",
    where: where ?? (await loopbackAddress()),
    portNames: ["dns"],
    async command(place, dataDir) {
      folder = dataDir;
      await writeFile(join(dataDir, "knot.conf"), configuration(place, dataDir));
      await write();
      return { program, args: ["-c", join(dataDir, "knot.conf")] };
    },
    ready: async (place) => (await serialOf(place)) === serial,
  });
  return {
    ...server,
    endpoint: endpointOf(server),
    async setRecords(next) {
      records = next;
      serial += 1;
      await write();
      // Knot reads its zones again.
      process.kill(server.pid(), "SIGHUP");
      const served = async () => (await serialOf(server)) === serial;
      await until(served, { deadlineMs: 5_000, what: `knotd to serve serial ${serial}` });
    },
  };
}

function configuration({ address, ports }: Place<KnotPorts>, folder: string): string {
  return `
server:
    rundir: "${folder}"
    listen: ${address}@${ports.dns}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${folder}"
log:
  - target: stderr
    any: warning
zone:
  - domain: test.
    storage: "${folder}"
    file: test.zone
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
`;
}

function zoneFile(serial: number, records: readonly string[]): string {
  const own = [`@ 60 SOA ns hostmaster ${serial} 60 60 60 60`, "@ 60 NS ns", "ns 60 A 127.0.0.1"];
  return `$ORIGIN test.\n${[...own, ...records].join("\n")}\n`;
}

async function serialOf(place: Place<KnotPorts>): Promise<number> {
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([endpointOf(place)]);
  return (await resolver.resolveSoa("test")).serial;
}

function endpointOf({ address, ports }: Place<KnotPorts>): string {
  return formatAddress({ host: address, port: ports.dns });
}
