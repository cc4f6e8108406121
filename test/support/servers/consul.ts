/** Real Consul servers: in memory (`-dev`) by default, on disk, with TLS, with ACLs, and three together. */
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RollcallError } from "../../../src/lib/errors.ts";
import { type Certificates, makeCertificates } from "../certificates.ts";
import { type Reply, type RequestOptions, request } from "../http.ts";
import { freePlace, loopbackAddress, type Place } from "../loopback.ts";
import { tempDir } from "../temp.ts";
import { until } from "../wait.ts";
import { allOrNone, type Cluster, clusterOf } from "./cluster.ts";
import { programPath } from "./install.ts";
import { type Server, startServer } from "./server.ts";

/** The ports of a Consul server. `http` speaks HTTPS when TLS is asked for. */
export type ConsulPorts = "http" | "dns" | "server" | "serf_lan";

/** What kind of Consul to start. */
export type ConsulOptions = {
  /** Keep the data on disk, so that it survives `restart()`. Takes 2 s to start instead of half a second. */
  readonly disk?: boolean;
  /** The shortest session TTL it accepts, as `1s`: for faster tests. The real default is 10 s. */
  readonly sessionTtlMin?: string;
  /** HTTPS only, with client certificates required. */
  readonly tls?: boolean;
  /** ACLs on, with deny as the default. */
  readonly acl?: boolean;
  /** The loopback address to use instead of a fresh one. */
  readonly address?: string;
  /** More of Consul's own configuration, laid over ours. */
  readonly config?: Readonly<Record<string, unknown>>;
};

/** A request to Consul: `token` replaces the master token, null sends none. */
export type ConsulRequest = RequestOptions & { readonly token?: string | null };

/** One running Consul server. */
export type Consul = Server<ConsulPorts> & {
  /** `http://127.1.2.3:40000`, with `https` on TLS. */
  readonly url: string;
  readonly tls: Certificates | null;
  readonly masterToken: string | null;
  /** Sends a request, as `request("/v1/kv/a?cas=0", { method: "PUT", body: "x" })`, with all rights. */
  request(path: string, options?: ConsulRequest): Promise<Reply>;
  /** Makes a token that has the rules' rights only, as `key_prefix "rollcall/" { policy = "write" }`. */
  policyToken(rules: string): Promise<string>;
};

const PORT_NAMES = ["http", "dns", "server", "serf_lan"] as const;

/**
 * Starts one Consul server and waits until it takes writes. One without `disk` forgets everything at a
 * restart, which therefore has to say `wipe: true`.
 */
export async function startConsul(options: ConsulOptions = {}): Promise<Consul> {
  const address = options.address ?? (await loopbackAddress());
  return startOne(options, await identity(options, [address]), address, {
    name: "consul",
    joins: [],
    expect: 1,
  });
}

/** Starts Consul servers that form one cluster; on disk. All take requests; writes go to the leader. */
export async function startConsulCluster(size = 3, options: ConsulOptions = {}): Promise<Cluster<Consul>> {
  const addresses = await Promise.all(Array.from({ length: size }, () => loopbackAddress()));
  const places = await Promise.all(addresses.map((address) => freePlace(address, PORT_NAMES)));
  const own = await identity(options, addresses);
  const joins = places.map((place) => `${place.address}:${place.ports.serf_lan}`);
  const started = places.map((place, i) =>
    startOne({ ...options, disk: true }, own, place, { name: `consul-${i}`, joins, expect: size }),
  );
  return clusterOf(await allOrNone(started), leaderOf);
}

type Identity = { readonly tls: Certificates | null; readonly masterToken: string | null };
type Membership = { readonly name: string; readonly joins: readonly string[]; readonly expect: number };
type ConsulPlace = Place<ConsulPorts>;

async function identity(options: ConsulOptions, addresses: readonly string[]): Promise<Identity> {
  const names = ["server.dc1.consul", ...addresses];
  return {
    tls: options.tls === true ? await makeCertificates(names) : null,
    masterToken: options.acl === true ? randomUUID() : null,
  };
}

async function startOne(
  options: ConsulOptions,
  own: Identity,
  where: ConsulPlace | string,
  membership: Membership,
): Promise<Consul> {
  const program = await programPath("consul");
  const settings = join(tempDir("consul-config"), "config.json");
  const server = await startServer<ConsulPorts>({
    name: membership.name,
    where,
    portNames: PORT_NAMES,
    async command(place, dataDir) {
      await writeFile(settings, JSON.stringify(configuration(options, own, place, membership)));
      const kind = options.disk === true ? ["-server", `-data-dir=${dataDir}`] : ["-dev"];
      return { program, args: ["agent", ...kind, `-config-file=${settings}`] };
    },
    ready: (place) => takesWrites(own, place),
  });
  const restart: Consul["restart"] = async (how = {}) => {
    if (options.disk !== true && how.wipe !== true) {
      throw new RollcallError(
        "test_misuse",
        "restart consul: -dev forgets everything; say disk: true or wipe: true",
      );
    }
    await server.restart(how);
  };
  return consulOf({ ...server, restart }, own);
}

