/** An event as one line for people: when, what, of whom, and in words what changed. */
import { whatChanged } from "./event-words.ts";
import type { ServedEvent } from "./served.ts";
import type { Style } from "./shown.ts";
import { printable } from "./usage.ts";

/** The longest type, so that lines of any page stand below each other. */
const TYPE_WIDTH = 25;

/** `2026-11-21T10:00:00Z  LEADER_CHANGED  prod/orders: n1 → n2`. Nothing in it breaks the line or drives a terminal. */
export function eventLine(event: ServedEvent, style: Style): string {
  const type = printable(event.type.replace(/^rollcall\./, ""));
  const time = printable(event.time.replace(/\.\d+(?=Z$)/, ""));
  const words = whatChanged(type, event.data.before, event.data.after);
  const subject = printable(subjectOf(event));
  const colour = colourOf(type, event.data.after);
  return [
    style("dim", time),
    style(colour, type) + " ".repeat(Math.max(0, TYPE_WIDTH - type.length)),
    `${style("bold", subject)}${words === "" ? "" : `: ${printable(words)}`}`,
  ].join("  ");
}

/** `prod/orders n1`: the id has the cluster, the subject also the node and the shard. */
export function subjectOf({ id, subject }: ServedEvent): string {
  const scope = id.replace(/:\d+$/, "");
  if (subject === "" || subject === scope) return scope.replace(/^discovery:/, "discovery ");
  return subject.startsWith(`${scope}/`) ? `${scope} ${subject.slice(scope.length + 1)}` : subject;
}

/** Red: somebody should look. Green: that is over, or somebody came. `type`: without `rollcall.`. */
export function colourOf(type: string, after: unknown): "red" | "green" | "yellow" {
  if (/_(?:CONFLICT|MISSING|SPLIT|DRIFT|SUSPECT)$/.test(type)) return after === null ? "green" : "red";
  if (/_(?:DOWN|LOST|GAP)$/.test(type)) return "red";
  return /_(?:UP|NEW)$/.test(type) ? "green" : "yellow";
}
