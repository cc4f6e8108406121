/** Events of a coordinator as lines that a test can expect. */

import type { Event } from "../../src/core/events.ts";
import { asText, at, textAt } from "../../src/lib/inside.ts";
import type { Coordinator } from "../support/coordinators.ts";

/** As in `NODE_DOWN b unavailable`, `LEADER_CHANGED a → nobody`, `MEMBERSHIP_DRIFT over`. */
export function lineOf(clusterId: string, { type, subject, data }: Event): string {
  const word = type.slice("rollcall.".length);
  const name = subject.slice(clusterId.length + 1);
  const { before, after } = data;
  const leader = (value: unknown) => textAt(value, "node_id") ?? "nobody";
  const text = (): string => {
    if (word === "LEADER_CHANGED") return `${leader(before)} → ${leader(after)}`;
    if (/^(?:PRIMARY_|MEMBERSHIP_|CLUSTER_SPLIT|DISCOVERY_)/.test(word)) return after === null ? "over" : "";
    if (/^NODE_(?:CHANGED|UP|DOWN)$/.test(word)) return asText(at(after, "report", "status")) ?? "";
    return /^SHARD_/.test(word) ? (textAt(after, "role") ?? "") : "";
  };
  return [word, name, text()].filter((part) => part !== "").join(" ");
}

/**
 * Asks, again and again, what a cluster was told of since the last time: whole, once two refreshes that began after
 * the question are done. So an event is in the answer exactly if it came within two intervals.
 */
export function teller(coordinator: () => Coordinator, clusterId: string): () => Promise<string[]> {
  let known = 0;
  return async () => {
    await coordinator().refreshed(clusterId);
    const events = await coordinator().events(clusterId);
    const news = events.slice(known);
    known = events.length;
    return news.map((event) => lineOf(clusterId, event));
  };
}

/** What the lines say of one node, or of one of its shards, in order; as in `unavailable healthy`. */
export function pathOf(lines: readonly string[], types: RegExp, name: string): string {
  const rows = lines.map((line) => line.split(" "));
  const own = rows.filter(([type = "", subject]) => types.test(type) && subject === name);
  return own.map(([, , word]) => word).join(" ");
}

/** The lines without those of these types. */
export function without(lines: readonly string[], types: RegExp): string[] {
  return lines.filter((line) => !types.test(line));
}
