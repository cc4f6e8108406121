/** `rollcall cluster show`: one cluster, from its health down to each node. */
import type { Settings } from "../config.ts";
import { formatDuration } from "../lib/duration.ts";
import { ask } from "./ask.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import type { Io } from "./io.ts";
import { nodeCells, nodeTable, problemOf } from "./nodes.ts";
import {
  primariesOf,
  read,
  readValue,
  reasonsOf,
  ServedDetail,
  type ServedNode,
  ServedObject,
} from "./served.ts";
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
  io.stdout(asLines(readValue(ServedDetail, object, config), styleOf(io), io.pacing.clock.wall()));
  return 0;
}

/** `now`: milliseconds since the epoch. */
function asLines(cluster: ServedDetail, style: Style, now: number): string {
  const { enabled, run } = cluster;
  const { display_name, health, counts, nodes, discovery, genesis_id } = cluster.view;
  const id = cluster.cluster_id;
  const known = run === null ? "disabled" : `disabled; ${health} when it was last refreshed`;
  const told = (["up", "reached", "discovered", "expected"] as const).map((of) => `${counts[of]} ${of}`);
  const rows: readonly (readonly string[])[] = [
    ["cluster", display_name === null ? id : `${id} (${display_name})`],
    ["health", enabled ? health : known],
    ...reasonsOf(cluster).map((reason) => ["reason", reason]),
    ["nodes", told.join(", ")],
    ["primary", primariesOf(cluster).join(", ") || "none"],
    ...nodes.filter(({ agent }) => agent?.status === "down").map((node) => ["missing", missing(node)]),
    ["discovery", discovery ?? ""],
    ["genesis", genesis_id ?? "not known yet"],
    ["refreshed", refreshed(cluster, now)],
  ];
  const head = columns(rows, (text, row, column) => {
    if (column === 0) return style("dim", text);
    const colour = rows[row]?.[0] === "health" ? colourOfHealth(text) : null;
    return colour === null ? text : style([colour, "bold"], text);
  });
  return nodes.length === 0 ? head : `${head}\n${nodeTable([], nodes.map(nodeCells), style)}`;
}

/** Below a second nobody cares how late it began. */
function refreshed({ run, late_ms }: ServedDetail, now: number): string {
  if (run === null || run.ended_at === null) return "never";
  const inSeconds = (ms: number) => formatDuration(Math.max(0, Math.round(ms / 1_000)) * 1_000);
  const late = late_ms < 1_000 ? "" : `, begun ${inSeconds(late_ms)} late`;
  return `${inSeconds(now - run.ended_at)} ago${late}`;
}

function missing(node: ServedNode): string {
  const { node_id, agent_addr } = node;
  return `${node_id === null ? agent_addr : `${node_id} at ${agent_addr}`}: ${problemOf(node)}`;
}
