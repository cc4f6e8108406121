/** The settings that a coordinator was given, shown and taken away, and what may be asked of one of them. */
import type { ClientConfig, Settings } from "../config.ts";
import { formatDuration } from "../lib/duration.ts";
import { asText, at, entriesAt, listAt, numberAt, textAt } from "../lib/inside.ts";
import { ask } from "./ask.ts";
import type { CommandName } from "./command.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import type { Io } from "./io.ts";
import { all } from "./pages.ts";
import { read, readValue, ServedObject } from "./served.ts";
import { printValue, styleOf } from "./shown.ts";
import { columns } from "./table.ts";
import { printable, usageError } from "./usage.ts";

/** The coordinator looks at the inventory first, which may take 30 s. */
const ACCEPT_LIMIT_MS = 40_000;

type ObjectCommand = Extract<
  CommandName,
  | "get discoveries"
  | "get settings"
  | "delete discovery"
  | "delete cluster"
  | "cluster refresh"
  | "discovery accept"
>;

/** Runs one of these commands. Throws one line where it does not succeed. */
export async function run(command: ObjectCommand, settings: Settings, io: Io): Promise<number> {
  const config = coordinatorClient(settings, io.files);
  const context = { settings, config, io };
  switch (command) {
    case "get discoveries":
      return get("/v1/discoveries", settings.discovery, discoveryRows, context);
    case "get settings":
      return get("/v1/settings", settings.cluster, settingsRows, context);
    case "delete discovery": {
      const name = required(command, settings.discovery, "its name, as in consul-prod");
      await ask({ path: `/v1/discoveries/${name.path}`, method: "DELETE" }, config, io);
      return said(`discovery ${name.text}: deleted`, io);
    }
    case "delete cluster": {
      const id = required(command, settings.cluster, "its id, as in prod/orders");
      await ask({ path: `/v1/settings/${id.path}`, method: "DELETE" }, config, io);
      return said(`settings of cluster ${id.text}: deleted`, io);
    }
    case "cluster refresh": {
      const id = required(command, settings.cluster, "its id, as in prod/orders");
      const body = await ask({ path: `/v1/clusters/${id.path}/refresh`, method: "POST" }, config, io);
      const running = textAt(read(ServedObject, body, config), "asked") === "running";
      return said(`cluster ${id.text}: ${running ? "is being refreshed already" : "refresh is queued"}`, io);
    }
    case "discovery accept": {
      const name = required(command, settings.discovery, "its name, as in consul-prod");
      const path = `/v1/discoveries/${name.path}/accept`;
      const body = await ask({ path, method: "POST", limitMs: ACCEPT_LIMIT_MS }, config, io);
      const clusters = listAt(read(ServedObject, body, config), "clusters")
        .map(asText)
        .join(", ");
      const taken =
        clusters === ""
          ? "nothing to accept; what it lists is known, and nothing is suspect"
          : `what it lists of ${clusters} is taken as the truth`;
      return said(`discovery ${name.text}: ${taken}`, io);
    }
    default:
      return command satisfies never;
  }
}

type Context = { readonly settings: Settings; readonly config: ClientConfig; readonly io: Io };
type Rows = (items: readonly ServedObject[]) => readonly (readonly string[])[];

/** All objects under a path as a table, or the one that is named as lines; or as they came. */
async function get(path: string, name: string | null, rowsOf: Rows, { settings, config, io }: Context) {
  const style = styleOf(io);
  const { output } = settings;
  if (name !== null) {
    const object = read(ServedObject, await ask(`${path}/${encodeURIComponent(name)}`, config, io), config);
    if (output !== "table") await printValue(object, output, io);
    else
      io.stdout(columns(pairs(object), (text, _row, column) => (column === 0 ? style("dim", text) : text)));
    return 0;
  }
  const items = await all(path, config, io);
  if (output !== "table") await printValue({ items }, output, io);
  else {
    const rows = rowsOf(items.map((item) => readValue(ServedObject, item, config)));
    const none = rows.length === 1 ? "none yet; `rollcall apply` gives some\n" : null;
    io.stdout(none ?? columns(rows, (text, row) => (row === 0 ? style("bold", text) : text)));
  }
  return 0;
}

const discoveryRows: Rows = (items) => [
  ["NAME", "MODE", "INTERVAL", "CLUSTERS", "LAST LOOK"],
  ...items.map((item) => {
    const settings = at(item, "settings");
    return [
      asText(at(item, "name")),
      asText(at(settings, "mode")),
      intervalOf(settings),
      String(listAt(item, "clusters").length),
      lastLook(item),
    ];
  }),
];

const settingsRows: Rows = (items) => [
  ["CLUSTER", "INTERVAL", "TIMEOUT", "EXPECTED", "QUORUM", "FROM"],
  ...items.map((item) => {
    const settings = at(item, "settings");
    return [
      asText(at(settings, "cluster_id")),
      intervalOf(settings),
      line("_ms", at(settings, "node_timeout_ms")),
      asText(at(settings, "expected_nodes")),
      asText(at(settings, "quorum")),
      at(item, "synthetic") === true ? "defaults" : "applied",
    ];
  }),
];

function intervalOf(settings: unknown): string {
  return at(settings, "enabled") === false ? "disabled" : line("_ms", at(settings, "interval_ms"));
}

/** How the last look at the inventory ended. */
function lastLook(item: ServedObject): string {
  const problem = textAt(item, "run", "error") ?? listAt(item, "problems").map(asText)[0];
  return problem ?? (numberAt(item, "run", "ended_at") === null ? "" : "well");
}

/** An object as lines of a dotted name and a value. */
function pairs(object: unknown, before = ""): readonly (readonly [string, string])[] {
  return entriesAt(object).flatMap(([key, value]) => {
    const name = `${before}${key}`;
    const deeper = entriesAt(value).length > 0;
    return deeper ? pairs(value, `${name}.`) : [[name, line(name, value)] as const];
  });
}

function line(name: string, value: unknown): string {
  if (typeof value === "number" && name.endsWith("_ms")) return formatDuration(value);
  if (typeof value === "number" && name.endsWith("_at")) return timeOf(value);
  return Array.isArray(value) ? value.map(asText).join(", ") : asText(value);
}

/** Milliseconds since the epoch as people and RFC 3339 write them. */
function timeOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}

function required(command: ObjectCommand, given: string | null, what: string) {
  if (given === null) throw usageError(`${command}: which one? give ${what}`);
  return { text: given, path: encodeURIComponent(given) };
}

function said(sentence: string, io: Io): number {
  io.stdout(`${printable(sentence)}\n`);
  return 0;
}
