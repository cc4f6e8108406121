/** What rqlited answers (8.x: https://rqlite.io/docs/guides/monitoring-rqlite/), and what it says about a node. Pure. */
import * as z from "zod";
import { decode } from "../core/model.ts";
import type { DatabaseMember, Gauge, Role } from "../core/node-report.ts";

/** `/nodes?ver=2`. A node that did not answer in time has no `api_addr`, and is never shown as the leader. */
const NodesAnswer = z.looseObject({
  nodes: z
    .array(
      z.looseObject({
        id: z.string(),
        addr: z.string().default(""),
        api_addr: z.string().default(""),
        voter: z.boolean().nullish(),
        reachable: z.boolean().nullish(),
        leader: z.boolean().default(false),
      }),
    )
    .nullish(),
});

/** Who is in the cluster, by id, and who of them leads; `leader` is null where nobody in reach does. */
export type Listed = { readonly members: readonly DatabaseMember[]; readonly leader: DatabaseMember | null };

/** Null: not an answer of rqlited's. */
export function readNodes(body: string): Listed | null {
  const decoded = decode(NodesAnswer, body);
  if (!decoded.ok) return null;
  const nodes = [...(decoded.value.nodes ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1));
  const members = nodes.map(({ id, addr, api_addr, voter, reachable }) => ({
    id,
    addr,
    api_addr,
    voter: voter ?? null,
    reachable: reachable ?? null,
  }));
  return { members, leader: members[nodes.findIndex((node) => node.leader)] ?? null };
}

const index = z.number().min(0).default(0);

/** The part of `/status` that is read. While the data are being opened, `raft` is not there. */
const StatusAnswer = z.looseObject({
  store: z.looseObject({
    node_id: z.string().default(""),
    leader: z
      .looseObject({ node_id: z.string().default(""), addr: z.string().default("") })
      .default({ node_id: "", addr: "" }),
    raft: z
      .looseObject({
        state: z.string(),
        term: index,
        last_log_index: index,
        last_snapshot_index: index,
        commit_index: index,
        applied_index: index,
        transport: z.looseObject({ leader_commit_index: index }).optional(),
      })
      .nullish(),
  }),
});

/** What only `/status` tells. */
export type Inside = {
  readonly nodeId: string;
  /** As its Raft was told by the leader itself; may be out of reach. */
  readonly leaderId: string | null;
  readonly leaderAddr: string;
  /** Of this node, in `term`; `unknown` while it follows nobody. */
  readonly role: Role;
  readonly term: number | null;
  /** No leader has ever written here: the cluster is being made. */
  readonly blank: boolean;
  readonly applied: Gauge | null;
  /** Behind what the leader has committed, as this node last heard of it. */
  readonly lag: Gauge | null;
};

/** Null: not an answer of rqlited's. */
export function readStatus(body: string): Inside | null {
  const decoded = decode(StatusAnswer, body);
  if (!decoded.ok) return null;
  const { node_id: nodeId, leader, raft } = decoded.value.store;
  const leaderId = leader.node_id === "" ? null : leader.node_id;
  const known = { nodeId, leaderId, leaderAddr: leader.addr };
  if (!raft) return { ...known, role: "unknown", term: null, blank: true, applied: null, lag: null };
  const leads = raft.state === "Leader" && leaderId === nodeId;
  const heard = raft.transport?.leader_commit_index ?? 0;
  const commit = leads ? raft.commit_index : heard;
  return {
    ...known,
    role: leads ? "leader" : leaderId !== null && leaderId !== nodeId ? "replica" : "unknown",
    term: raft.term,
    blank: Math.max(raft.last_log_index, raft.last_snapshot_index, raft.commit_index) <= 1,
    applied: { unit: "index", value: raft.applied_index },
    lag: commit === 0 ? null : { unit: "index", value: Math.max(0, commit - raft.applied_index) },
  };
}
