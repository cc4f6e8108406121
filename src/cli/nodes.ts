/** `rollcall nodes`: one line a node, of all clusters or of one. */
import type { ClientConfig, Settings } from "../config.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import type { Io } from "./io.ts";
import { all, nodesOf } from "./pages.ts";
import { readValue, ServedCluster, ServedNode, ServedObject } from "./served.ts";
import { printValue, type Style, styleOf } from "./shown.ts";
import { columns } from "./table.ts";

/** Prints the nodes as a table, or as they came, each with its cluster. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const config = coordinatorClient(settings, io.files);
  const { cluster, output } = settings;
  const found = cluster === null ? await everyNode(config, io) : await named(cluster, config, io);
  if (output !== "table") {
    const items = found.map(({ id, node }) => ({ cluster_id: id, ...readValue(ServedObject, node, config) }));
    await printValue({ items }, output, io);
    return 0;
  }
  const [heads, before] = cluster === null ? [["CLUSTER"], (id: string) => [id]] : [[], () => []];
  const rows = found.map(({ id, node }) => [
    ...before(id),
    ...nodeCells(readValue(ServedNode, node, config)),
  ]);
  io.stdout(rows.length === 0 ? "no nodes yet\n" : nodeTable(heads, rows, styleOf(io)));
  return 0;
}

/** A node as it came, and its cluster. */
type Named = { readonly id: string; readonly node: unknown };

async function everyNode(config: ClientConfig, io: Io): Promise<readonly Named[]> {
  const found: Named[] = [];
  for (const item of await all("/v1/clusters", config, io))
    found.push(...(await named(readValue(ServedCluster, item, config).cluster_id, config, io)));
  return found;
}

async function named(id: string, config: ClientConfig, io: Io): Promise<readonly Named[]> {
  return (await nodesOf(id, config, io)).map((node) => ({ id, node }));
}

const HEADS = ["NODE", "AGENT", "STATE", "ROLE", "VERSION", "LAG", "PROBLEM"] as const;

/** A table of nodes; each row is what `nodeCells` gives, after a cell for each of `before`. */
export function nodeTable(
  before: readonly string[],
  rows: readonly (readonly string[])[],
  style: Style,
): string {
  const state = before.length + HEADS.indexOf("STATE");
  const role = before.length + HEADS.indexOf("ROLE");
  return columns([[...before, ...HEADS], ...rows], (text, row, column) => {
    if (row === 0) return style("bold", text);
    if (column === state) return style(colourOf(text.trim()), text);
    return column === role && /^(?:leader|primary)$/.test(text.trim()) ? style("bold", text) : text;
  });
}

/** One node's cells, in the order of the table. */
export function nodeCells(node: ServedNode): readonly string[] {
  return [
    node.node_id ?? "",
    node.agent_addr,
    stateOf(node),
    node.report?.role ?? "",
    node.report?.version ?? "",
    lagOf(node),
    problemOf(node),
  ];
}

/** What the node said of itself, or why nobody knows. */
function stateOf({ agent, report, stale }: ServedNode): string {
  if (report === null) return agent?.code ?? "not asked yet";
  return stale ? `stale (${report.status})` : report.status;
}

/** The lag of the shard that lags most, with its unit. */
function lagOf({ shards }: ServedNode): string {
  const [most] = shards.flatMap(({ lag }) => lag ?? []).sort((a, b) => b.value - a.value);
  return most === undefined ? "" : `${most.value} ${most.unit}`;
}

/** What is wrong there, in words; empty: nothing. */
export function problemOf({ agent, problem, listed }: ServedNode): string {
  const down = agent?.status === "down" ? agent.code : null;
  return [listed ? null : "not in the inventory", problem ?? down].filter((part) => part !== null).join("; ");
}

function colourOf(state: string): "green" | "yellow" | "red" {
  if (state === "healthy") return "green";
  return /^(?:joining|leaving|unknown|not asked yet|stale .*)$/.test(state) ? "yellow" : "red";
}
