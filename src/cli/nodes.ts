/** `rollcall nodes`: one line a node, of all clusters or of one. */
import * as z from "zod";
import type { ClientConfig, Settings } from "../config.ts";
import { ask } from "./ask.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import type { Io } from "./io.ts";
import { allClusters, itemsOf } from "./pages.ts";
import { readValue, ServedNode, ServedObject } from "./served.ts";
import { printValue, type Style, styleOf } from "./shown.ts";
import { columns } from "./table.ts";

/** Prints the nodes as a table, or as they came, each with its cluster. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const config = coordinatorClient(settings, io.files);
  const { cluster, output } = settings;
  const found = cluster === null ? await everyNode(config, io) : await nodesOf(cluster, config, io);
  if (output !== "table") {
    await printValue({ items: found.map(({ id, node }) => ({ cluster_id: id, ...node })) }, output, io);
    return 0;
  }
  const [heads, name] = cluster === null ? [["CLUSTER"], (id: string) => [id]] : [[], () => []];
  const rows = found.map(({ id, node }) => [...name(id), ...nodeCells(readValue(ServedNode, node, config))]);
  io.stdout(rows.length === 0 ? "no nodes yet\n" : nodeTable(heads, rows, styleOf(io)));
  return 0;
}

/** A node as it came, and its cluster. */
type Named = { readonly id: string; readonly node: ServedObject };

const NodesOf = z.looseObject({ cluster_id: z.string(), nodes: z.array(ServedObject).default([]) });

async function everyNode(config: ClientConfig, io: Io): Promise<readonly Named[]> {
  return (await allClusters(config, io)).flatMap((item) => {
    const { cluster_id: id, nodes } = readValue(NodesOf, item, config);
    return nodes.map((node) => ({ id, node }));
  });
}

async function nodesOf(id: string, config: ClientConfig, io: Io): Promise<readonly Named[]> {
  const body = await ask(`/v1/clusters/${encodeURIComponent(id)}/nodes`, config, io);
  return itemsOf(body, "nodes", config).map((node) => ({ id, node: readValue(ServedObject, node, config) }));
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
    node.role ?? "",
    node.version ?? "",
    node.lag ?? "",
    problemOf(node),
  ];
}

/** What the node said of itself, or why nobody knows. */
export function stateOf({ agent, status, stale }: ServedNode): string {
  if (agent.status === "up") return status ?? "unknown";
  if (status === null) return agent.code ?? agent.status;
  return stale ? `stale (${status})` : status;
}

/** What is wrong there, in words; empty: nothing. */
export function problemOf({ agent, problem, listed }: ServedNode): string {
  const down = agent.status !== "up" ? agent.code : null;
  return [listed ? null : "not in the inventory", problem ?? down].filter((part) => part !== null).join("; ");
}

function colourOf(state: string): "green" | "yellow" | "red" {
  if (state === "healthy") return "green";
  return /^(?:joining|leaving|unknown|stale .*)$/.test(state) ? "yellow" : "red";
}
