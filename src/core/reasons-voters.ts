/** The words of `explain` where the agents agree among themselves: what is missing for a decision, and what resolves it. */
import { formatAddress, parseAddress } from "./address.ts";
import type { VotersWait } from "./genesis-state.ts";
import { ANOTHER_KEY, type Known, lostVoters, type Told, votesWords } from "./reasons-lost.ts";

/** How the peers are being found where no store lists them. */
export type Discovery = {
  readonly mode: string;
  /** Addresses of the last answer; null: there was none yet. */
  readonly found: readonly string[] | null;
  /** Why there is no answer, or why it is not whole. */
  readonly problems: readonly { readonly code: string; readonly text: string }[];
  /** One of the addresses turned out to be this agent. */
  readonly foundSelf: boolean;
  /** This agent's own address, as others have it. */
  readonly ownAddress: string;
  /** Addresses, found or heard of from others, that did not answer as agents, and what went wrong. */
  readonly silent: readonly { readonly address: string; readonly problem: string }[];
  /** Agents that answer this one and do not know it as reachable themselves. */
  readonly blind: readonly string[];
  /** Agents that answer, and are not among the addresses found. */
  readonly unlisted: readonly string[];
  /** Agents that answer, and whom an operator has said to them is gone for good. */
  readonly told: readonly Told[];
  /** Agents that called this one a moment ago with another key. */
  readonly callers: readonly { readonly id: string; readonly key: string; readonly address: string }[];
  /** Where this node's database is, and the flag that says so. */
  readonly databases: readonly { readonly address: string; readonly flag: string }[];
};

/** Why a node without a store waits. */
export function votersWait(
  known: Known,
  wait: VotersWait,
): { readonly code: string; readonly summary: string; readonly unblock: readonly string[] } {
  const { nodeId, expect } = known.rules;
  switch (wait.on) {
    case "duplicate_node_id":
      return {
        code: "duplicate_node_id",
        summary: `Another live agent at ${wait.by} uses the node id ${nodeId}; neither is counted, and neither joins.`,
        unblock: ["Give one of the two another -node-id (and its own -data-dir)."],
      };
    case "expect_differs":
      return {
        code: "expect_differs",
        summary: `This node was started with -bootstrap-expect ${expect}, but ${listed(wait.others.map((o) => `${o.id} with ${o.expect}`))}; nobody proposes.`,
        unblock: ["Give every voter the same -bootstrap-expect."],
      };
    case "too_many_voters":
      return {
        code: "too_many_voters",
        summary: `${wait.voters} voters answer, and with -bootstrap-expect ${expect} two sets of them could each make a cluster; nothing is created.`,
        unblock: [
          `Give every voter -bootstrap-expect ${wait.safe}.`,
          `Or start fewer than ${2 * expect} voters first; the others join once the cluster is there.`,
        ],
      };
    case "not_alone":
      return {
        code: "not_alone",
        summary:
          "With -bootstrap-expect 1 a node creates the cluster alone, but the list of agents is not this node alone.",
        unblock: [
          "To run a single node: `-join self`.",
          "Otherwise give every voter the number of voters as -bootstrap-expect.",
        ],
      };
    case "votes":
      return { code: "votes", ...votesWords(known, wait) };
    case "lost_voters":
      return { code: "lost_voters", ...lostVoters(known, wait) };
    case "founders":
      return {
        code: "founders",
        summary: `The founders are decided: ${listed(wait.founders.map((m) => m.id))}. This node joins once one of them has opened.`,
        unblock: [
          "Nothing to do; or look at what they wait for: `rollcall explain` beside each.",
          "Where theirs names `rollcall genesis assume-lost`, run it here as well.",
        ],
      };
    case "owner":
      return {
        code: "owner",
        summary: `${wait.owner.id} creates the cluster (genesis ${wait.genesisId}); this node joins once it has opened.`,
        unblock: [
          `Nothing to do while ${wait.owner.id} runs.`,
          `If ${wait.owner.id} lost its disk before it opened: ${ANOTHER_KEY}`,
        ],
      };
    default:
      return wait satisfies never;
  }
}

