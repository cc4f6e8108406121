/** `rollcall cluster show`: one cluster, from its health down to each node. */
import type { Settings } from "../config.ts";
import { ask } from "./ask.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import type { Io } from "./io.ts";
import { nodeCells, nodeTable, problemOf } from "./nodes.ts";
import { nodesOf } from "./pages.ts";
import { clusterOf, nodeOf, read, type ServedCluster, type ServedNode, ServedObject } from "./served.ts";
import { colourOfHealth, printValue, type Style, styleOf } from "./shown.ts";
import { columns } from "./table.ts";
import { usageError } from "./usage.ts";

/** Prints the cluster that -cluster names as lines and a table, or as it came. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const { cluster, output } = settings;
  if (cluster === null) throw usageError("cluster show: which one? give its id, as in prod/orders");
  const config = coordinatorClient(settings, io.files);
  const body = await ask(`/v1/clusters/${encodeURIComponent(cluster)}`, config, io);
  const object = read(ServedObject, body, config);
  if (output !== "table") {
    await printValue(object, output, io);
    return 0;
  }
  const shown = clusterOf(object, config);
  const nodes = shown.nodes ?? (await nodesOf(cluster, config, io)).map((node) => nodeOf(node, config));
  io.stdout(asLines(shown, nodes, styleOf(io)));
  return 0;
}

function asLines(cluster: ServedCluster, nodes: readonly ServedNode[], style: Style): string {
  const { id, displayName, health, counts } = cluster;
  const told = (["up", "reached", "discovered", "expected"] as const).map(
    (of) => `${counts[of] ?? "?"} ${of}`,
  );
  const rows: readonly (readonly string[])[] = [
    ["cluster", displayName === null ? id : `${id} (${displayName})`],
    ["health", health],
    ...cluster.reasons.map((reason) => ["reason", reason]),
    ["nodes", told.join(", ")],
    ["primary", primariesOf(cluster, nodes).join(", ") || "none"],
    ...nodes.filter(({ agent }) => agent?.up === false).map((node) => ["missing", missing(node)]),
    ["discovery", cluster.discovery ?? ""],
    ["genesis", cluster.genesisId ?? "not known yet"],
  ];
  const head = columns(rows, (text, row, column) => {
    if (column === 0) return style("dim", text);
    const colour = rows[row]?.[0] === "health" ? colourOfHealth(text) : null;
    return colour === null ? text : style([colour, "bold"], text);
  });
  return nodes.length === 0 ? head : `${head}\n${nodeTable([], nodes.map(nodeCells), style)}`;
}

/** Who leads, and whoever claims it beside. */
function primariesOf({ primaries }: ServedCluster, nodes: readonly ServedNode[]): readonly string[] {
  const claim = nodes.filter(
    ({ role, agent }) => agent?.up === true && (role === "leader" || role === "primary"),
  );
  return [...new Set([...primaries, ...claim.map(nameOf)])];
}

function missing(node: ServedNode): string {
  const where = node.nodeId === null ? "" : ` at ${node.agentAddr}`;
  return `${nameOf(node)}${where}: ${problemOf(node)}`;
}

function nameOf({ nodeId, agentAddr }: ServedNode): string {
  return nodeId ?? agentAddr;
}
