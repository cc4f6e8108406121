/**
 * What an event's `before` and `after` say, in words. They are read tolerantly: an event of another release may carry
 * more or less, and is told as far as it is understood. What each type carries: src/core/events.ts.
 */
import { asText, at, entriesAt, listAt, numberAt, textAt } from "../lib/inside.ts";
import { short } from "./records.ts";

/** A phrase without a full stop; empty where there is nothing to add to the type. */
export function whatChanged(type: string, before: unknown, after: unknown): string {
  const words = Object.hasOwn(WORDS, type) ? WORDS[type] : undefined;
  return words?.(before, after) ?? "";
}

type Words = (before: unknown, after: unknown) => string;

const WORDS: Readonly<Record<string, Words>> = {
  DISCOVERY_SETTINGS_APPLY: (before) => (before === null ? "new" : "changed"),
  CLUSTER_NEW: (_before, after) =>
    phrases(
      from("found by", textAt(after, "discovery")),
      ...[listAt(after, "inventory").length].map((many) => `${many} ${many === 1 ? "node" : "nodes"}`),
      from("led by", textAt(after, "conditions", "leader", "node_id")),
    ),
  CLUSTER_CHANGED: clusterChanged,
  DISCOVERY_CONFLICT: (_before, after) =>
    after === null ? "no other discovery lists it any more" : `is listed by ${names(listAt(after))} too`,
  DISCOVERY_SUSPECT: suspect,
  OBSERVATION_GAP: () => "changes between two looks were missed",
  AGENT_NEW: (_before, after) =>
    phrases(
      from("at", textAt(after, "agent_addr")),
      from("rollcall", textAt(after, "info", "version")),
      agentState(after),
    ),
  // Without a known id it carries the address: nobody has answered there before.
  AGENT_UP: (before) => (textAt(before, "agent_addr") === null ? "answers again" : "answers"),
  AGENT_DOWN: (_before, after) => agentState(after),
  AGENT_INFO_CHANGED: agentChanged,
  NODE_NEW: (_before, after) => reportWords(at(after, "report")),
  NODE_REPLACED: nodeReplaced,
  NODE_CHANGED: nodeChanged,
  NODE_UP: nodeChanged,
  NODE_DOWN: nodeChanged,
  NODE_STALE: () => "its agent is down; what it last said is kept",
  SHARD_ALLOCATION_NEW: (_before, after) => from("as", textAt(after, "role")),
  SHARD_ALLOCATION_CHANGED: (before, after) => change("", textAt(before, "role"), textAt(after, "role")),
  SHARD_ALLOCATION_LOST: (before) => from("was", textAt(before, "role")),
  LEADER_CHANGED: (before, after) =>
    `${textAt(before, "node_id") ?? "nobody"} → ${textAt(after, "node_id") ?? "nobody"}`,
  PRIMARY_CONFLICT: (_before, after) =>
    after === null ? "only one claims to lead again" : `${names(listAt(after))} claim to lead`,
  PRIMARY_MISSING: (_before, after) =>
    after === null
      ? "somebody leads again"
      : phrases("nobody leads", from("before it was", textAt(after, "last"))),
  CLUSTER_SPLIT: (_before, after) => (after === null ? "one cluster again" : splitWords(after)),
  MEMBERSHIP_DRIFT: (_before, after) =>
    after === null ? "inventory, agents and database agree again" : driftWords(after),
  ORCHESTRATE_REPORT: (_before, after) => from("refresh", textAt(after, "outcome")),
};

function clusterChanged(before: unknown, after: unknown): string {
  const addresses = (value: unknown) =>
    listAt(value, "inventory").flatMap((node) => textAt(node, "agent_addr") ?? []);
  const [was, is] = [addresses(before), addresses(after)];
  const genesis = (value: unknown) => shortOf(textAt(value, "genesis_id"));
  return phrases(
    from("now also", names(is.filter((addr) => !was.includes(addr)))),
    from("no longer", names(was.filter((addr) => !is.includes(addr)))),
    ...listedOtherwise(before, after),
    change("name", textAt(before, "display_name"), textAt(after, "display_name")),
    change("discovery", textAt(before, "discovery"), textAt(after, "discovery")),
    change("genesis", genesis(before), genesis(after)),
  );
}

/** What the inventory says now of nodes that it listed before, and lists where they were. */
function listedOtherwise(before: unknown, after: unknown): readonly string[] {
  const nodeAt = (addr: string | null) =>
    listAt(before, "inventory").find((node) => textAt(node, "agent_addr") === addr);
  return listAt(after, "inventory").flatMap((is) => {
    const addr = textAt(is, "agent_addr");
    const was = nodeAt(addr);
    if (was === undefined) return [];
    const secure = (node: unknown) => told(at(node, "secure"));
    const words = phrases(
      change("node", textAt(was, "node_id"), textAt(is, "node_id")),
      change("incarnation", shortOf(textAt(was, "incarnation")), shortOf(textAt(is, "incarnation"))),
      change("TLS", secure(was), secure(is)),
    );
    return words === "" ? [] : [`${addr} with ${words}`];
  });
}

