/** The settings that a coordinator was given, shown and taken away, and what may be asked of one of them. */
import type { ClientConfig, Settings } from "../config.ts";
import { formatDuration } from "../lib/duration.ts";
import { ask } from "./ask.ts";
import type { CommandName } from "./command.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import type { Io } from "./io.ts";
import { itemsOf } from "./pages.ts";
import { read, readValue, ServedObject } from "./served.ts";
import { printValue, styleOf } from "./shown.ts";
import { columns } from "./table.ts";
import { printable, usageError } from "./usage.ts";

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
      const running = /"running"/.test(body);
      return said(`cluster ${id.text}: ${running ? "is being refreshed already" : "refresh is queued"}`, io);
    }
    case "discovery accept": {
      const name = required(command, settings.discovery, "its name, as in consul-prod");
      await ask({ path: `/v1/discoveries/${name.path}/accept`, method: "POST" }, config, io);
      return said(`discovery ${name.text}: what it lists is taken as the truth`, io);
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
  const items = itemsOf(await ask(path, config, io), path.slice("/v1/".length), config);
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
    const settings = settingsIn(item);
    return [
      cell(settings.name ?? item.name),
      cell(settings.mode),
      settings.enabled === false ? "disabled" : duration(settings.interval_ms ?? settings.interval),
      Array.isArray(item.clusters) ? String(item.clusters.length) : "",
      lastLook(item),
    ];
  }),
];

const settingsRows: Rows = (items) => [
  ["CLUSTER", "INTERVAL", "TIMEOUT", "EXPECTED", "QUORUM", "FROM"],
  ...items.map((item) => {
    const settings = settingsIn(item);
    return [
      cell(settings.cluster_id ?? item.cluster_id),
      settings.enabled === false ? "disabled" : duration(settings.interval_ms ?? settings.interval),
      duration(settings.node_timeout_ms ?? settings.node_timeout),
      cell(settings.expected_nodes),
      cell(settings.quorum),
      item.synthetic === true ? "defaults" : "applied",
    ];
  }),
];

/** The settings beside the state of their runs, or the object itself. */
function settingsIn(item: ServedObject): ServedObject {
  const { settings } = item;
  return typeof settings === "object" && settings !== null ? (settings as ServedObject) : item;
}

function lastLook({ run, problems }: ServedObject): string {
  const error = typeof run === "object" && run !== null ? (run as ServedObject).error : null;
  if (typeof error === "string") return error;
  const [first] = Array.isArray(problems) ? problems : [];
  return typeof first === "string" ? first : run === null || run === undefined ? "" : "well";
}

/** An object as lines of a dotted name and a value. */
function pairs(object: ServedObject, before = ""): readonly (readonly [string, string])[] {
  return Object.entries(object).flatMap(([key, value]) => {
    const name = `${before}${key}`;
    const deeper = typeof value === "object" && value !== null && !Array.isArray(value);
    return deeper ? pairs(value as ServedObject, `${name}.`) : [[name, line(name, value)] as const];
  });
}

function line(name: string, value: unknown): string {
  return name.endsWith("_ms")
    ? duration(value)
    : Array.isArray(value)
      ? value.map(cell).join(", ")
      : cell(value);
}

function duration(value: unknown): string {
  return typeof value === "number" ? formatDuration(value) : cell(value);
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

function required(command: ObjectCommand, given: string | null, what: string) {
  if (given === null) throw usageError(`${command}: which one? give ${what}`);
  return { text: given, path: encodeURIComponent(given) };
}

function said(sentence: string, io: Io): number {
  io.stdout(`${printable(sentence)}\n`);
  return 0;
}
