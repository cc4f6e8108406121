/** `rollcall clusters`, and `get clusters`: all that a coordinator polls, one line a cluster. */
import type { Settings } from "../config.ts";
import { run as showCluster } from "./cluster-show.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import type { Io } from "./io.ts";
import { all } from "./pages.ts";
import { primariesOf, readValue, reasonsOf, ServedCluster } from "./served.ts";
import { colourOfHealth, printValue, styleOf } from "./shown.ts";
import { columns } from "./table.ts";

/** Prints the clusters as a table, or as they came; with -cluster, that one. */
export async function run(settings: Settings, io: Io): Promise<number> {
  if (settings.cluster !== null) return showCluster(settings, io);
  const config = coordinatorClient(settings, io.files);
  const items = await all("/v1/clusters", config, io);
  if (settings.output !== "table") await printValue({ items }, settings.output, io);
  else
    io.stdout(
      tableOf(
        items.map((item) => readValue(ServedCluster, item, config)),
        io,
      ),
    );
  return 0;
}

function tableOf(clusters: readonly ServedCluster[], io: Io): string {
  if (clusters.length === 0)
    return "no clusters yet; `rollcall get discoveries` says where they are looked for\n";
  const style = styleOf(io);
  const rows = clusters.map((cluster) => [
    cluster.cluster_id,
    cluster.enabled ? cluster.view.health : "disabled",
    `${cluster.view.counts.up}/${cluster.view.counts.expected}`,
    primariesOf(cluster).join(", "),
    versionsOf(cluster).join(", "),
    why(cluster),
  ]);
  return columns([["ID", "HEALTH", "NODES", "PRIMARY", "VERSION", "WHY"], ...rows], (text, row, column) => {
    if (row === 0) return style("bold", text);
    const colour = column === 1 ? colourOfHealth(text.trim()) : null;
    return colour === null ? text : style(colour, text);
  });
}

/** Of the databases, each once, the rarest last. */
function versionsOf({ view: { kinds } }: ServedCluster): readonly string[] {
  const versions = [...kinds].sort((a, b) => b.nodes - a.nodes).flatMap(({ version }) => version ?? []);
  return [...new Set(versions)];
}

function why(cluster: ServedCluster): string {
  const [first, ...more] = reasonsOf(cluster);
  return more.length === 0 ? (first ?? "") : `${first} (and ${more.length} more)`;
}
