/** Arbitrary clusters and observations. Few names, so that they meet. */
import * as fc from "fast-check";
import { AgentCode, type Facts, type NodeFacts } from "../../src/core/cluster.ts";
import { byText } from "../../src/core/equal.ts";
import type { InventoryNode } from "../../src/core/inventory.ts";
import { Role, StatusCode } from "../../src/core/node-report.ts";
import type { Observation } from "../../src/core/observation.ts";
import type { Refresh } from "../../src/core/observe.ts";
import { KEY, memberOf } from "./clusters.ts";

// An id may read as an address does.
const nodeId = fc.constantFrom("a", "b", "c", "b:4100", "d:4100");
const address = fc.constantFrom("a:4100", "b:4100", "c:4100", "d:4100", "e:4100");
const name = fc.constantFrom("x", "y", "z");
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const ids = fc.uniqueArray(nodeId).map((list) => list.sort(byText));
const role = fc.constantFrom(...Role.options);
const status = fc.constantFrom(...StatusCode.options);
const shardRole = fc.constantFrom("primary", "secondary", "recovering", "other" as const);

const shardFacts = fc
  .uniqueArray(fc.record({ id: fc.constantFrom("s", "s/t", "t"), role: shardRole }), {
    selector: (s) => s.id,
  })
  .map((shards) => shards.sort((a, b) => byText(a.id, b.id)));

const inventory: fc.Arbitrary<InventoryNode[]> = fc
  .uniqueArray(
    fc.record({
      agent_addr: address,
      secure: fc.boolean(),
      node_id: maybe(nodeId),
      incarnation: maybe(name),
    }),
    { selector: (node) => node.agent_addr },
  )
  .map((nodes) => nodes.sort((a, b) => byText(a.agent_addr, b.agent_addr)));

const agent = fc.oneof(
  fc.constant({ status: "up" as const, code: "ok" as const }),
  fc.constantFrom(...AgentCode.options.slice(1)).map((code) => ({ status: "down" as const, code })),
);

const report = fc.record({
  ...{ kind: fc.constantFrom("rqlite", "none"), version: maybe(name), status, role, voter: fc.boolean() },
  ...{ api_addr: address, addr: address, genesis_id: maybe(name) },
});

const known = fc.record({ incarnation: name, report, shards: shardFacts });

/** Valid facts: no address and no node id twice, and nothing is known of a node that is not identified. */
export const facts: fc.Arbitrary<Facts> = fc
  .record({
    cluster_id: fc.constant(KEY),
    ...{ display_name: maybe(name), discovery: name, inventory, genesis_id: maybe(name) },
    addresses: fc.uniqueArray(address),
    nodeIds: fc.array(maybe(nodeId), { minLength: 5, maxLength: 5 }),
    parts: fc.array(fc.tuple(agent, maybe(fc.record({ version: name, boot_id: name })), known), {
      ...{ minLength: 5, maxLength: 5 },
    }),
    conditions: fc.record({
      leader: maybe(fc.record({ node_id: nodeId })),
      ...{ primary_conflict: maybe(ids), conflict: maybe(ids) },
      primary_missing: maybe(fc.record({ last: maybe(nodeId) })),
      split: maybe(fc.dictionary(name, ids)),
      drift: maybe(fc.record({ inventory: ids, agents: ids, database: ids })),
      suspect: maybe(fc.record({ discovery: name, listed: fc.nat(9), found: fc.nat(9) })),
    }),
  })
  .map(({ addresses, nodeIds, parts, ...rest }) => ({ ...rest, nodes: nodesOf(addresses, nodeIds, parts) }));

type Part = [NodeFacts["agent"], NodeFacts["info"], typeof known extends fc.Arbitrary<infer T> ? T : never];

function nodesOf(
  addresses: readonly string[],
  nodeIds: readonly (string | null)[],
  parts: readonly Part[],
): NodeFacts[] {
  const nodes = addresses.flatMap((agent_addr, at): NodeFacts[] => {
    const [id, part] = [nodeIds[at] ?? null, parts[at]];
    if (part === undefined) return [];
    const [its, info, { incarnation, ...said }] = part;
    const bare = { agent_addr, agent: its, info };
    return id === null || nodeIds.indexOf(id) < at
      ? [{ ...bare, identity: null, report: null, shards: [] }]
      : [{ ...bare, identity: { node_id: id, incarnation }, ...said }];
  });
  return nodes.sort((a, b) => byText(a.agent_addr, b.agent_addr));
}

const shards = maybe(
  fc.array(
    fc.record({
      ...{ id: fc.constantFrom("s", "t"), role: shardRole, commit_offset: fc.constant(null) },
      lag: maybe(fc.record({ unit: fc.constant("entries"), value: fc.nat(3) })),
    }),
    { maxLength: 3 },
  ),
);

const seenReport = fc.record({
  ...{ kind: fc.constantFrom("rqlite", "none"), version: maybe(name), status, role, problem: maybe(name) },
  term: maybe(fc.nat(3)),
  leader: maybe(nodeId.map(memberOf)),
  members: maybe(ids.map((list) => list.map(memberOf))),
});

const transitions = fc.array(
  fc.record({
    seq: fc.nat(6),
    kind: fc.constantFrom("role", "status", "version", "members", "__proto__"),
    before: fc.constant(null),
    after: fc.oneof<fc.Arbitrary<unknown>[]>(role, status, fc.anything()),
  }),
  { maxLength: 8 },
);

const where = { agent_addr: address, at: fc.nat(9) };
const position = { boot_id: fc.constantFrom("b1", "b2", "b3"), seq: fc.nat(6) };

/** What an agent may say, true or not. */
export const observation: fc.Arbitrary<Observation> = fc.oneof(
  {
    arbitrary: fc.record({ ...where, kind: fc.constant("unchanged" as const), ...position, shards }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      ...{ ...where, kind: fc.constant("failed" as const), problem: name },
      code: fc.constantFrom("unreachable", "unauthorized", "not_allowed", "not_an_agent" as const),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      ...{ ...where, kind: fc.constant("state" as const), ...position, shards, transitions },
      key: fc.constantFrom(KEY, KEY, KEY, "other"),
      node_id: fc.oneof({ arbitrary: nodeId, weight: 9 }, { arbitrary: fc.string(), weight: 1 }),
      ...{ incarnation: name, version: name, voter: fc.boolean(), api_addr: address, addr: address },
      ...{ genesis_id: maybe(name), report: seenReport, peers: ids },
    }),
    weight: 4,
  },
);

export const refreshes: fc.Arbitrary<Refresh[]> = fc.array(
  fc.record({
    record: fc.record({
      ...{ cluster_id: fc.constant(KEY), display_name: maybe(name), nodes: inventory },
    }),
    ...{ discovery: name, suspect: fc.constant(null), conflict: ids },
    observations: fc.array(observation, { maxLength: 7 }),
  }),
  { minLength: 1, maxLength: 5 },
);
