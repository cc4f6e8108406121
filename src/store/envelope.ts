/** The envelope of an event: CloudEvents 1.0, JSON. */
import type { Change, Event } from "../core/events.ts";

/** An event as it is served. `time` is milliseconds since the epoch; the id is `<scope>:<seq>`. */
export function envelope(
  { type, subject, before, after }: Change,
  {
    scope,
    seq,
    source,
    time,
  }: { readonly scope: string; readonly seq: number; readonly source: string; readonly time: number },
): Event {
  return {
    specversion: "1.0",
    id: `${scope}:${seq}`,
    source,
    type: `rollcall.${type}`,
    subject,
    time: new Date(time).toISOString(),
    datacontenttype: "application/json",
    data: { before, after },
  };
}