function suspect(before: unknown, after: unknown): string {
  if (after === null) return `${textAt(before, "discovery") ?? "its discovery"} is believed again`;
  const [found, listed] = [numberAt(after, "found"), numberAt(after, "listed")];
  const name = textAt(after, "discovery") ?? "its discovery";
  if (listed === 0) return `${name} does not list it any more; the old record is kept`;
  return `${name} lists only ${found ?? "?"} of ${listed ?? "?"} nodes; the old list is kept`;
}

/** Why an agent is down, by its code. */
const AGENT: Readonly<Record<string, string>> = {
  unreachable: "does not answer",
  unauthorized: "wants another credential",
  not_allowed: "is outside the allow-list",
  not_an_agent: "is no agent",
  wrong_cluster: "belongs to another cluster",
  wrong_node: "is another node than the inventory lists",
  duplicate: "is there twice",
};

function agentState(value: unknown): string {
  const code = textAt(value, "agent", "code") ?? "";
  return (Object.hasOwn(AGENT, code) ? AGENT[code] : null) ?? (code === "ok" ? "" : code);
}

function agentChanged(before: unknown, after: unknown): string {
  const [was, is] = [before, after].map((value) => textAt(value, "info", "version"));
  if (at(before, "info") === null) return from("rollcall", is ?? null);
  const restarted = textAt(before, "info", "boot_id") !== textAt(after, "info", "boot_id");
  return phrases(change("rollcall", was ?? null, is ?? null), restarted ? "restarted" : "");
}

function nodeReplaced(before: unknown, after: unknown): string {
  const id = (value: unknown) => textAt(value, "identity", "node_id");
  const disk = (value: unknown) => shortOf(textAt(value, "identity", "incarnation"));
  return phrases(
    change("node", id(before), id(after)),
    change("another disk, incarnation", disk(before), disk(after)),
    reportWords(at(after, "report")),
  );
}

/** The fields of a report that are shown when they change, in this order. */
const FIELDS = ["status", "role", "kind", "version", "voter", "api_addr", "addr", "genesis_id"] as const;

function nodeChanged(before: unknown, after: unknown): string {
  const changed = FIELDS.map((field) => {
    const [was, is] = [before, after].map((value) => {
      const text = told(at(value, "report", field));
      return field === "genesis_id" ? shortOf(text) : text;
    });
    return change(field.replaceAll("_", " "), was ?? null, is ?? null);
  });
  return phrases(...changed, change("agent", textAt(before, "agent_addr"), textAt(after, "agent_addr")));
}

function reportWords(report: unknown): string {
  const database = [textAt(report, "kind"), textAt(report, "version")].filter(Boolean).join(" ");
  return phrases(database, textAt(report, "status") ?? "", textAt(report, "role") ?? "");
}

/** The genesis ids, and who holds each. */
function splitWords(value: unknown): string {
  return entriesAt(value)
    .map(([genesis, nodes]) => `${names(listAt(nodes))} in ${short(genesis)}`)
    .join(", ");
}

/** Who is missing from which of the three lists; an empty one does not tell. */
function driftWords(value: unknown): string {
  const lists = ["inventory", "agents", "database"]
    .map((name) => ({
      name,
      ids: listAt(value, name).map(asText),
    }))
    .filter(({ ids }) => ids.length > 0);
  const all = [...new Set(lists.flatMap(({ ids }) => ids))].sort();
  return all
    .map((id) => ({ id, without: lists.filter(({ ids }) => !ids.includes(id)).map(({ name }) => name) }))
    .filter(({ without }) => without.length > 0)
    .map(({ id, without }) => `${id} is not in ${without.join(" and ")}`)
    .join("; ");
}

function change(name: string, was: string | null, is: string | null): string {
  if (was === is) return "";
  return [name, was ?? "none", "→", is ?? "none"].filter((part) => part !== "").join(" ");
}

function from(word: string, value: string | null): string {
  return value === null || value === "" ? "" : `${word} ${value}`;
}

function phrases(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(", ");
}

/** `a, b and c`. */
function names(values: readonly unknown[]): string {
  const texts = values.map(asText);
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
}

/** A value as it is told; null: there is none. */
function told(value: unknown): string | null {
  if (value === null || value === undefined || value === "") return null;
  return typeof value === "boolean" ? (value ? "yes" : "no") : asText(value);
}

function shortOf(uuid: string | null): string | null {
  return uuid === null ? null : short(uuid);
}
