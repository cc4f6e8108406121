/** The words of `explain` for clusters that were there before: made by a database itself, adopted, or dead. */
import { leaderId } from "./genesis-adoption.ts";
import type { Doubt, Gone, Refusal, Rules, State, Wait } from "./genesis-state.ts";

/** What is the matter, and then what resolves it, most likely first. */
type Text = [summary: string, ...unblock: string[]];

type ForeignWait = Extract<Wait, { on: "foreign_leader" }>;

export function foreignLeader(rules: Rules, { leader, answers, silentMs }: ForeignWait): Text {
  const { key, genesis, voter, expect } = rules;
  const id = leaderId(leader);
  const who = [id, leader.api_addr || leader.addr].filter((x, i, all) => x !== "" && all.indexOf(x) === i);
  const init = `rollcall genesis init -disco-key ${key} -bootstrap-expect ${voter ? expect : "N"}`;
  if (answers)
    return [
      `The cluster of ${who.join(" at ")} runs, and rollcall did not make it: this node joins it once the genesis record says so, which an agent with -genesis=${genesis} does not write.`,
      "Start an agent with -genesis=auto under this -disco-key.",
    ];
  const silence =
    silentMs === null
      ? "which an agent without -db cannot ask"
      : silentMs < 1_000
        ? "which does not answer"
        : `which has not answered for ${Math.floor(silentMs / 1_000)} s`;
  return [
    `A leader record that a database wrote itself names ${who.join(" at ")}, ${silence}. Nothing is created beside it.`,
    silentMs === null
      ? "If that cluster runs: give -db (and -db-config), so that the agent can ask it and join it."
      : "Start that database again: this node then joins its cluster by itself.",
    `If it is gone for good: run \`${init} -forget-leader ${quote(id)} -confirm ${key}\` with the agents' flags.`,
  ];
}

type GoneWait = Extract<Wait, { on: "members_gone" }>;

export function membersGone({ key }: Rules, { genesisId, gone }: GoneWait): Text {
  return [
    `Genesis ${genesisId} is sealed, and nobody who answers belongs to it: ${gone.map(goneText).join(", ")}. Nothing is created beside it.`,
    "Start them again, agents and databases, with the directories that they had: this node then joins by itself.",
    `If they are gone for good: run \`rollcall genesis rebirth -genesis ${genesisId} -disco-key ${key} -confirm ${key}\` with the agents' flags; blank nodes then form a new cluster.`,
  ];
}

function goneText({ id, address, wiped }: Gone): string {
  const where = address === "" ? id : `${id} at ${address}`;
  return wiped ? `${where} (back with an empty disk)` : where;
}

/** As a shell takes it. */
function quote(word: string): string {
  return /^[\w.:@%+=,/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

type Conflict = Extract<Refusal, { code: "genesis_conflict" }>;

const BEGIN_ANEW = "move its -data-dir and its database's directory away, start it again";

/** Two clusters were made under one key. */
export function genesisConflict(
  { key }: Rules,
  { kept }: State,
  { why, where, with: theirs }: Conflict,
  hasStore: boolean,
): { summary: string; unblock: string[] } {
  const decide = "Decide which one stays.";
  switch (why) {
    case "two_others":
      return {
        summary: `Two clusters were made under ${key}: ${where} belong to ${theirs}. This node belongs to neither, and joins none.`,
        unblock: [
          decide,
          `Stop each node of the other one, ${BEGIN_ANEW}: it joins the one that stays, and so does this node.`,
        ],
      };
    case "given_up":
      return {
        summary: `${where} belongs to genesis ${theirs}, with founders that this node was told are gone for good: those that are left may have made another cluster under ${key}. This node joins neither.`,
        unblock: [
          decide,
          `If that of ${where} stays: stop this node, ${BEGIN_ANEW}.`,
          `If not: stop ${where}, ${BEGIN_ANEW}.`,
        ],
      };
    default:
      return {
        summary: `This node belongs to genesis ${kept.marker?.genesis_id ?? ""}, but ${where} says ${theirs}: two clusters were made under ${key}.`,
        unblock: [
          decide,
          `To give this node to the other: stop it, ${BEGIN_ANEW}.`,
          hasStore
            ? "To keep both: see `rollcall genesis show`, and give the nodes of the one that the record does not name a -disco-key of their own, each with a new -data-dir; `rollcall genesis adopt` brings them in there."
            : `To keep this one: do so with ${where} and every other node of its cluster.`,
        ],
      };
  }
}

/** Why this node's data keep it closed. Only a store has the record that a running cluster is brought in by. */
export function foreignData(
  { key, nodeId }: Rules,
  { seen }: State,
  doubt: Doubt,
  hasStore: boolean,
): { summary: string; unblock: string[] } {
  const mayAdopt = !seen || seen.record.state === "unborn";
  const why = {
    silent: "but its database does not answer, so that nobody can tell whether it is a part of that cluster",
    not_listed: `but its database does not count ${nodeId} among its members`,
    other_cluster: "but its database is in another cluster",
  };
  const resolves = {
    silent: "Start this node's database: the agent asks it again by itself, where -db and -db-addr say.",
    not_listed: "If the database has another id for this node: give that as -node-id, with a new -data-dir.",
    other_cluster: "If both clusters are to stay: give this one a -disco-key of its own.",
  };
  const running = hasStore
    ? `If this is a node of a running cluster: run \`rollcall genesis adopt -disco-key ${key} -confirm ${key}\` with this agent's flags, once.`
    : "If this is a node of a running cluster: start its agents with -disco-mode consul-kv, etcd-kv or disco, where `rollcall genesis adopt` brings it in; without a store nothing does.";
  return {
    summary:
      doubt === null
        ? "The database's directory has data, but this node belongs to no genesis: it neither creates nor joins a cluster."
        : `A running cluster was adopted under ${key}, and this node's directory has data, ${why[doubt]}.`,
    unblock: [
      ...(doubt === null ? [] : [resolves[doubt]]),
      ...(mayAdopt ? [running] : []),
      "If the data may go: stop the agent, move the directory away, start again.",
      "If this is a node that lost only rollcall's files: put its -data-dir back.",
    ],
  };
}
