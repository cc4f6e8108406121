/** What the coordinator answers on each path of the table, in the shapes that the table gives. */
import type { Mounted } from "../lib/mounted.ts";
import type { StoredSettings } from "../store/store.ts";
import type { Answers } from "./answer.ts";
import { clusterAnswers } from "./cluster-answers.ts";
import { eventAnswers } from "./event-answers.ts";
import type { Streams } from "./event-stream.ts";
import { pageOf, sortedBy } from "./list.ts";
import { coordinatorMetrics } from "./metrics.ts";
import { openapi } from "./openapi.ts";
import type { DiscoveryPage, View } from "./pages.ts";
import { queued, refusal } from "./refusals.ts";
import { shownConfig, shownDocument } from "./secrets.ts";
import { targetGroups } from "./targets.ts";
import type { ViewOf } from "./views.ts";

export type AnswerDeps = {
  readonly view: View;
  readonly viewOf: ViewOf;
  readonly streams: Streams;
  /** What else the server serves; null: nothing. */
  readonly mounted: Pick<Mounted, "metrics" | "paths"> | null;
};

export function openAnswers(deps: AnswerDeps): Answers {
  const { view, viewOf, streams, mounted } = deps;
  return {
    ...clusterAnswers(view, viewOf),
    ...eventAnswers(view, streams),
    ...discoveryAnswers(view),
    ...settingsAnswers(view),
    tasks: ({ query }) => {
      const keyOf = ({ kind, name }: { kind: string; name: string }) => `${kind}:${name}`;
      return pageOf(sortedBy(view.tasks(), keyOf), query, keyOf);
    },
    prometheus: ({ query: { target, cluster } }) => {
      // An empty or partial list would end the scraping of what is missing in it; Prometheus keeps the last on an error.
      const why = view.readiness();
      if (why !== null)
        throw refusal("not_ready", `the coordinator is not ready: ${why}`, "keep the last list");
      const pages = view.clusters().filter((page) => cluster === undefined || page.cluster_id === cluster);
      const secure = view.discoveries().filter(({ settings }) => settings.tls !== null);
      return targetGroups(pages, target, new Set(secure.map(({ settings }) => settings.name)));
    },
    livez: (_, c) => c.text("ok\n"),
    readyz: (_, c) => {
      const why = view.readiness();
      return why === null ? c.text("ok\n") : c.text(`${why}\n`, 503);
    },
    metrics: async (_, c) => {
      const text = coordinatorMetrics({
        name: view.name,
        version: view.version,
        clusters: view.clusters().map((page) => ({ page, view: viewOf(page) })),
        discoveries: view.discoveries().length,
        inDoubt: view.inDoubt(),
        counters: view.counters(),
        lateness: view.lateness(),
        tasks: view.tasks(),
        followers: streams.count(),
        extent: await view.store.extent(),
        more: mounted?.metrics() ?? [],
      });
      return c.body(text, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    },
    openapi: () => openapi(view.version, mounted?.paths ?? {}),
  };
}

function discoveryAnswers(view: View) {
  const nameOf = (page: DiscoveryPage) => page.settings.name;
  return {
    apply: async ({ body }) => {
      const answer = await view.apply(body);
      if (answer.ok) return { applied: answer.applied };
      const { problems } = answer;
      throw refusal(
        "bad_request",
        problems[0] ?? "nothing is told to apply",
        "nothing was changed",
        problems,
      );
    },
    discoveries: ({ query }) => {
      const { items, next } = pageOf(sortedBy(view.discoveries(), nameOf), query, nameOf);
      return { items: items.map(shownDiscovery), next };
    },
    discovery: ({ params: { name } }) => {
      const page = view.discoveries().find((one) => nameOf(one) === name);
      if (page === undefined) throw noDiscovery(name);
      return shownDiscovery(page);
    },
    removeDiscovery: async ({ params: { name } }) => {
      if (await view.remove("DiscoverySettings", name)) return { removed: name };
      throw noDiscovery(name);
    },
    accept: async ({ params: { name } }) => {
      const clusters = await view.accept(name);
      if (clusters === null) throw noDiscovery(name);
      return { clusters };
    },
    discover: async ({ params: { name } }) => {
      const asked = await view.discover(name);
      if (asked === "unknown") throw noDiscovery(name);
      return queued(asked, `the discovery ${name}`);
    },
  } satisfies Partial<Answers>;
}

function settingsAnswers(view: View) {
  const idOf = ({ settings }: StoredSettings) => settings.cluster_id;
  return {
    settingsList: ({ query }) => {
      const { items, next } = pageOf(sortedBy(view.settings(), idOf), query, idOf);
      return { items: items.map(shownSettings), next };
    },
    settings: ({ params: { id } }) => {
      const found = view.settings().find((one) => idOf(one) === id);
      if (found === undefined) throw noSettings(id);
      return shownSettings(found);
    },
    removeSettings: async ({ params: { id } }) => {
      if (await view.remove("ClusterSettings", id)) return { removed: id };
      throw noSettings(id);
    },
  } satisfies Partial<Answers>;
}

function shownDiscovery(page: DiscoveryPage) {
  const { settings, run, late_ms, foreign, problems, clusters } = page;
  const document = shownDocument(page.document);
  const shown = { ...settings, config: shownConfig(settings.config) };
  return { name: settings.name, settings: shown, document, run, late_ms, foreign, problems, clusters };
}

function shownSettings({ settings, synthetic, run, document }: StoredSettings) {
  return { settings, synthetic, run, document: document === null ? null : shownDocument(document) };
}

function noDiscovery(name: string) {
  return refusal("not_found", `there is no discovery ${name}`, "GET /v1/discoveries lists them");
}

function noSettings(id: string) {
  return refusal("not_found", `no settings were applied for ${id}`, "GET /v1/settings lists them");
}
