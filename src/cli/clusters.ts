/** `rollcall clusters`, and `get clusters`: all that a coordinator polls, one line a cluster. */
import type { Settings } from "../config.ts";
import { run as showCluster } from "./cluster-show.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import type { Io } from "./io.ts";
import { all } from "./pages.ts";
import { clusterOf, type ServedCluster } from "./served.ts";
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
        items.map((item) => clusterOf(item, config)),
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
    cluster.id,
    cluster.health,
    `${cluster.counts.up ?? "?"}/${cluster.counts.expected ?? "?"}`,
    cluster.primaries.join(", "),
    cluster.versions.join(", "),
    latest(cluster),
  ]);
  return columns(
    [["ID", "HEALTH", "NODES", "PRIMARY", "VERSION", "WHY, OR LAST EVENT"], ...rows],
    (text, row, column) => {
      if (row === 0) return style("bold", text);
      const colour = column === 1 ? colourOfHealth(text.trim()) : null;
      return colour === null ? text : style(colour, text);
    },
  );
}

/** Why it is not green, else what happened last. */
function latest({ reasons, lastEvent }: ServedCluster): string {
  const [first, ...more] = reasons;
  if (first === undefined) return lastEvent ?? "";
  return more.length === 0 ? first : `${first} (and ${more.length} more)`;
}
