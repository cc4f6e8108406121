/** Where the demo's agents meet: an embedded Discovery Service, or a real Consul or etcd as a child process. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { decode, GenesisRecord } from "../../src/core/model.ts";
import { openDurable } from "../../src/discovery-service/durable.ts";
import { serve } from "../../src/discovery-service/serve.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import type { Children } from "./children.ts";
import type { Ports } from "./ports.ts";
import type { Wait } from "./wait.ts";

export const STORES = ["embedded", "consul-kv", "etcd-kv"] as const;
export type StoreKind = (typeof STORES)[number];

/** The agents' key. */
export const KEY = "demo";

/** A running store. */
export type Store = {
  /** What it is and where, to follow "is". */
  readonly what: string;
  /** The flags by which an agent finds it. */
  readonly flags: readonly string[];
  /** The genesis record, as it is stored. */
  record(): Promise<GenesisRecord>;
  close(): Promise<void>;
};

/** What a store is started with. */
export type StoreDeps = {
  readonly children: Children;
  readonly ports: Ports;
  readonly dir: string;
  readonly wait: Wait;
  readonly clock: Clock;
  readonly uuid: () => string;
};

/** The path of the store's program, or null for the embedded one. Throws `usage` when it is not installed. */
export function programOf(kind: StoreKind, env: NodeJS.ProcessEnv): string | null {
  if (kind === "embedded") return null;
  const name = kind.replace("-kv", "");
  const variable = `${name.toUpperCase()}_BIN`;
  const chosen = env[variable];
  const places = chosen ? [chosen] : (env.PATH ?? "").split(delimiter).map((folder) => join(folder, name));
  const found = places.find(isProgram);
  if (found !== undefined) return found;
  const problem = chosen ? `$${variable} is ${chosen}, which is no program` : `there is no ${name} on PATH`;
  throw new RollcallError(
    "usage",
    `-disco ${kind}: ${problem}; install ${name} or give its path in $${variable}`,
  );
}

/** Starts the store, and waits until it takes writes. */
export async function openStore(kind: StoreKind, program: string | null, deps: StoreDeps): Promise<Store> {
  if (program === null) return embedded(deps);
  return kind === "consul-kv" ? consul(program, deps) : etcd(program, deps);
}

async function embedded({ clock, uuid, ports, dir }: StoreDeps): Promise<Store> {
  const log = { error() {}, info() {} };
  const contents = await openDurable(join(dir, "register.db"), { clock, log, uuid });
  const options = { host: "127.0.0.1", port: ports(0), token: null, contents };
  const service = await serve(options, { clock, log, uuid });
  return {
    what: `an embedded Discovery Service at 127.0.0.1:${service.port}, in a SQLite file`,
    flags: ["-disco-mode", "disco", "-disco-url", service.url, "-disco-id", KEY],
    record: async () => parse(await text(`${service.url}/${KEY}/registers/genesis`)),
    async close() {
      await service.close();
      contents.close();
    },
  };
}

async function consul(program: string, { children, ports, wait }: StoreDeps): Promise<Store> {
  const address = `127.0.0.1:${ports(0)}`;
  const flags = {
    bind: "127.0.0.1",
    client: "127.0.0.1",
    "http-port": ports(0),
    "server-port": ports(8),
    "serf-lan-port": ports(9),
    "serf-wan-port": -1,
    "dns-port": -1,
    "grpc-port": -1,
    "log-level": "warn",
  };
  const args = Object.entries(flags).map(([name, value]) => `-${name}=${value}`);
  const child = children.start("consul", program, ["agent", "-dev", ...args]);
  const put = { method: "PUT", body: "" };
  await wait.for("Consul to take writes", async () =>
    (await text(`http://${address}/v1/kv/ready`, put)).trim() === "true" ? true : null,
  );
  return {
    what: `a Consul server of its own at ${address}, in memory`,
    flags: ["-disco-mode", "consul-kv", "-disco-key", KEY, "-disco-config", JSON.stringify({ address })],
    record: async () => parse(await text(`http://${address}/v1/kv/${KEY}/genesis?raw`)),
    close: () => child.end("SIGTERM"),
  };
}

async function etcd(program: string, { children, ports, dir, wait }: StoreDeps): Promise<Store> {
  const address = `127.0.0.1:${ports(0)}`;
  const peer = `http://127.0.0.1:${ports(8)}`;
  const flags = {
    name: KEY,
    "data-dir": join(dir, "etcd"),
    "listen-client-urls": `http://${address}`,
    "advertise-client-urls": `http://${address}`,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": `${KEY}=${peer}`,
    "log-level": "error",
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const child = children.start("etcd", program, args);
  await wait.for("etcd to be healthy", async () =>
    /"health":\s*"true"/.test(await text(`http://${address}/health`)) ? true : null,
  );
  const key = Buffer.from(`/${KEY}/genesis`).toString("base64");
  const range = { method: "POST", body: JSON.stringify({ key }) };
  return {
    what: `an etcd server of its own at ${address}`,
    flags: [
      "-disco-mode",
      "etcd-kv",
      "-disco-key",
      KEY,
      "-disco-config",
      JSON.stringify({ endpoints: [address] }),
    ],
    async record() {
      const { kvs } = JSON.parse(await text(`http://${address}/v3/kv/range`, range));
      return parse(Buffer.from(kvs[0].value, "base64").toString());
    },
    close: () => child.end("SIGTERM"),
  };
}

async function text(url: string, init?: RequestInit): Promise<string> {
  const answer = await fetch(url, init ?? {});
  if (!answer.ok) throw new RollcallError("store", `${url}: status ${answer.status}`);
  return answer.text();
}

function parse(record: string): GenesisRecord {
  const decoded = decode(GenesisRecord, record);
  if (decoded.ok) return decoded.value;
  throw new RollcallError("bad_record", `the genesis record ${decoded.problem}`);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return file.includes("/");
  } catch {
    return false;
  }
}
