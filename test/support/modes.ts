/**
 * The modes in which agents find each other, each with what it needs running: for benches and chaos, which form
 * cluster after cluster. Tests that look behind a store have `test/e2e/stores.ts`.
 */
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { register } from "./consul-services.ts";
import { startDiscoveryService } from "./discovery-services.ts";
import type { Spot } from "./loopback.ts";
import { startConsul } from "./servers/consul.ts";
import { startEtcd } from "./servers/etcd.ts";
import { startKnot } from "./servers/knot.ts";
import { removeTemp, tempDir } from "./temp.ts";

export const MODES = [
  ...(["static", "file", "http", "dns", "dns-srv", "consul-service"] as const),
  ...(["consul-kv", "etcd-kv", "disco"] as const),
] as const;
export type ModeName = (typeof MODES)[number];

/** One mode, ready for agents. */
export type Mode = {
  readonly name: ModeName;
  /** The flags of agents that listen at these places and are to find each other under a key. */
  flags(key: string, agents: readonly Spot[]): Promise<string[]>;
  /** Kills what agents agree through (-9) and starts it again after so long, with all that it kept; absent where nothing can be. */
  outage?(forMs: number): Promise<void>;
  /** Ends what runs for it. */
  end(): Promise<unknown>;
};

/** A list of agents needs nothing; the others what keeps one, a name server, a store or a Discovery Service, on this machine. */
export async function openMode(name: ModeName): Promise<Mode> {
  switch (name) {
    case "static":
      return {
        name,
        flags: async (key, agents) => [
          `-disco-key=${key}`,
          `-join=${agents.map(({ address, port }) => `${address}:${port}`).join()}`,
        ],
        end: async () => {},
      };
    case "file":
    case "http":
    case "consul-service":
      return openLists(name);
    case "dns":
    case "dns-srv":
      return openDns(name);
    case "consul-kv": {
      const consul = await startConsul();
      return openStore(name, { address: `${consul.address}:${consul.ports.http}` }, consul.stop);
    }
    case "etcd-kv": {
      const etcd = await startEtcd();
      return openStore(name, { endpoints: [`${etcd.address}:${etcd.ports.client}`] }, etcd.stop);
    }
    case "disco":
      return openDisco(name);
    default:
      return name satisfies never;
  }
}

function openStore(name: ModeName, config: Record<string, unknown>, end: Mode["end"]): Mode {
  const flags = [`-disco-mode=${name}`, `-disco-config=${JSON.stringify(config)}`];
  return { name, flags: async (key) => [...flags, `-disco-key=${key}`], end };
}

async function openDisco(name: ModeName): Promise<Mode> {
  const service = await startDiscoveryService(["-log-level=error"]);
  return {
    name,
    flags: async (key) => [
      "-disco-mode=disco",
      `-disco-url=${service.url}`,
      `-disco-id=${key}`,
      `-disco-key=${key}`,
    ],
    async outage(forMs) {
      await service.kill();
      await sleep(forMs);
      await service.restart();
    },
    end: service.stop,
  };
}

/** A list of its own for every cluster: a file, the answer of a URL, or a service in Consul's catalog. */
async function openLists(name: "file" | "http" | "consul-service"): Promise<Mode> {
  const { config, end } = await { file: openFiles, http: openUrls, "consul-service": openServices }[name]();
  let lists = 0;
  return {
    name,
    async flags(key, agents) {
      lists += 1;
      const told = JSON.stringify(await config(`r${lists}`, agents));
      return [`-disco-mode=${name}`, `-disco-key=${key}`, `-disco-config=${told}`];
    },
    end,
  };
}

type Lists = {
  /** Makes a list of that name, and gives the configuration that leads to it. */
  config(list: string, agents: readonly Spot[]): Promise<object>;
  end: Mode["end"];
};

const placeOf = ({ address, port }: Spot) => `${address}:${port}`;

async function openFiles(): Promise<Lists> {
  const dir = tempDir("lists");
  return {
    async config(list, agents) {
      const path = join(dir, `${list}.yaml`);
      writeFileSync(path, agents.map((agent) => `- ${placeOf(agent)}\n`).join(""));
      return { path };
    },
    end: async () => removeTemp(dir),
  };
}

async function openUrls(): Promise<Lists> {
  const lists = new Map<string, string>();
  const server = createServer((request, response) => {
    const list = lists.get(request.url ?? "");
    response.writeHead(list === undefined ? 404 : 200).end(list);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    async config(list, agents) {
      lists.set(`/${list}`, JSON.stringify([{ targets: agents.map(placeOf), labels: {} }]));
      return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${list}` };
    },
    end() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function openServices(): Promise<Lists> {
  const consul = await startConsul();
  return {
    async config(service, agents) {
      for (const agent of agents) await register(consul, { id: placeOf(agent), ...agent, service });
      return { address: placeOf({ address: consul.address, port: consul.ports.http }), service };
    },
    end: consul.stop,
  };
}

/** A name of its own for every cluster, so that no answer of the one before is taken for the next one's. */
async function openDns(name: "dns" | "dns-srv"): Promise<Mode> {
  const knot = await startKnot([]);
  let names = 0;
  return {
    name,
    async flags(key, agents) {
      names += 1;
      await knot.setRecords(recordsOf(name, `r${names}`, agents));
      const config = {
        name: `r${names}.test`,
        resolvers: [knot.endpoint],
        ...(name === "dns" ? { port: agents[0]?.port } : {}),
      };
      return [`-disco-mode=${name}`, `-disco-key=${key}`, `-disco-config=${JSON.stringify(config)}`];
    },
    end: knot.stop,
  };
}

/** Lines of a zone: addresses of one name, or services, each at a name of its own. */
export function recordsOf(kind: "dns" | "dns-srv", name: string, places: readonly Spot[]): readonly string[] {
  if (kind === "dns") return places.map(({ address }) => `${name} 60 A ${address}`);
  return places.flatMap(({ address, port }, i) => [
    `n${i}.${name} 60 A ${address}`,
    `_rqlite._tcp.${name} 60 SRV 0 0 ${port} n${i}.${name}`,
  ]);
}
