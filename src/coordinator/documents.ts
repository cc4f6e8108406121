/**
 * Documents to settings: YAML with any number of documents, or JSON, alone or in a list. All of a text are taken, or
 * none. Every problem is one line that names the document, and holds no value that may be a secret.
 */
import type * as z from "zod";
import type { InventoryMode } from "../core/inventory.ts";
import type { ClusterSettings, DiscoverySettings } from "../core/settings.ts";
import { formatDuration } from "../lib/duration.ts";
import { issueLines, meant, shown } from "./document-problems.ts";
import { ClusterDocument, DiscoveryDocument, DiscoverySpec, ReplicanteDocument } from "./document-schemas.ts";
import { readTexts } from "./document-texts.ts";
import { hiddenIn } from "./secrets.ts";

/**
 * One document that was understood. `document` is its canonical text: whatever says the same has the same one, and it
 * can be applied again. `name` is the cluster's id in ClusterSettings.
 */
export type Understood =
  | {
      readonly kind: "DiscoverySettings";
      readonly name: string;
      readonly settings: DiscoverySettings;
      readonly document: string;
    }
  | {
      readonly kind: "ClusterSettings";
      readonly name: string;
      readonly settings: ClusterSettings;
      readonly document: string;
    };

export type Parsed =
  | { readonly ok: true; readonly documents: readonly Understood[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Checks a `config` by its mode's own schema. The problems begin with the key and hold no values. */
export type InventoryCheck = (
  mode: InventoryMode,
  config: Readonly<Record<string, unknown>>,
) => Promise<{ readonly ok: true } | { readonly ok: false; readonly problems: readonly string[] }>;

/** Lines shown at most. */
const MOST_PROBLEMS = 20;

/** Reads all documents of a text. Never throws for what is in it. An empty text is a problem: something was left out. */
export async function parseDocuments(text: string, check: InventoryCheck): Promise<Parsed> {
  const texts = await readTexts(text);
  const problems = [...texts.problems];
  const documents: Understood[] = [];
  for (const { value, where } of texts.values) {
    const one = await understand(value, check);
    if ("problems" in one) problems.push(...one.problems.map((line) => `${where}${called(value)}: ${line}`));
    else if (documents.some((other) => other.kind === one.kind && other.name === one.name))
      problems.push(`${where}${called(value)}: stands in the same text twice`);
    else documents.push(one);
  }
  if (problems.length === 0) return { ok: true, documents };
  const more = problems.length - MOST_PROBLEMS;
  return {
    ok: false,
    problems: more > 0 ? [...problems.slice(0, MOST_PROBLEMS), `and ${more} more`] : problems,
  };
}

type Schemas = Readonly<Record<string, Readonly<Record<string, z.ZodType>>>>;

/** By apiVersion and kind. */
const SCHEMAS = {
  "rollcall/v1": { DiscoverySettings: DiscoveryDocument, ClusterSettings: ClusterDocument },
  "replicante.io/v0": { DiscoverySettings: ReplicanteDocument },
} satisfies Schemas;

type Misread = { readonly problems: readonly string[] };

async function understand(value: unknown, check: InventoryCheck): Promise<Understood | Misread> {
  const chosen = choose(value);
  if ("problems" in chosen) return chosen;
  const parsed = chosen.schema.safeParse(value);
  if (!parsed.success) return { problems: issueLines(chosen.schema, value, parsed.error) };
  const document = parsed.data as DiscoveryDocument | ClusterDocument | ReplicanteDocument;
  if (document.kind === "ClusterSettings") return clusterOf(document);
  const understood = discoveryOf(document.apiVersion === "rollcall/v1" ? document : translated(document));
  const { mode, config } = understood.settings;
  const hidden = hiddenIn(config);
  if (hidden !== null)
    return {
      problems: [`spec.config.${hidden}: stands for a secret that is not shown; write the secret itself`],
    };
  const checked = await check(mode, config);
  if (checked.ok) return understood;
  // The keys that Replicante's documents have beside the others are those of the configuration here.
  const at = document.apiVersion === "rollcall/v1" ? "spec.config" : "spec";
  return {
    problems: checked.problems.map((line) => (/^[\w.…-]+: /.test(line) ? `${at}.${line}` : `${at}: ${line}`)),
  };
}

/** The schema that apiVersion and kind ask for. */
function choose(value: unknown): { readonly schema: z.ZodType } | Misread {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { problems: ["must be a mapping with apiVersion, kind, metadata and spec"] };
  const versions: Schemas = SCHEMAS;
  const given = (key: string): unknown => Reflect.get(value, key);
  const version = among("apiVersion", given("apiVersion"), Object.keys(versions));
  if ("problems" in version) return version;
  const kinds = versions[version.word] ?? {};
  const kind = among("kind", given("kind"), Object.keys(kinds));
  if ("problems" in kind) return kind;
  const schema = kinds[kind.word];
  return schema === undefined ? { problems: ["kind: is not there"] } : { schema };
}

function among(key: string, given: unknown, known: readonly string[]): { readonly word: string } | Misread {
  if (typeof given === "string" && known.includes(given)) return { word: given };
  if (given === undefined) return { problems: [`${key}: is missing; must be one of ${known.join(", ")}`] };
  const tail = typeof given === "string" ? meant(given, known) : `; there are ${known.join(", ")}`;
  return { problems: [`${key}: is ${shown(given)}${tail}`] };
}

/** `, DiscoverySettings prod`, as far as a broken document tells. */
function called(value: unknown): string {
  if (typeof value !== "object" || value === null) return "";
  const kind: unknown = Reflect.get(value, "kind");
  const metadata: unknown = Reflect.get(value, "metadata");
  const named = typeof metadata === "object" && metadata !== null ? Reflect.get(metadata, "name") : undefined;
  const words = [kind, named].filter((word) => typeof word === "string" && /^[\w./-]{1,128}$/.test(word));
  return words.length === 0 ? "" : `, ${words.join(" ")}`;
}

function translated({ metadata, spec }: ReplicanteDocument): DiscoveryDocument {
  const { backend, enabled, interval, ...config } = spec;
  const given = Object.fromEntries(
    Object.entries(config).filter(([, value]) => value !== undefined && value !== null),
  );
  // The duration is parsed already, and the schema takes a text.
  const ours = { enabled, interval: formatDuration(interval), mode: backend, config: given };
  return { apiVersion: "rollcall/v1", kind: "DiscoverySettings", metadata, spec: DiscoverySpec.parse(ours) };
}

function discoveryOf({ metadata, spec }: DiscoveryDocument): Understood & { kind: "DiscoverySettings" } {
  const { interval, ...same } = spec;
  const kind = "DiscoverySettings";
  const shownSpec = { ...same, interval: formatDuration(interval) };
  return {
    kind,
    name: metadata.name,
    settings: { name: metadata.name, interval_ms: interval, ...same },
    document: canonical({ kind, name: metadata.name, spec: shownSpec }),
  };
}

function clusterOf({ metadata, spec }: ClusterDocument): Understood {
  const { cluster_id = "", interval, node_timeout, retire_after, ...same } = spec;
  const name = metadata.name ?? cluster_id;
  const kind = "ClusterSettings";
  const times = {
    interval: formatDuration(interval),
    node_timeout: formatDuration(node_timeout),
    retire_after: retire_after === null ? null : formatDuration(retire_after),
  };
  return {
    kind,
    name,
    settings: {
      cluster_id: name,
      interval_ms: interval,
      node_timeout_ms: node_timeout,
      retire_after_ms: retire_after,
      ...same,
    },
    document: canonical({ kind, name, spec: { ...same, ...times } }),
  };
}

function canonical({ kind, name, spec }: { kind: string; name: string; spec: object }): string {
  const metadata = { namespace: "default", name };
  return JSON.stringify(inOrder({ apiVersion: "rollcall/v1", kind, metadata, spec }));
}

/** Keys sorted at every depth, so that their order says nothing. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, inOrder(inner)]));
}
