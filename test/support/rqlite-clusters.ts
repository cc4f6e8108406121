/** Which clusters real rqlited nodes have become, by what they say and by the writes they take. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Reply, request } from "./http.ts";

/** One database: its node id and `host:port` of its HTTP. */
export type Asked = { readonly id: string; readonly http: string };

/**
 * `one`: every node is ready, and lists all. `split`: two of them lead, each takes writes, and neither has the
 * other's. `hung`: neither came true in time.
 */
export type Clusters = { readonly verdict: "one" | "split" | "hung"; readonly what: string };

/** rqlite's own repairs took no longer where they were seen; splits were not repaired. */
const MOST_MS = 30_000;
const EVERY_MS = 100;

/** Looks until it can tell. */
export async function clustersOf(nodes: readonly Asked[], mostMs = MOST_MS): Promise<Clusters> {
  const end = performance.now() + mostMs;
  for (;;) {
    const looks = await Promise.all(nodes.map(lookAt));
    const ids = nodes.map(({ id }) => id).sort();
    if (looks.every(({ ready, lists }) => ready && lists.join() === ids.join()))
      return { verdict: "one", what: `${ids.join()} under ${leadersOf(looks)}` };
    const leaders = nodes.filter((_, i) => looks[i]?.leads);
    if (leaders.length > 1 && (await areApart(leaders)))
      return { verdict: "split", what: looks.map(textOf).join("; ") };
    if (performance.now() > end) return { verdict: "hung", what: looks.map(textOf).join("; ") };
    await sleep(EVERY_MS);
  }
}

type Look = {
  readonly id: string;
  readonly ready: boolean;
  readonly leads: boolean;
  /** Ids of the members, as the node has them. */
  readonly lists: readonly string[];
};

async function lookAt({ id, http }: Asked): Promise<Look> {
  const [ready, raft] = await Promise.all([ask(http, "/readyz"), ask(http, "/status?key=store")]);
  const store = raft?.status === 200 ? JSON.parse(raft.body) : null;
  const lists = ((store?.nodes ?? []) as { id: string }[]).map((node) => node.id).sort();
  return { id, ready: ready?.status === 200, leads: store?.raft?.state === "Leader", lists };
}

/** Each takes a write, and does not have those of the others. */
async function areApart(leaders: readonly Asked[]): Promise<boolean> {
  for (const { id, http } of leaders) {
    const statements = [
      "CREATE TABLE IF NOT EXISTS written (by_node TEXT)",
      ["INSERT INTO written VALUES (?)", id],
    ];
    const reply = await ask(http, "/db/execute", statements);
    if (reply?.status !== 200 || reply.body.includes('"error"')) return false;
  }
  const rows = await Promise.all(
    leaders.map(async ({ http }) => {
      const reply = await ask(http, "/db/query?level=none&q=SELECT%20by_node%20FROM%20written");
      const values = JSON.parse(reply?.body ?? "{}").results?.[0]?.values as string[][] | undefined;
      return (values ?? []).map(([by]) => by);
    }),
  );
  return leaders.every(({ id }, i) => rows.every((has, j) => has.includes(id) === (i === j)));
}

async function ask(http: string, path: string, body?: unknown): Promise<Reply | null> {
  const options =
    body === undefined
      ? {}
      : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return request(`http://${http}${path}`, { timeoutMs: 2_000, ...options }).catch(() => null);
}

function leadersOf(looks: readonly Look[]): string {
  return looks.flatMap(({ id, leads }) => (leads ? [id] : [])).join();
}

function textOf({ id, ready, leads, lists }: Look): string {
  return `${id}${leads ? " leads and" : ""} lists ${lists.join() || "nobody"}${ready ? "" : ", not ready"}`;
}
