/** Real etcd servers: plain, with TLS, with users, and three together. Without fsync and with fast elections. */
import { randomUUID } from "node:crypto";
import { RollcallError } from "../../../src/lib/errors.ts";
import { type Certificates, makeCertificates } from "../certificates.ts";
import { type RequestOptions, request } from "../http.ts";
import { freePlace, loopbackAddress, type Place } from "../loopback.ts";
import { until } from "../wait.ts";
import { allOrNone, type Cluster, clusterOf } from "./cluster.ts";
import { programPath } from "./install.ts";
import { type Server, startServer } from "./server.ts";

/** The ports of an etcd server. */
export type EtcdPorts = "client" | "peer";

/** What kind of etcd to start. */
export type EtcdOptions = {
  /** HTTPS only for clients, with client certificates required. Peers talk plain. */
  readonly tls?: boolean;
  /** Users on: root, and one who may read and write below this prefix only. */
  readonly auth?: { readonly prefix: string };
  /** The loopback address to use instead of a fresh one; not for clusters. */
  readonly address?: string;
  /** More flags of etcd's own, after ours. */
  readonly args?: readonly string[];
};

/** A name and its password. */
export type Login = { readonly username: string; readonly password: string };

/** The users of an etcd: `user` may use `prefix` only. */
export type EtcdUsers = { readonly root: Login; readonly user: Login; readonly prefix: string };

/** An answer of the JSON gateway. Numbers are strings; zero and false are left out. */
export type EtcdReply = Readonly<Record<string, unknown>>;

/** One running etcd server. */
export type Etcd = Server<EtcdPorts> & {
  /** `http://127.1.2.3:40000`, with `https` on TLS. */
  readonly url: string;
  readonly tls: Certificates | null;
  readonly users: EtcdUsers | null;
  /**
   * One call of the JSON gateway, as `call("/v3/kv/put", { key: base64("a"), value: base64("1") })`, as root
   * or, with `as`, as another user; null is nobody. Throws code `etcd` with the status when it is not 200.
   */
  call(path: string, body?: object, as?: Login | null): Promise<EtcdReply>;
};

const PORT_NAMES = ["client", "peer"] as const;

/** Starts one etcd server and waits until it is healthy. Its data, users included, survives `restart()`. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const address = options.address ?? (await loopbackAddress());
  const own = await identity(options, [address]);
  const flags = (place: EtcdPlace) => [...membership([["etcd", place]]), ...(options.args ?? [])];
  return startOne(own, address, { name: "etcd", flags, makesUsers: true });
}

/**
 * Starts etcd servers that form one cluster. Users are made once: a cluster whose nodes are all wiped has
 * none any more, and a single wiped node cannot come back (etcd refuses it).
 */
export async function startEtcdCluster(size = 3, options: EtcdOptions = {}): Promise<Cluster<Etcd>> {
  const addresses = await Promise.all(Array.from({ length: size }, () => loopbackAddress()));
  const places = await Promise.all(addresses.map((address) => freePlace(address, PORT_NAMES)));
  const own = await identity(options, addresses);
  const named = places.map((place, i) => [`etcd-${i}`, place] as const);
  const token = `--initial-cluster-token=${randomUUID()}`;
  const flags = () => [...membership(named), token, ...(options.args ?? [])];
  const starting: Promise<Etcd>[] = [];
  for (const [name, place] of named) {
    const node = startOne(own, place, { name, flags, makesUsers: false });
    starting.push(node);
    await Promise.race([node.catch(() => null), answersPeers(place)]);
  }
  const nodes = await allOrNone(starting);
  const [first] = places;
  if (first !== undefined) await makeUsers(own, first);
  return clusterOf(nodes, leaderOf);
}

/** Text as the gateway wants keys and values. */
export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

type EtcdPlace = Place<EtcdPorts>;
type Identity = { readonly tls: Certificates | null; readonly users: EtcdUsers | null };
type Role = {
  readonly name: string;
  readonly flags: (place: EtcdPlace) => readonly string[];
  readonly makesUsers: boolean;
};

async function identity(options: EtcdOptions, addresses: readonly string[]): Promise<Identity> {
  const login = (username: string): Login => ({ username, password: randomUUID() });
  const { auth } = options;
  return {
    tls: options.tls === true ? await makeCertificates(addresses) : null,
    users: auth === undefined ? null : { root: login("root"), user: login("rollcall"), prefix: auth.prefix },
  };
}

async function startOne(own: Identity, where: EtcdPlace | string, role: Role): Promise<Etcd> {
  const program = await programPath("etcd");
  const server = await startServer<EtcdPorts>({
    name: role.name,
    where,
    portNames: PORT_NAMES,
    command: (place, dataDir) => ({
      program,
      args: [`--name=${role.name}`, `--data-dir=${dataDir}`, ...flagsFor(own, place), ...role.flags(place)],
    }),
    ready: (place) => isHealthy(own, place),
    ...(role.makesUsers ? { prepare: (place: EtcdPlace) => makeUsers(own, place) } : {}),
  });
  const rights = own.users?.root ?? null;
  return {
    ...server,
    ...own,
    url: clientUrl(own, server),
    call: (path, body = {}, as = rights) => callAs(own, server, as, { path, body }),
  };
}

