/**
 * The modes in which agents find each other, each with what it needs running: for benches and chaos, which form
 * cluster after cluster. Tests that look behind a store have `test/e2e/stores.ts`.
 */
import { randomUUID } from "node:crypto";
import { serve } from "../../src/discovery-service/serve.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { Spot } from "./loopback.ts";
import { startConsul } from "./servers/consul.ts";
import { startEtcd } from "./servers/etcd.ts";
import { startKnot } from "./servers/knot.ts";

export const MODES = ["static", "dns", "dns-srv", "consul-kv", "etcd-kv", "disco"] as const;
export type ModeName = (typeof MODES)[number];

/** One mode, ready for agents. */
export type Mode = {
  readonly name: ModeName;
  /** The flags of agents that listen at these places and are to find each other under a key. */
  flags(key: string, agents: readonly Spot[]): Promise<string[]>;
  /** Ends what runs for it. */
  end(): Promise<unknown>;
};

/** A list of agents needs nothing; the others a name server, a store or a Discovery Service, on this machine. */
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
  const log = {
    error: (what: unknown) => process.stderr.write(`Discovery Service: ${JSON.stringify(what)}\n`),
  };
  const service = await serve(
    { host: "127.0.0.1", port: 0, token: null },
    { clock: systemClock, log, uuid: randomUUID },
  );
  return {
    name,
    flags: async (key) => [
      "-disco-mode=disco",
      `-disco-url=${service.url}`,
      `-disco-id=${key}`,
      `-disco-key=${key}`,
    ],
    end: service.close,
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
