/** Views of clusters, made once for each version of a cluster and of how it is treated: lists and metrics ask for all. */
import { NO_MARKS } from "../core/cluster.ts";
import { type ClusterView, clusterView } from "../core/view.ts";
import type { ClusterPage } from "./pages.ts";

/** The view of a cluster as it is now. */
export type ViewOf = (page: ClusterPage) => ClusterView;

export function openViews(): ViewOf {
  const made = new WeakMap<object, { readonly settings: object; readonly view: ClusterView }>();
  return ({ cluster, settings }) => {
    if (cluster === null) return clusterView({ facts: null, marks: NO_MARKS, settings });
    const before = made.get(cluster);
    if (before?.settings === settings) return before.view;
    const view = clusterView({ facts: cluster.facts, marks: cluster.marks, settings });
    made.set(cluster, { settings, view });
    return view;
  };
}
