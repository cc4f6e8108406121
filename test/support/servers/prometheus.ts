/** A real Prometheus, with the scrape configuration of the test. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatAddress } from "../../../src/core/address.ts";
import { loopbackAddress } from "../loopback.ts";
import { programPath } from "./install.ts";
import { type Server, startServer } from "./server.ts";

/** One running Prometheus. */
export type Prometheus = Server<"web"> & { readonly url: string };

/** Starts one; `scrapes` is the YAML of `scrape_configs`, indented by two spaces. */
export async function startPrometheus(scrapes: string): Promise<Prometheus> {
  const program = await programPath("prometheus");
  const server = await startServer<"web">({
    name: "prometheus",
    where: await loopbackAddress(),
    portNames: ["web"],
    async command({ address, ports }, dataDir) {
      const config = join(dataDir, "prometheus.yml");
      await writeFile(config, `global:\n  scrape_interval: 1s\nscrape_configs:\n${scrapes}\n`);
      const listen = formatAddress({ host: address, port: ports.web });
      return {
        program,
        args: [
          `--config.file=${config}`,
          `--storage.tsdb.path=${join(dataDir, "tsdb")}`,
          `--web.listen-address=${listen}`,
        ],
      };
    },
    ready: async ({ address, ports }) =>
      (await fetch(`http://${formatAddress({ host: address, port: ports.web })}/-/ready`)).ok,
  });
  return { ...server, url: `http://${formatAddress({ host: server.address, port: server.ports.web })}` };
}