function consulOf(server: Server<ConsulPorts>, own: Identity): Consul {
  const url = urlOf(own, server);
  const ask: Consul["request"] = (path, options = {}) => send(own, server, path, options);
  return {
    ...server,
    ...own,
    url,
    request: ask,
    async policyToken(rules) {
      const name = `test-${randomUUID()}`;
      await made(() =>
        ask("/v1/acl/policy", { method: "PUT", body: JSON.stringify({ Name: name, Rules: rules }) }),
      );
      const policies = { Policies: [{ Name: name }] };
      const token = await made(() => ask("/v1/acl/token", { method: "PUT", body: JSON.stringify(policies) }));
      return (JSON.parse(token.body) as { SecretID: string }).SecretID;
    },
  };
}

// Right after its start a Consul with ACLs is still "in legacy mode" and refuses its own token interface.
function made(ask: () => Promise<Reply>): Promise<Reply> {
  return until(
    async () => {
      const reply = await ask();
      if (reply.status === 200) return reply;
      throw new RollcallError("test_setup", `status ${reply.status}: ${reply.body}`);
    },
    { deadlineMs: 5_000, what: "Consul to make a policy or token", everyMs: 20 },
  );
}

function configuration(
  options: ConsulOptions,
  own: Identity,
  place: ConsulPlace,
  membership: Membership,
): object {
  const { http, ...ports } = place.ports;
  const { tls, masterToken } = own;
  const web = tls === null ? { http, https: -1 } : { http: -1, https: http };
  return {
    node_name: membership.name,
    bind_addr: place.address,
    client_addr: place.address,
    ports: { ...ports, ...web, serf_wan: -1, grpc: -1 },
    disable_update_check: true,
    log_level: "warn",
    performance: { raft_multiplier: 1 },
    ...(options.disk === true ? { bootstrap_expect: membership.expect } : {}),
    ...(membership.joins.length > 0 ? { retry_join: membership.joins, retry_interval: "200ms" } : {}),
    ...(options.sessionTtlMin === undefined ? {} : { session_ttl_min: options.sessionTtlMin }),
    ...(tls === null
      ? {}
      : {
          ca_file: tls.ca.certFile,
          cert_file: tls.server.certFile,
          key_file: tls.server.keyFile,
          verify_incoming_https: true,
        }),
    // `master` is the name in 1.8; from 1.11 on it is `initial_management`, and the old name is still read.
    ...(masterToken === null
      ? {}
      : {
          acl: {
            enabled: true,
            default_policy: "deny",
            tokens: { master: masterToken, agent: masterToken },
          },
        }),
    ...options.config,
  };
}

// A known leader is too early a sign: only a write that went through says that writes work.
async function takesWrites(own: Identity, place: ConsulPlace): Promise<boolean> {
  const key = "/v1/kv/rollcall-test-ready";
  const put = await send(own, place, key, { method: "PUT", body: "", timeoutMs: 2_000 });
  if (put.status !== 200 || put.body.trim() !== "true") return false;
  return (await send(own, place, key, { method: "DELETE", timeoutMs: 2_000 })).status === 200;
}

async function leaderOf(node: Consul, nodes: readonly Consul[]): Promise<Consul | null> {
  const reply = await node.request("/v1/status/leader", { timeoutMs: 1_000 });
  return nodes.find((other) => reply.body === `"${other.address}:${other.ports.server}"`) ?? null;
}

function urlOf(own: Identity, place: ConsulPlace): string {
  return `${own.tls === null ? "http" : "https"}://${place.address}:${place.ports.http}`;
}

function send(own: Identity, place: ConsulPlace, path: string, options: ConsulRequest): Promise<Reply> {
  const { token = own.masterToken, headers, ...rest } = options;
  const { tls } = own;
  return request(`${urlOf(own, place)}${path}`, {
    tls: tls === null ? null : { ca: tls.ca.cert, cert: tls.client.cert, key: tls.client.key },
    ...rest,
    headers: { ...headers, ...(token === null ? {} : { "X-Consul-Token": token }) },
  });
}
