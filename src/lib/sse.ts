/** Server-Sent Events as they arrive. Source: WHATWG HTML, "Server-sent events", section "Interpreting an event stream". */
import { RollcallError } from "./errors.ts";

/** One message. `event` is empty where the stream names none; `id` is that of the last message which had one. */
export type SseMessage = { readonly event: string; readonly data: string; readonly id: string | null };

/**
 * Takes a stream's text in any pieces and gives the messages that are complete. Throws `too_long` when what is not
 * complete has more than `mostChars`.
 */
export function openSse(mostChars: number) {
  let rest = "";
  let event = "";
  let data: string[] = [];
  let size = 0;
  let id: string | null = null;

  /** One line without its end; gives a message where it completes one. */
  function take(line: string): readonly SseMessage[] {
    if (line === "") {
      const message = { event, data: data.join("\n"), id };
      const given = data.length > 0;
      [event, data, size] = ["", [], 0];
      return given ? [message] : [];
    }
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
    else if (field === "id" && !value.includes("\0")) id = value === "" ? null : value;
    size += line.length;
    return [];
  }

  return {
    /** The id to go on from; null: none was told. */
    lastId: () => id,
    push(text: string): readonly SseMessage[] {
      // A line may end with CR LF, of which the LF is still to come.
      const lines = `${rest}${text}`.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      const messages = lines.flatMap(take);
      if (rest.length + size > mostChars)
        throw new RollcallError("too_long", `a message of the stream has more than ${mostChars} characters`);
      return messages;
    },
  };
}
