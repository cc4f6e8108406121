/** A coordinator of a story: one child with its files in one directory, and its events as they come. */
import { strict as assert } from "node:assert";
import { renameSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { colourOf, subjectOf } from "../../src/cli/event-line.ts";
import { whatChanged } from "../../src/cli/event-words.ts";
import { Page, ServedEvent } from "../../src/cli/served.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import { at, numberAt, textAt } from "../../src/lib/inside.ts";
import { openSse } from "../../src/lib/sse.ts";
import type { Child, Children } from "./children.ts";
import type { News } from "./screen.ts";
import type { Wait } from "./wait.ts";

const ROLLCALL = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const REQUEST_MS = 4_000;
const MOST_CHARS = 4 * 1024 * 1024;
/** Events of one page; a story has fewer. */
const PAGE = 1_000;

/** A cluster as the inventory file lists it. */
export type ListedCluster = { readonly cluster_id: string; readonly nodes: readonly string[] };
export type Coordinator = ReturnType<typeof openCoordinator>;

/**
 * A coordinator that has not started. Its settings are one discovery, which reads a file below `dir` each second, and
 * the given objects beside it. `told` hears every event, in the order of the stream.
 */
export function openCoordinator(options: {
  readonly dir: string;
  readonly port: number;
  /** Where agents may listen, on 127/8. */
  readonly agentPorts: readonly number[];
  /** Texts of objects as `rollcall apply` takes them. */
  readonly settings: readonly object[];
  readonly children: Children;
  readonly wait: Wait;
  readonly told: (event: ServedEvent) => void;
}) {
  const { dir, children, wait } = options;
  const addr = `127.0.0.1:${options.port}`;
  const url = `http://${addr}`;
  const inventory = join(dir, "inventory.json");
  const settings = join(dir, "settings.yaml");
  const seen: ServedEvent[] = [];
  let isQuiet = (_: number) => false;
  let child: Child | null = null;
  const log = () => child?.tail() ?? "";

  /** One answer of its API. */
  async function ask(path: string): Promise<unknown> {
    const signal = AbortSignal.any([wait.signal, AbortSignal.timeout(REQUEST_MS)]);
    const answer = await fetch(`${url}${path}`, { signal });
    if (!answer.ok) throw new RollcallError("refused", `${path}: status ${answer.status}`);
    return answer.json();
  }

  /** What the inventory lists from the next look on. Readers see the old file or the new one. */
  function list(clusters: readonly ListedCluster[]): void {
    writeFileSync(`${inventory}.new`, JSON.stringify({ clusters }));
    renameSync(`${inventory}.new`, inventory);
  }

  return {
    url,
    list,
    /** Starts it with an empty inventory. Resolves when its events are being read, so that none is missed. */
    async start(): Promise<void> {
      list([]);
      const discovery = {
        ...{ apiVersion: "rollcall/v1", kind: "DiscoverySettings", metadata: { name: "file" } },
        spec: {
          ...{ mode: "file", interval: "1s", config: { path: inventory } },
          allow: { cidrs: ["127.0.0.0/8"], ports: options.agentPorts },
        },
      };
      writeFileSync(
        settings,
        [discovery, ...options.settings].map((object) => JSON.stringify(object)).join("\n---\n"),
      );
      child = children.start("the coordinator", process.execPath, [
        ...[ROLLCALL, "coordinator", "-store", `sqlite:${join(dir, "coordinator.db")}`],
        ...["-apply", settings, "-http-addr", addr, "-name", "demo", "-log-format", "text"],
      ]);
      await wait.event(
        "the coordinator to listen",
        child.line((line) => /\blistening\b/.test(line)),
        log,
      );
      const heard = (event: ServedEvent) => {
        if (!isQuiet(seen.length)) options.told(event);
        seen.push(event);
      };
      await wait.event("the stream of events", follow(`${url}/v1/events/stream`, wait.signal, heard), log);
    },
    /** From now on events are kept and not told where `quiet` takes how many came before. */
    quiet(quiet: (before: number) => boolean): void {
      isQuiet = quiet;
    },
    /** How many events have come so far. */
    told: () => seen.length,
    /** The first event that `wanted` takes of those after the first `since`, or that is yet to come. */
    event: (what: string, wanted: (event: ServedEvent) => boolean, since = 0) =>
      wait.for(`the coordinator to tell ${what}`, async () => seen.slice(since).find(wanted) ?? null, log),
    /** The first and the last event of a cluster, once all that are stored were told, in their order and without a gap. */
    complete: (cluster: string) =>
      wait.for(
        "every event to be told",
        async () => {
          const page = await ask(`/v1/events?cluster=${encodeURIComponent(cluster)}&limit=${PAGE}`);
          const stored = Page.parse(page).items.map((item) => ServedEvent.parse(item).id);
          const told = seen.map(({ id }) => id).filter((id) => id.startsWith(`${cluster}:`));
          assert.deepEqual(told, stored, "what was told");
          const counted = stored.map((_, at) => `${cluster}:${at + 1}`);
          assert.deepEqual(stored, counted, "its events");
          return { first: stored[0] ?? "", last: stored.at(-1) ?? "" };
        },
        log,
      ),
    /** What it says of a cluster of this genesis, once that is green. */
    verdict: (cluster: string, genesisId: string) =>
      wait.for(
        `${cluster} to be green`,
        async () => {
          const item = await ask(`/v1/clusters/${encodeURIComponent(cluster)}`);
          const view = at(item, "view");
          assert.equal(textAt(view, "health"), "green", "its health");
          assert.equal(textAt(view, "genesis_id"), genesisId, "its genesis");
          const [up, expected] = [numberAt(view, "counts", "up"), numberAt(view, "counts", "expected")];
          return `${cluster} is green, ${up} of ${expected} nodes are up, ${textAt(view, "leader")} leads`;
        },
        log,
      ),
    stop: async (graceMs: number) => child?.end("SIGTERM", graceMs),
  };
}

/** An event in the words of `rollcall events`. */
export function newsOf(event: ServedEvent): News {
  const type = typeOf(event);
  const { before = null, after = null } = event.data;
  const words = whatChanged(type, before, after);
  const subject = subjectOf(event);
  return { type, look: colourOf(type, after), text: words === "" ? subject : `${subject}: ${words}` };
}

/** Whether an event has this type and this subject. */
export function isOf(type: string, subject: string): (event: ServedEvent) => boolean {
  return (event) => typeOf(event) === type && event.subject === subject;
}

/** Whether an event says that this node leads the cluster from now on; null: that nobody does. */
export function leads(cluster: string, node: string | null): (event: ServedEvent) => boolean {
  const isLeader = isOf("LEADER_CHANGED", cluster);
  return (event) => isLeader(event) && textAt(event.data.after, "node_id") === node;
}

function typeOf({ type }: ServedEvent): string {
  return type.replace(/^rollcall\./, "");
}

/** Calls `heard` with every event of a stream until `signal`. Resolves when the stream has begun; a refusal is thrown. */
function follow(url: string, signal: AbortSignal, heard: (event: ServedEvent) => void): Promise<void> {
  const began = Promise.withResolvers<void>();
  const sse = openSse(MOST_CHARS);
  const asked = request(url, { agent: false, signal, headers: { accept: "text/event-stream" } });
  asked.on("response", (response) => {
    if (response.statusCode !== 200)
      began.reject(new RollcallError("refused", `${url}: status ${response.statusCode}`));
    began.resolve();
    response.setEncoding("utf8").on("data", (text: string) => {
      for (const { data } of sse.push(text)) heard(ServedEvent.parse(JSON.parse(data)));
    });
    // The coordinator ends before its reader; whoever waits for an event then waits in vain, with its log.
    response.on("error", () => {});
  });
  asked.on("error", began.reject);
  asked.end();
  return began.promise;
}
