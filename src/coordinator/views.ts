/** Views of clusters, made once for each version of a cluster and of how it is treated: lists and metrics ask for all. */
import { type ClusterView, clusterView } from "./cluster-view.ts";
import type { ClusterPage } from "./pages.ts";

/** The view of a cluster as it is now; null: not refreshed for the first time yet. */
export type ViewOf = (page: ClusterPage) => ClusterView | null;

export function openViews(): ViewOf {
  const made = new WeakMap<object, { readonly settings: object; readonly view: ClusterView }>();
  return ({ cluster, settings }) => {
    if (cluster === null) return null;
    const before = made.get(cluster);
    if (before?.settings === settings) return before.view;
    const view = clusterView({ facts: cluster.facts, marks: cluster.marks, settings });
    made.set(cluster, { settings, view });
    return view;
  };
}
