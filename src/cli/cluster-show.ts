/** `rollcall cluster show`: one cluster, from its health down to each node. */
import type { Settings } from "../config.ts";
import { ask } from "./ask.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import type { Io } from "./io.ts";
import { nodeCells, nodeTable, problemOf } from "./nodes.ts";
import { read, ServedCluster, type ServedNode, ServedObject } from "./served.ts";
import { HEALTH, printValue, type Style, styleOf } from "./shown.ts";
import { columns } from "./table.ts";
import { usageError } from "./usage.ts";

/** Prints the cluster that -cluster names as lines and a table, or as it came. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const { cluster, output } = settings;
  if (cluster === null) throw usageError("cluster show: which one? give its id, as in prod/orders");
  const config = coordinatorClient(settings, io.files);
  const body = await ask(`/v1/clusters/${encodeURIComponent(cluster)}`, config, io);
  if (output !== "table") await printValue(read(ServedObject, body, config), output, io);
  else io.stdout(asText(read(ServedCluster, body, config), styleOf(io)));
  return 0;
}

function asText(cluster: ServedCluster, style: Style): string {
  const { health, counts, nodes } = cluster;
  const primaries = nodes.filter(({ role, agent }) => isPrimary(role) && agent.status === "up").map(nameOf);
  const count = (value: number | null) => value ?? "?";
  const rows: readonly (readonly string[])[] = [
    [
      "cluster",
      [cluster.cluster_id, cluster.display_name && `(${cluster.display_name})`].filter(Boolean).join(" "),
    ],
    ["health", health.status],
    ...health.reasons.map(({ text }) => ["reason", text]),
    [
      "nodes",
      `${count(counts.up)} up, ${count(counts.reached)} reached, ${count(counts.discovered)} discovered, ${count(counts.expected)} expected`,
    ],
    ["primary", cluster.leader ?? (primaries.length === 0 ? "none" : primaries.join(", "))],
    ...primaries.filter((id) => cluster.leader !== null && id !== cluster.leader).map((id) => ["claims", id]),
    ...nodes.filter(({ agent }) => agent.status !== "up").map((node) => ["missing", missing(node)]),
    ["discovery", cluster.discovery ?? ""],
    ["genesis", cluster.genesis_id ?? "not known yet"],
  ];
  const head = columns(rows, (text, row, column) => {
    if (column === 0) return style("dim", text);
    const colour = rows[row]?.[0] === "health" ? HEALTH[text] : undefined;
    return colour === undefined ? text : style([colour, "bold"], text);
  });
  return nodes.length === 0 ? head : `${head}\n${nodeTable([], nodes.map(nodeCells), style)}`;
}

function isPrimary(role: string | null): boolean {
  return role === "leader" || role === "primary";
}

function missing(node: ServedNode): string {
  const where = node.node_id === null ? "" : ` at ${node.agent_addr}`;
  return `${nameOf(node)}${where}: ${problemOf(node) || "down"}`;
}

function nameOf({ node_id: id, agent_addr: addr }: ServedNode): string {
  return id ?? addr;
}
