/** The coordinator's part of the commands. */
import type { Command } from "./command.ts";

const ASKS = "Asks the coordinator at -coordinator.";

/** In the order of help. */
export const COORDINATOR_COMMANDS: readonly Command[] = [
  {
    name: "coordinator",
    summary: "polls the agents of many clusters and tells what changed",
    about:
      "Finds clusters with the DiscoverySettings that were applied, polls their agents on a schedule, keeps what they say, and tells every change as an event. One process, one file.",
    examples: [
      "rollcall coordinator -apply=/etc/rollcall/settings",
      "rollcall coordinator -http-addr=10.0.0.9:4200 -store=sqlite:/var/lib/rollcall.db -token-file=/etc/rollcall/token -tls-cert=/etc/rollcall/cert.pem -tls-key=/etc/rollcall/key.pem",
    ],
  },
  {
    name: "apply",
    summary: "gives a coordinator settings of discoveries and clusters",
    about:
      "Takes YAML or JSON with any number of objects, of a file, of all *.yaml, *.yml and *.json of a directory, or of standard input. All of them are taken, or none.",
    examples: [
      "rollcall apply -f=settings.yaml",
      "rollcall apply -f=/etc/rollcall/settings",
      "rollcall apply -f -",
    ],
    argument: "f",
  },
  {
    name: "get discoveries",
    summary: "lists the discoveries of a coordinator, or shows one",
    about: ASKS,
    examples: ["rollcall get discoveries", "rollcall get discoveries consul-prod -o=yaml"],
    argument: "discovery",
  },
  {
    name: "get clusters",
    summary: "lists the clusters of a coordinator, or gives one whole",
    about: `${ASKS} Without an id it is the same as \`rollcall clusters\`.`,
    examples: ["rollcall get clusters", "rollcall get clusters prod/orders -o=yaml"],
    argument: "cluster",
  },
  {
    name: "get settings",
    summary: "lists how a coordinator treats its clusters, or shows one cluster's settings",
    about: ASKS,
    examples: ["rollcall get settings", "rollcall get settings prod/orders -o=yaml"],
    argument: "cluster",
  },
  {
    name: "delete discovery",
    summary: "takes a discovery away from a coordinator",
    about: "What only this discovery lists is no longer polled.",
    examples: ["rollcall delete discovery consul-prod"],
    argument: "discovery",
  },
  {
    name: "delete cluster",
    summary: "takes a cluster's own settings away; it is treated as any other again",
    about: "Deletes the ClusterSettings. The cluster itself stays while a discovery lists it.",
    examples: ["rollcall delete cluster prod/orders"],
    argument: "cluster",
  },
  {
    name: "clusters",
    summary: "lists the clusters of a coordinator and their health",
    about: ASKS,
    examples: [
      "rollcall clusters",
      "rollcall clusters -coordinator=https://10.0.0.9:4200 -tls-ca=ca.pem -o=json",
    ],
  },
  {
    name: "nodes",
    summary: "lists the nodes of all clusters, or of one",
    about: ASKS,
    examples: ["rollcall nodes", "rollcall nodes -cluster=prod/orders"],
  },
  {
    name: "events",
    summary: "tells what changed, one line an event",
    about:
      "Without -follow all events that are kept, the oldest first; with it those that come from now on, until it is stopped. A lost connection is made again and nothing is missed or told twice.",
    examples: [
      "rollcall events -cluster=prod/orders",
      "rollcall events --follow -type=LEADER_CHANGED,NODE_DOWN",
      "rollcall events --follow -after=prod/orders:17 -o=json",
    ],
  },
  {
    name: "cluster show",
    summary: "shows one cluster: health and why, who leads, who is missing, every node",
    about: ASKS,
    examples: ["rollcall cluster show prod/orders"],
    argument: "cluster",
  },
  {
    name: "cluster refresh",
    summary: "has a cluster polled now",
    about: `${ASKS} Ends once the refresh is queued.`,
    examples: ["rollcall cluster refresh prod/orders"],
    argument: "cluster",
  },
  {
    name: "discovery accept",
    summary: "takes what a discovery lists now as the truth, once",
    about:
      "For nodes that are really gone: after DISCOVERY_SUSPECT, where entries could not be read, or where a store's members were away when they were removed.",
    examples: ["rollcall discovery accept consul-prod"],
    argument: "discovery",
  },
];
