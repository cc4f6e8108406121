/** Both stores for one body of tests: how to start each, how agents are told of it, how to look and meddle behind them. */
import { afterAll, beforeAll } from "vitest";
import { decode, GenesisRecord } from "../../src/core/model.ts";
import { type Agent, type AgentOptions, startAgent } from "../support/agents.ts";
import {
  base64,
  type Consul,
  describeWith,
  type Etcd,
  startConsul,
  startEtcd,
} from "../support/servers/index.ts";

/** One running store, of either kind. */
export type Store = {
  readonly name: "Consul" | "etcd";
  readonly server: Consul | Etcd;
  /** Where agents connect. */
  readonly at: { readonly address: string; readonly port: number };
  /** The flags that lead to it, or to a proxy before it. */
  flags(key: string, at?: { readonly address: string; readonly port: number }): string[];
  /** The genesis record as it stands, or null. */
  genesis(key: string): Promise<GenesisRecord | null>;
  /** The leader key as text, or null. */
  leader(key: string): Promise<string | null>;
  /** Writes the leader key as a native node does: whatever is there. */
  putLeader(key: string, value: string): Promise<void>;
  /** Removes everything below a key, as a wipe does. */
  wipe(key: string): Promise<void>;
};

function consulStore(server: Consul): Store {
  const at = { address: server.address, port: server.ports.http };
  return {
    name: "Consul",
    server,
    at,
    flags: (key, { address, port } = at) => [
      "-disco-mode",
      "consul-kv",
      "-disco-config",
      JSON.stringify({ address: `${address}:${port}` }),
      "-disco-key",
      key,
    ],
    async genesis(key) {
      const reply = await server.request(`/v1/kv/${key}/genesis?raw&consistent`);
      return reply.status === 404 ? null : recordOf(reply.body);
    },
    async leader(key) {
      const reply = await server.request(`/v1/kv/${key}/leader?raw&consistent`);
      return reply.status === 404 ? null : reply.body;
    },
    async putLeader(key, value) {
      await server.request(`/v1/kv/${key}/leader`, { method: "PUT", body: value });
    },
    async wipe(key) {
      await server.request(`/v1/kv/${key}/?recurse`, { method: "DELETE" });
    },
  };
}

function etcdStore(server: Etcd): Store {
  const at = { address: server.address, port: server.ports.client };
  return {
    name: "etcd",
    server,
    at,
    flags: (key, { address, port } = at) => [
      "-disco-mode",
      "etcd-kv",
      "-disco-config",
      JSON.stringify({ endpoints: [`${address}:${port}`] }),
      "-disco-key",
      key,
    ],
    async genesis(key) {
      const text = await rowOf(server, `/${key}/genesis`);
      return text === null ? null : recordOf(text);
    },
    leader: (key) => rowOf(server, `/${key}/leader`),
    async putLeader(key, value) {
      await server.call("/v3/kv/put", { key: base64(`/${key}/leader`), value: base64(value) });
    },
    async wipe(key) {
      await server.call("/v3/kv/deleterange", { key: base64(`/${key}/`), range_end: base64(`/${key}0`) });
    },
  };
}

async function rowOf(server: Etcd, key: string): Promise<string | null> {
  const reply = (await server.call("/v3/kv/range", { key: base64(key) })) as { kvs?: { value: string }[] };
  const value = reply.kvs?.[0]?.value;
  return value === undefined ? null : Buffer.from(value, "base64").toString("utf8");
}

function recordOf(text: string): GenesisRecord {
  const decoded = decode(GenesisRecord, text);
  if (!decoded.ok) throw new Error(`the genesis record ${decoded.problem}: ${text}`);
  return decoded.value;
}

/** Runs a body of tests on a real Consul and on a real etcd. `store()` is there once the tests run. */
export function onBothStores(name: string, body: (store: () => Store) => void): void {
  describeWith("consul", `${name}, Consul`, () => {
    let store: Store | null = null;
    beforeAll(async () => {
      store = consulStore(await startConsul());
    });
    afterAll(async () => store?.server.stop());
    body(() => there(store));
  });
  describeWith("etcd", `${name}, etcd`, () => {
    let store: Store | null = null;
    beforeAll(async () => {
      store = etcdStore(await startEtcd());
    });
    afterAll(async () => store?.server.stop());
    body(() => there(store));
  });
}

function there(store: Store | null): Store {
  if (store === null) throw new Error("the store has not been started");
  return store;
}

let keys = 0;

/** A key no other test uses. */
export function freshKey(): string {
  keys += 1;
  return `e2e/${process.pid}-${keys}`;
}

/** Agents that end with the test that started them. */
export type Fleet = {
  /** Starts agents at once, named by `ids`. */
  start(ids: readonly string[], args: readonly string[], more?: Partial<AgentOptions>): Promise<Agent[]>;
  /** Starts one. */
  one(id: string, args: readonly string[], more?: Partial<AgentOptions>): Promise<Agent>;
  end(): Promise<void>;
};

export function openFleet(): Fleet {
  const agents: Agent[] = [];
  const one: Fleet["one"] = async (id, args, more = {}) => {
    const agent = await startAgent({ id, args, ...more });
    agents.push(agent);
    return agent;
  };
  return {
    one,
    start: (ids, args, more) => Promise.all(ids.map((id) => one(id, args, more))),
    async end() {
      await Promise.all(agents.splice(0).map((agent) => agent.kill()));
    },
  };
}

/** The one genesis id that all agents have settled on; throws when there are two. */
export async function oneGenesis(agents: readonly Agent[], deadlineMs?: number): Promise<string> {
  const outcomes = await Promise.all(agents.map((agent) => agent.settled(deadlineMs)));
  const ids = [...new Set(outcomes.map((outcome) => outcome.genesis_id))];
  if (ids.length !== 1)
    throw new Error(`two clusters: ${outcomes.map((o, i) => `${agents[i]?.id} ${o.genesis_id}`).join(", ")}`);
  return ids[0] ?? "";
}
