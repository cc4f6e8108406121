/** The commands of this release: their names, what they do, and lines to copy. */
import type { Command } from "./command.ts";
import { COORDINATOR_COMMANDS } from "./coordinator-commands.ts";

const CONSUL = "-disco-mode=consul-kv -disco-key=prod/orders";

export const COMMANDS: readonly Command[] = [
  {
    name: "agent",
    summary: "runs beside one database node until it is stopped",
    about:
      "Finds the peers under -disco-key, agrees with them exactly once who creates the cluster, and answers for its node over HTTP.",
    examples: [
      `rollcall agent ${CONSUL} -bootstrap-expect=3 -http-addr=10.0.0.1:4100 -cluster-secret-file=/etc/rollcall/secret`,
      `rollcall agent -disco-mode=etcd-kv -disco-config='{"endpoints":["10.0.0.9:2379"]}'`,
      "rollcall agent -config=/etc/rollcall.yaml",
    ],
  },
  {
    name: "discover",
    summary: "looks once and prints the members and the genesis record",
    about:
      "Writes nothing and registers nothing. Without a store it prints the agents' addresses and what is missing from them. A store or resolver that does not answer ends it with 1.",
    examples: [
      `rollcall discover ${CONSUL}`,
      `rollcall discover ${CONSUL} -o=json`,
      `rollcall discover -disco-mode=dns -disco-config='{"name":"rollcall.example.com"}'`,
    ],
  },
  {
    name: "provider list",
    summary: "lists the modes in which peers are found, and what each has",
    about:
      "Every mode gives agents' addresses. A store also keeps the members under leases, and one genesis record and one leader key under check-and-set; without one the agents agree among themselves. Contacts nobody.",
    examples: ["rollcall provider list", "rollcall provider list -o=json"],
  },
  {
    name: "validate",
    summary: "checks an agent's flags and files, and says which limits apply",
    about:
      "Takes what `rollcall agent` takes. Contacts nobody, writes nothing. A file that only -disco-config names may come later: one that is not there is a note.",
    examples: [
      `rollcall validate ${CONSUL} -bootstrap-expect=3`,
      "rollcall validate -config=/etc/rollcall.yaml",
    ],
  },
  {
    name: "status",
    summary: "asks a running agent for its state",
    about: "Reads /v1/state of the agent at -addr.",
    examples: [
      "rollcall status",
      "rollcall status -addr=10.0.0.1:4100 -token-file=/etc/rollcall/token -o=json",
    ],
  },
  {
    name: "explain",
    summary: "asks a running agent why it waits and what unblocks it",
    about: "Reads /v1/explain of the agent at -addr.",
    examples: ["rollcall explain", "rollcall explain -addr=10.0.0.1:4100"],
  },
  {
    name: "leave",
    summary: "takes a node out of its cluster for good, and ends its agent",
    about:
      "Asks the running agent, on its own machine only. The database's cluster agrees first; then -on-leave runs, a supervised database is stopped, and the agent ends with 0. Started again with its data the node joins anew.",
    examples: [`rollcall leave -disco-key=prod/orders -confirm=prod/orders`],
  },
  {
    name: "genesis show",
    summary: "prints the genesis record",
    about: "The record says whether a cluster exists under the key, and who created it.",
    examples: [`rollcall genesis show ${CONSUL}`],
  },
  {
    name: "genesis init",
    summary: "creates the genesis record, so that voters may create the cluster",
    about:
      "Needed once with -genesis=strict. Writes where there is no record; of one that is unborn it changes -bootstrap-expect.",
    examples: [`rollcall genesis init ${CONSUL} -bootstrap-expect=3 -confirm=prod/orders`],
  },
  {
    name: "genesis adopt",
    summary: "brings a running cluster under rollcall, without a restart",
    about:
      "With the flags of one of the agents beside its nodes: asks the database for the cluster's members and seals the genesis with them. The agents, which refuse until then because their databases have data, take it at once.",
    examples: [`rollcall genesis adopt ${CONSUL} -db=rqlite -db-addr=127.0.0.1:4001 -confirm=prod/orders`],
  },
  {
    name: "genesis restore",
    summary: "writes this node's marker back into a store that lost the record",
    about:
      "Takes the marker from -data-dir. Never replaces the record of another cluster, nor one of a higher birth.",
    examples: [`rollcall genesis restore ${CONSUL} -data-dir=/var/lib/rollcall -confirm=prod/orders`],
  },
  {
    name: "genesis rebirth",
    summary: "gives up a cluster for good, so that its key may have a new one",
    about:
      "Every node of the old cluster must be wiped to join the new one. Needs the old genesis id, as `genesis show` prints it. The new cluster expects as many voters as the old one, unless -bootstrap-expect is given.",
    examples: [
      `rollcall genesis rebirth ${CONSUL} -genesis=0b5c4e1e-8d1f-4a57-9d5f-3f7c0a9b2f11 -confirm=prod/orders`,
    ],
  },
  {
    name: "genesis assume-lost",
    summary: "without a store: says that a voter is gone for good",
    about:
      "Only where `rollcall explain` names it: a set of founders may have been decided, and one of them does not vote any more. Asks the running agent, on its own machine only; run it beside every other one of them. Whoever is named must never come back with its -data-dir; who still answers is not taken.",
    examples: [
      "rollcall genesis assume-lost 6cef7de5-f515-4917-aeb9-f53f5b262096 -disco-key=prod/orders -confirm=prod/orders",
    ],
    argument: "incarnation",
  },
  ...COORDINATOR_COMMANDS,
  {
    name: "discovery",
    summary: "is the store of agents where there is no other: the Discovery Service",
    about:
      "Keeps for each id its members under leases and its records under check-and-set, and answers what rqlite's clients up to 6.10 ask its Discovery Service. What was answered is on disk. Agents use it with -disco-mode=disco.",
    examples: [
      "rollcall discovery",
      "rollcall discovery -http-addr=10.0.0.9:4300 -store=sqlite:/var/lib/rollcall-discovery.db -token-file=/etc/rollcall/token -tls-cert=/etc/rollcall/cert.pem -tls-key=/etc/rollcall/key.pem",
    ],
  },
  { name: "version", summary: "prints the version", about: "", examples: ["rollcall version"] },
  {
    name: "help",
    summary: "explains a command and its flags",
    about: "",
    examples: ["rollcall help agent", "rollcall agent -h"],
  },
];

/** The command of that name, or null. */
export function findCommand(name: string): Command | null {
  return COMMANDS.find((command) => command.name === name) ?? null;
}
