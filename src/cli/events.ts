/** `rollcall events`: what changed, from a coordinator's log and as it comes. */
import type { ClientConfig, Settings } from "../config.ts";
import { EventType } from "../core/events.ts";
import { decode } from "../core/model.ts";
import type { SseMessage } from "../lib/sse.ts";
import { nearest } from "../lib/suggest.ts";
import { coordinatorClient } from "./coordinator-configs.ts";
import { eventLine } from "./event-line.ts";
import { follow } from "./follow.ts";
import type { Io } from "./io.ts";
import { pages, withQuery } from "./pages.ts";
import { read, readValue, ServedEvent } from "./served.ts";
import { jsonLine, styleOf, yamlText } from "./shown.ts";
import { didYouMean, printable, usageError } from "./usage.ts";
import { shown } from "./values.ts";

/** Prints the events that are kept; with -follow, those to come, until it is stopped or nobody reads on. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const { cluster, after } = settings;
  const query = { cluster, type: typesOf(settings.type) };
  const config = coordinatorClient(settings, io.files);
  const text = await formatOf(settings, config, io);
  if (!settings.follow) {
    for await (const items of pages("/v1/events", { ...query, after }, config, io))
      for (const item of items) io.stdout(text(item));
    return 0;
  }
  const stop = AbortSignal.any([io.untilStopped(), io.unread]);
  const print = (message: SseMessage) => {
    const value = decode(ServedEvent, message.data);
    if (value.ok) io.stdout(text(JSON.parse(message.data)));
    // What the coordinator has to say of the stream itself.
    else if (message.event !== "") io.stderr(`rollcall: ${printable(`${message.event}: ${message.data}`)}\n`);
    else read(ServedEvent, message.data, config);
  };
  await follow({ path: withQuery("/v1/events/stream", query), after }, { config, io, stop }, print);
  return 0;
}

/** How one event is printed. Throws where it is none. */
async function formatOf(
  { output }: Settings,
  config: ClientConfig,
  io: Io,
): Promise<(item: unknown) => string> {
  if (output === "json") return jsonLine;
  if (output === "yaml") {
    const yaml = await yamlText();
    return (item) => `---\n${yaml(item)}`;
  }
  const style = styleOf(io);
  return (item) => `${eventLine(readValue(ServedEvent, item, config), style)}\n`;
}

/** Types as the coordinator takes them. Throws a usage line for one that does not exist. */
function typesOf(list: string | null): string | null {
  if (list === null) return null;
  const types = list.split(",").map((word) => {
    const type = word
      .trim()
      .toUpperCase()
      .replaceAll("-", "_")
      .replace(/^ROLLCALL\./, "");
    const known: readonly string[] = EventType.options;
    if (known.includes(type)) return type;
    const near = didYouMean(nearest(type, known));
    throw usageError(`-type: ${shown(word.trim())} is no type of event${near}`, "the README lists them all");
  });
  return types.join(",");
}