/** Why the peers are not found, or do not answer, most telling first. */
export function discoveryHints(discovery: Discovery, key: string): readonly string[] {
  const { mode, found, problems, foundSelf, silent, unlisted, ownAddress, callers } = discovery;
  const isDns = mode === "dns" || mode === "dns-srv";
  const own = discovery.databases.filter(({ address }) => found?.includes(address));
  const hints = problems.map(({ text }) => `${text}.`);
  if (problems.some(({ code }) => code === "dns_nxdomain" || code === "dns_no_data"))
    hints.push(
      "Give the full name: search domains are not applied. In Kubernetes the name is that of a headless service, and it needs publishNotReadyAddresses: true, or no pod is listed before it is ready.",
    );
  const help =
    isDns || mode === "consul-service"
      ? "set agent_port in -disco-config to the agents' port (4100 by default)"
      : AGENTS_ADDRESSES;
  for (const { address, flag } of own)
    hints.push(`${address} is this node's own database (${flag}), not an agent: ${help}.`);
  const isNameless = found !== null && found.length > 0 && !foundSelf && own.length === 0;
  if (isDns && isNameless)
    hints.push(
      `The answer does not name this agent (${ownAddress}): others find it only if it reaches them. A headless service needs publishNotReadyAddresses: true; otherwise look at the name, the records and the resolver's cache.`,
    );
  const isTold = !isDns && mode !== "static";
  if (isTold && isNameless)
    hints.push(
      `The list does not name this agent (${ownAddress}): others find it only if it reaches them. Add it, or look at -http-adv-addr.`,
    );
  if (mode !== "static" && found !== null && foundSelf && found.length === 1)
    hints.push(isTold ? "The list names this agent alone." : "The answer names this agent alone.");
  if (isDns && unlisted.length > 0)
    hints.push(
      `The answer leaves out ${listed(unlisted)}, known by other ways: nodes see different answers, as from a resolver's cache.`,
    );
  for (const { address, problem } of silent)
    if (!own.some((one) => one.address === address)) hints.push(silentText(address, problem, discovery));
  for (const { id, key: theirs, address } of callers)
    hints.push(
      `${id} at ${address} calls this agent with another -disco-key, ${theirs}: give both the same (this one has ${key}).`,
    );
  return [...hints, ...blindHints(discovery)];
}

/** What is wrong where nobody is waited for. */
export function settledHints(discovery: Discovery): readonly string[] {
  const lacks = discovery.problems.map(
    ({ text }) =>
      `Not all agents can be found: ${text}. What is known stays; the agent looks again by itself.`,
  );
  return [...lacks, ...blindHints(discovery)];
}

/** Who cannot reach this agent, and what to look at. */
function blindHints({ blind, ownAddress }: Discovery): readonly string[] {
  return blind.map(
    (id) =>
      `${id} answers this agent, but cannot reach it at ${ownAddress}: look at -http-adv-addr and at firewalls.`,
  );
}

const AGENTS_ADDRESSES = "give the agents' addresses (port 4100 by default)";

/** What is at this address, if not an agent. A database's in the place of an agent's is the likeliest mistake of all. */
function silentText(address: string, problem: string, { databases, ownAddress }: Discovery): string {
  const text = problem.includes(address) ? problem : `${address}: ${problem}`;
  if (/not a rollcall agent|not as a rollcall agent/.test(problem))
    return `${text}. Give the agents' addresses (port 4100 by default), not the databases'.`;
  if (/is a later rollcall/.test(problem)) return `${text}. Start the same version everywhere.`;
  if (/cluster secret/.test(problem))
    return `${text}. Give every agent the same -cluster-secret-file${problem.includes("another key") ? " and -disco-key" : ""}.`;
  if (/ refuses: /.test(problem)) return `${text}.`;
  const port = portOf(address);
  const database = databases.find((one) => portOf(one.address) === port && port !== portOf(ownAddress));
  return database === undefined
    ? `No agent answers: ${text}.`
    : `No agent answers: ${text}. Port ${port} is that of this node's database (${database.flag}): ${AGENTS_ADDRESSES}.`;
}

/** Where a database is, by its flags, as an agent's address there would be written; also at the host that others know this node by. */
export function databaseAddresses(
  flags: readonly (readonly [flag: string, given: string | null])[],
  ownAddress: string,
): Discovery["databases"] {
  const own = parseAddress(ownAddress);
  const found = new Map<string, string>();
  for (const [flag, given] of flags) {
    const at = parseAddress((given ?? "").replace(/^https?:\/\//i, "").replace(/\/.*$/, ""));
    if (!at.ok) continue;
    const { host, port } = at.value;
    for (const one of own.ok ? [host, own.value.host] : [host]) {
      const address = formatAddress({ host: one, port });
      if (address !== ownAddress && !found.has(address)) found.set(address, flag);
    }
  }
  return [...found].map(([address, flag]) => ({ address, flag }));
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

function listed(texts: readonly string[]): string {
  return texts.join(", ");
}
