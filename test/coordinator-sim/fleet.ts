/** The agents of some clusters, as they truly are: who runs where, in which state, and what each has been through. */
import type { Shard } from "../../src/core/node-report.ts";
import type { Seen, SeenTransition } from "../../src/core/observation.ts";
import type { Chance } from "../sim/chance.ts";

/** What an agent says instead of the truth. */
export type Lie = "wrong cluster" | "wrong node" | "another genesis" | "goes back" | "unchanged since never";

export type SimAgent = {
  readonly cluster: SimCluster;
  readonly node_id: string;
  incarnation: string;
  /** All that it had, the newest last. */
  incarnations: string[];
  boot_id: string;
  seq: number;
  address: string;
  status: Seen["report"]["status"];
  role: Seen["report"]["role"];
  version: string;
  ring: SeenTransition[];
  lie: Lie | null;
  /** `silent`: takes what is sent, and answers nothing. `refuses`: is not there. */
  reach: "answers" | "slow" | "silent" | "refuses";
  /** The inventories list it. */
  listed: boolean;
  /** Answers that it gave before, the newest last; a late one may be among them. */
  said: Seen[];
};

export type SimCluster = {
  readonly id: string;
  readonly genesis_id: string;
  readonly agents: SimAgent[];
  leader: string | null;
  term: number;
};

/** Kept of what an agent said. */
const MOST_SAID = 12;
const MOST_RING = 64;

export function openFleet(chance: Chance) {
  const clusters: SimCluster[] = [];
  /** When each boot was, by its id: later ones are greater. */
  const boots = new Map<string, number>();
  let addresses = 0;
  let nodes = 0;

  const boot = (): string => {
    const id = `boot-${boots.size + 1}-${chance.uuid().slice(0, 4)}`;
    boots.set(id, boots.size);
    return id;
  };
  const freshAddress = () => `10.0.${Math.floor(++addresses / 200)}.${1 + (addresses % 200)}:4100`;

  function add(cluster: SimCluster): SimAgent {
    const incarnation = chance.uuid();
    const agent: SimAgent = {
      ...{
        cluster,
        node_id: `n${++nodes}`,
        incarnation,
        incarnations: [incarnation],
        boot_id: boot(),
        seq: 1,
      },
      ...{ address: freshAddress(), status: "healthy", role: "replica", version: "8.26.8", ring: [] },
      ...{ lie: null, reach: "answers", listed: true, said: [] },
    };
    cluster.agents.push(agent);
    for (const other of cluster.agents) touch(other);
    return agent;
  }

  /** Something else of its state is another: a transition that nobody has an event for. */
  function touch(agent: SimAgent): void {
    turn(agent, "peers", null);
  }

  function turn(agent: SimAgent, kind: string, after: unknown): void {
    agent.seq += 1;
    agent.ring = [...agent.ring, { seq: agent.seq, kind, before: null, after }].slice(-MOST_RING);
  }

  function become(agent: SimAgent, next: Partial<Pick<SimAgent, "status" | "role" | "version">>): void {
    for (const [kind, after] of Object.entries(next)) {
      if (agent[kind as keyof SimAgent] === after) continue;
      Object.assign(agent, { [kind]: after });
      turn(agent, kind, after);
    }
  }

  return {
    clusters,
    boots,
    touch,
    become,
    add,
    grow(id: string, count: number): SimCluster {
      const cluster: SimCluster = { id, genesis_id: `genesis-${id}`, agents: [], leader: null, term: 1 };
      clusters.push(cluster);
      for (let left = count; left > 0; left--) add(cluster);
      lead(cluster, cluster.agents[0] ?? null);
      return cluster;
    },
    lead,
    /** The process begins anew; `disk`: with an empty one. It leads no more. */
    restart(agent: SimAgent, disk: "kept" | "replaced", place: "same" | "another"): void {
      if (agent.cluster.leader === agent.node_id) lead(agent.cluster, null);
      agent.boot_id = boot();
      agent.seq = 1;
      agent.ring = [];
      if (disk === "replaced") {
        agent.incarnation = chance.uuid();
        agent.incarnations.push(agent.incarnation);
      }
      if (place === "another") agent.address = freshAddress();
    },
    agents: () => clusters.flatMap((cluster) => cluster.agents),
    at: (address: string) =>
      clusters.flatMap((cluster) => cluster.agents).find((agent) => agent.address === address) ?? null,
    /** What it would say now; keeps it among what it said. */
    speak(agent: SimAgent, shards: boolean): Seen {
      const seen = stateOf(agent, shards ? shardsOf(agent, chance) : null);
      agent.said = [...agent.said, seen].slice(-MOST_SAID);
      return seen;
    },
    shards: (agent: SimAgent) => shardsOf(agent, chance),
  };

  function lead(cluster: SimCluster, leader: SimAgent | null): void {
    cluster.leader = leader?.node_id ?? null;
    cluster.term += 1;
    for (const agent of cluster.agents) {
      become(agent, { role: agent === leader ? "leader" : "replica" });
      touch(agent);
    }
  }
}
export type Fleet = ReturnType<typeof openFleet>;

/** The truth of one agent. */
export function stateOf(agent: SimAgent, shards: readonly Shard[] | null): Seen {
  const { cluster, node_id, incarnation, boot_id, seq, status, role, version, ring } = agent;
  const leader = cluster.agents.find((one) => one.node_id === cluster.leader);
  return {
    kind: "state",
    ...{ boot_id, seq, key: cluster.id, node_id, incarnation, version: "0.1.0", voter: true },
    ...{ api_addr: clientOf(agent), addr: peerOf(agent), genesis_id: cluster.genesis_id },
    report: {
      ...{ kind: "rqlite", version, status, role, term: cluster.term },
      problem: status === "healthy" ? null : "not well",
      leader: leader === undefined ? null : memberOf(leader),
      members: cluster.agents.map(memberOf),
    },
    peers: cluster.agents.map((one) => one.node_id),
    transitions: ring,
    shards,
  };
}

function shardsOf({ cluster, role }: SimAgent, chance: Chance): Shard[] {
  const gauge = (value: number) => ({ unit: "entries", value });
  return [
    {
      id: cluster.id,
      role: role === "leader" ? "primary" : "secondary",
      commit_offset: gauge(chance.whole(1, 1_000)),
      lag: gauge(chance.whole(0, 5)),
    },
  ];
}

function memberOf(agent: SimAgent) {
  return {
    ...{ id: agent.node_id, addr: peerOf(agent), api_addr: clientOf(agent) },
    ...{ voter: true, reachable: true },
  };
}

const clientOf = ({ address }: SimAgent) => address.replace(/\d+$/, "4001");
const peerOf = ({ address }: SimAgent) => address.replace(/\d+$/, "4002");
