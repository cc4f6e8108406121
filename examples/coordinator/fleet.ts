/**
 * A fleet of simulated agents as a process of its own:
 *
 *     node examples/coordinator/fleet.ts --inventory FILE [--clusters 20] [--nodes 10] [--first 20] [--port 4100]
 *       [--change 0.01] [--silent 0]
 *
 * Writes the inventory as the mode `file` takes it, listens, and prints `listening`. Of each poll a share `change`
 * finds another state: a node that does not lead goes down or comes up, which is printed as `changed SUBJECT STATUS
 * TIME` (milliseconds since the epoch). A share `silent` of the agents takes connections and never answers.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { listenAsAgents } from "./listening.ts";
import { type SimulatedNode, simulatedClusters, touch } from "./simulated.ts";

const { values } = parseArgs({
  options: {
    inventory: { type: "string" },
    clusters: { type: "string", default: "20" },
    nodes: { type: "string", default: "10" },
    first: { type: "string", default: "20" },
    port: { type: "string", default: "4100" },
    change: { type: "string", default: "0" },
    silent: { type: "string", default: "0" },
  },
});
const [clusters, nodes, first, port] = [values.clusters, values.nodes, values.first, values.port].map(Number);
const [change, silent] = [Number(values.change), Number(values.silent)];
if (
  values.inventory === undefined ||
  !clusters ||
  !nodes ||
  !first ||
  !port ||
  Number.isNaN(change + silent)
) {
  process.stderr.write(
    "usage: fleet.ts --inventory FILE [--clusters N] [--nodes N] [--change SHARE] [--silent SHARE]\n",
  );
  process.exit(2);
}

const fleet = simulatedClusters({ clusters, nodes, first, port });
const all = fleet.flatMap((cluster) => cluster.nodes);
for (const node of all) node.silent = Math.random() < silent;
const listening = await listenAsAgents(all, polled);
const records = fleet.map(({ cluster_id, nodes: of }) => ({
  ...{ cluster_id, display_name: null },
  nodes: of.map(({ address }) => `http://${address}/`),
}));
writeFileSync(values.inventory, JSON.stringify({ clusters: records }));
process.stdout.write("listening\n");
process.on("SIGUSR1", () => process.stdout.write(`counts ${JSON.stringify(listening.counts())}\n`));

function polled(node: SimulatedNode): void {
  if (node.cluster.leader === node || Math.random() >= change) return;
  node.status = node.status === "healthy" ? "unavailable" : "healthy";
  touch(node);
  const at = performance.timeOrigin + performance.now();
  process.stdout.write(
    `changed ${node.cluster.cluster_id}/${node.node_id} ${node.status} ${at.toFixed(1)}\n`,
  );
}