function flagsFor(own: Identity, place: EtcdPlace): readonly string[] {
  const client = clientUrl(own, place);
  const { tls } = own;
  const security = [
    `--cert-file=${tls?.server.certFile}`,
    `--key-file=${tls?.server.keyFile}`,
    `--trusted-ca-file=${tls?.ca.certFile}`,
    "--client-cert-auth",
  ];
  return [
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peerUrl(place)}`,
    `--initial-advertise-peer-urls=${peerUrl(place)}`,
    "--log-level=error",
    "--unsafe-no-fsync",
    "--heartbeat-interval=50",
    "--election-timeout=250",
    ...(tls === null ? [] : security),
  ];
}

function membership(nodes: readonly (readonly [string, EtcdPlace])[]): readonly string[] {
  return [`--initial-cluster=${nodes.map(([name, place]) => `${name}=${peerUrl(place)}`).join(",")}`];
}

function clientUrl(own: Identity, place: EtcdPlace): string {
  return `${own.tls === null ? "http" : "https"}://${place.address}:${place.ports.client}`;
}

function peerUrl(place: EtcdPlace): string {
  return `http://${place.address}:${place.ports.peer}`;
}

// A question asked before there is a leader hangs for a second or two, even when one comes: ask anew instead.
async function isHealthy(own: Identity, place: EtcdPlace): Promise<boolean> {
  const reply = await send(own, place, "/health", { timeoutMs: 300 });
  return reply.status === 200 && /"health":\s*"true"/.test(reply.body);
}

// A starting node asks the others whether the cluster exists. One that listens and does not answer yet costs it
// a second: so each node starts when the one before it answers, which is long before the cluster is healthy.
async function answersPeers(place: EtcdPlace): Promise<void> {
  const answers = async () =>
    (await request(`${peerUrl(place)}/version`, { timeoutMs: 1_000 })).status === 200;
  await until(answers, { deadlineMs: 10_000, what: `etcd on ${place.address} to answer its peers` });
}

// Users first, then the switch: from `enable` on nobody without a name may do anything.
async function makeUsers(own: Identity, place: EtcdPlace): Promise<void> {
  if (own.users === null) return;
  const { root, user, prefix } = own.users;
  const role = user.username;
  const permission = { permType: "READWRITE", key: base64(prefix), range_end: afterPrefix(prefix) };
  const steps: readonly [string, object][] = [
    ["user/add", { name: root.username, password: root.password }],
    ["user/grant", { user: root.username, role: "root" }],
    ["user/add", { name: user.username, password: user.password }],
    ["role/add", { name: role }],
    ["role/grant", { name: role, perm: permission }],
    ["user/grant", { user: user.username, role }],
    ["enable", {}],
  ];
  for (const [path, body] of steps) await callAs(own, place, null, { path: `/v3/auth/${path}`, body });
}

// The first key after all that start with the prefix: its last byte, plus one. No prefix here ends in 0xff.
function afterPrefix(prefix: string): string {
  const bytes = Buffer.from(prefix);
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) + 1;
  return bytes.toString("base64");
}

async function callAs(
  own: Identity,
  place: EtcdPlace,
  as: Login | null,
  what: { readonly path: string; readonly body: object },
): Promise<EtcdReply> {
  const token = as === null ? null : await logIn(own, place, as);
  const headers = token === null ? {} : { Authorization: token };
  const sent = { method: "POST", headers, body: JSON.stringify(what.body) };
  const reply = await send(own, place, what.path, sent);
  if (reply.status === 200) return JSON.parse(reply.body) as EtcdReply;
  throw new RollcallError("etcd", `${what.path}: status ${reply.status}: ${reply.body.trim()}`, {
    facts: { status: reply.status },
  });
}

async function logIn(own: Identity, place: EtcdPlace, as: Login): Promise<string> {
  const body = { name: as.username, password: as.password };
  const { token } = await callAs(own, place, null, { path: "/v3/auth/authenticate", body });
  return String(token);
}

async function leaderOf(node: Etcd, nodes: readonly Etcd[]): Promise<Etcd | null> {
  const leader = (await memberStatus(node)).leader;
  const running = nodes.filter((other) => other.running());
  const ids = await Promise.all(running.map(async (other) => (await memberStatus(other)).id));
  return running[ids.indexOf(leader)] ?? null;
}

async function memberStatus(node: Etcd): Promise<{ id: unknown; leader: unknown }> {
  const status = await node.call("/v3/maintenance/status");
  const header = status.header as { member_id?: unknown };
  return { id: header.member_id, leader: status.leader };
}

function send(own: Identity, place: EtcdPlace, path: string, options: RequestOptions) {
  const { tls } = own;
  return request(`${clientUrl(own, place)}${path}`, {
    tls: tls === null ? null : { ca: tls.ca.cert, cert: tls.client.cert, key: tls.client.key },
    ...options,
  });
}
