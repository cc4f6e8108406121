/** What a refresh decided on its way, for people who ask why: a code and a line for each. */
import type { Facts, Marks } from "./cluster.ts";
import type { Verdict } from "./identities.ts";
import type { Entry } from "./observe-node.ts";
import type { Decision } from "./report.ts";

/** Of every answer that does not count, and of every node that is another one or elsewhere than before. */
export function judgements(
  judged: ReadonlyMap<string, Verdict>,
  entries: ReadonlyMap<string, Entry>,
): Decision[] {
  return [...judged].flatMap(([address, verdict]) => {
    switch (verdict.kind) {
      case "down":
        return verdict.answered ? [{ code: verdict.code, message: verdict.problem, node: address }] : [];
      case "dropped":
        return [{ code: verdict.code, message: verdict.problem, node: address }];
      case "taken":
        return learnt(address, verdict, entries.get(address) ?? null);
      default:
        return verdict satisfies never;
    }
  });
}

function learnt(
  address: string,
  { base, identity }: Extract<Verdict, { kind: "taken" }>,
  there: Entry | null,
): Decision[] {
  const { node_id: node, incarnation } = identity;
  const known = base?.node.identity ?? null;
  const decisions: Decision[] = [];
  if (known === null)
    decisions.push({ code: "pinned", message: `${address} is incarnation ${incarnation}`, node });
  else if (known.node_id !== node || known.incarnation !== incarnation)
    decisions.push({
      code: "replaced",
      message: `was ${known.node_id}, incarnation ${known.incarnation}; is incarnation ${incarnation}`,
      node,
    });
  if (base !== null && base.node.agent_addr !== address)
    decisions.push({ code: "moved", message: `from ${base.node.agent_addr} to ${address}`, node });
  if (there !== null && there !== base && there.node.identity !== null)
    decisions.push({ code: "gave_way", message: `${address} was node ${there.node.identity.node_id}`, node });
  return decisions;
}

/** An address that was polled, and is not in the inventory any more. */
export function notListed(address: string): Decision {
  return { code: "not_listed", message: "the inventory does not list it", node: address };
}

/** Of the cluster as a whole: its genesis, and what waits for the next refresh. */
export function ofTheCluster(before: Facts | null, after: Facts, pending: Marks["pending"]): Decision[] {
  const decisions: Decision[] = [];
  const [was, is] = [before?.genesis_id ?? null, after.genesis_id];
  if (is !== null && was !== is)
    decisions.push({
      code: was === null ? "genesis_pinned" : "genesis_pinned_anew",
      message: was === null ? is : `${is}; every node holds it, and none ${was}`,
      node: null,
    });
  for (const name of Object.keys(pending).sort())
    decisions.push({ code: "seen_once", message: `${name} waits for the next refresh`, node: null });
  return decisions;
}
