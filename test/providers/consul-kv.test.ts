import { mkdirSync, writeFileSync } from "node:fs";
import { createServer as overHttp, type RequestListener, type Server } from "node:http";
import { createServer as overHttps } from "node:https";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Config, open } from "../../providers/consul-kv.ts";
import type { Lookup, Provider } from "../../src/core/provider.ts";
import { contextFor, freshKey, member, patient, record } from "../contract/stage.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { startRecordingProxy } from "../support/recording-proxy.ts";
import { type Consul, describeWith, startConsul } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";

const signal = patient();
const base64 = (text: string) => Buffer.from(text).toString("base64");
const opened: Provider[] = [];
const servers: Server[] = [];

async function openWith(config: unknown, key = freshKey()): Promise<Provider> {
  const provider = await open(Config.parse(config), contextFor(key));
  opened.push(provider);
  return provider;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((provider) => provider.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** `key: what is wrong` of the first problem. */
function problemOf(config: unknown): string | undefined {
  const issue = Config.safeParse(config).error?.issues[0];
  return issue === undefined ? undefined : `${issue.path.join(".")}: ${issue.message}`;
}

describe("configuration of consul-kv", () => {
  it("has Consul's defaults", () => {
    const defaults = { address: { host: "127.0.0.1", port: 8500 }, scheme: "http", timeout: 5_000 };
    expect(Config.parse({})).toEqual(defaults);
    expect(Config.parse({ address: "", token: "" })).toMatchObject(defaults);
    expect(Config.parse({ address: "consul.internal" }).address).toEqual({
      host: "consul.internal",
      port: 8500,
    });
  });

  it("takes every key of rqlite's", () => {
    const given = {
      address: "[::1]:8501",
      scheme: "https",
      datacenter: "dc2",
      basic_auth: { username: "u", password: "p" },
      token: "t",
      token_file: "/run/token",
      namespace: "ns",
      partition: "part",
      tls_config: {
        address: "consul.internal:8501",
        ca_file: "ca.pem",
        ca_path: "/ca",
        ca_pem: base64("PEM"),
        cert_file: "cert.pem",
        key_pem: base64("KEY"),
        insecure_skip_verify: true,
      },
      timeout: 2_500_000_000,
    };
    const made = Config.parse(given);
    expect(made.address).toEqual({ host: "::1", port: 8501 });
    expect(made.tls_config?.address).toEqual({ host: "consul.internal", port: 8501 });
    expect(made.tls_config).toMatchObject({ ca_pem: "PEM", key_pem: "KEY" });
    expect(made.timeout).toBe(2_500);
    const other = { cert_pem: base64("CERT"), key_file: "key.pem" };
    expect(Config.parse({ tls_config: other }).tls_config).toMatchObject({ cert_pem: "CERT" });
  });

  it.each([
    [
      { address: "http://10.0.0.1:8500" },
      'address: "http://10.0.0.1:8500" must be host:port; "scheme" chooses https',
    ],
    [{ address: "10.0.0.1:x" }, 'address: "10.0.0.1:x" must have a port from 1 to 65535'],
    [{ scheme: "ftp" }, 'scheme: Invalid option: expected one of "http"|"https"'],
    [{ datacentre: "x" }, ': Unrecognized key: "datacentre"'],
    [{ basic_auth: { user: "x" } }, 'basic_auth: Unrecognized key: "user"'],
    [{ token: 7 }, "token: Invalid input: expected string, received number"],
    [
      { timeout: 30_000 },
      'timeout: is 30000 ns, less than 1 ms: integers are nanoseconds; write "30s" if milliseconds were meant',
    ],
    [{ timeout: "5" }, 'timeout: must be a duration such as "5s" or "250ms"'],
    [{ timeout: true }, 'timeout: must be a duration such as "5s" or "250ms"'],
    [{ timeout: "0" }, "timeout: must be longer than 0"],
    [{ tls_config: { ca_pem: "-----BEGIN" } }, "tls_config.ca_pem: must be base64"],
    [{ tls_config: { cert_file: "c" } }, "tls_config.cert_file: needs key_file or key_pem"],
    [{ tls_config: { key_pem: base64("k") } }, "tls_config.key_pem: needs cert_file or cert_pem"],
    [
      { tls_config: { cert_file: "c", cert_pem: base64("c"), key_file: "k" } },
      "tls_config.cert_pem: excludes cert_file",
    ],
    [
      { tls_config: { address: "https://x" } },
      'tls_config.address: "https://x" must be host:port, without a scheme',
    ],
  ])("refuses %j in one line that names the key", (config, line) => {
    expect(problemOf(config)).toBe(line);
  });

  it("refuses a key whose rows another cluster's would be", async () => {
    await expect(open(Config.parse({}), contextFor("a/members"))).rejects.toMatchObject({
      code: "bad_key",
      message: 'the key a/members has a segment "members", the name of a directory of rows',
    });
  });
});

describeWith("consul", "consul-kv before a proxy", () => {
  let consul: Consul;
  beforeAll(async () => {
    consul = await startConsul();
  });
  afterAll(() => consul.stop());

  it("sends user, password, datacenter, namespace, partition and token", async () => {
    const basicAuth = { username: "u", password: "p:ü" };
    const proxy = await startRecordingProxy({ target: consul.url, basicAuth });
    const address = `${proxy.address}:${proxy.port}`;
    const provider = await openWith({
      address,
      basic_auth: basicAuth,
      datacenter: "dc1",
      namespace: "team",
      partition: "part",
      token: "secret-token",
    });
    // A Consul that is not Enterprise refuses namespaces.
    await expect(provider.genesis?.read(signal)).rejects.toMatchObject({ code: "store_error" });
    await provider.genesis?.swap(null, record("i", ""), signal);
    await provider.members?.announce(member(), signal).catch(() => {});
    expect(proxy.requests().length).toBeGreaterThanOrEqual(3);
    for (const { headers, query } of proxy.requests()) {
      expect(headers).toMatchObject({
        host: address,
        authorization: `Basic ${base64("u:p:ü")}`,
        "x-consul-namespace": "team",
        "x-consul-token": "secret-token",
      });
      expect([query.get("dc"), query.get("partition")]).toEqual(["dc1", "part"]);
    }
    const read = proxy.requests().find((one) => one.method === "GET");
    expect(read?.query.get("consistent")).toBe("1");

    const stranger = await openWith({ address });
    await expect(stranger.lookup(signal)).rejects.toMatchObject({ code: "store_denied" });
    await proxy.stop();
  });

  it("sends none of them when they are not configured, and waits in a watch", async () => {
    const proxy = await startRecordingProxy({ target: consul.url });
    const provider = await openWith({ address: `${proxy.address}:${proxy.port}` });
    const stop = new AbortController();
    const watching = provider.watch?.(stop.signal)[Symbol.asyncIterator]();
    await watching?.next();
    const asked = proxy.requests().length;
    const waiting = watching?.next();
    await expect.poll(() => proxy.requests().length).toBe(asked + 1);
    const held = proxy.requests().at(-1);
    expect(held?.query.get("wait")).toBe("60000ms");
    expect(Number(held?.query.get("index"))).toBeGreaterThan(0);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    for (const { headers, query } of proxy.requests()) {
      const names = ["authorization", "x-consul-namespace", "x-consul-token"];
      expect(names.filter((name) => headers[name] !== undefined)).toEqual([]);
      expect([query.has("dc"), query.has("partition"), query.has("ns")]).toEqual([false, false, false]);
    }
    await proxy.stop();
  });

  it("does not take a repeated index for the record it read", async () => {
    const key = freshKey();
    const provider = await openWith({ address: `${consul.address}:${consul.ports.http}` }, key);
    const first = await provider.genesis?.swap(null, record("life-1", "old"), signal);
    expect(first?.kind).toBe("won");
    const old = await provider.genesis?.read(signal);
    await consul.request(`/v1/kv/${key}/?recurse`, { method: "DELETE" });
    await provider.genesis?.swap(null, record("life-2", "new"), signal);
    const now = await provider.genesis?.read(signal);
    // By index alone this would match: exactly what a server that was wiped could answer.
    const repeated = { value: old?.value ?? "", revision: now?.revision ?? "" };
    const ended = await provider.genesis?.swap(repeated, record("life-1", "mine"), signal);
    expect(ended).toEqual({ kind: "lost", current: now });
  });

  it("says so when the init row alone was removed, instead of losing for ever", async () => {
    const key = freshKey();
    const provider = await openWith({ address: `${consul.address}:${consul.ports.http}` }, key);
    await provider.genesis?.swap(null, record("life-1", ""), signal);
    const before = (await provider.genesis?.read(signal)) ?? null;
    await consul.request(`/v1/kv/${key}/init/life-1`, { method: "DELETE" });
    const ended = await provider.genesis?.swap(before, record("life-1", "claimed"), signal);
    expect(ended).toMatchObject({ kind: "unknown", cause: { code: "bad_record" } });
  });

  it("keeps the init row when a rebirth gives the record another init_id", async () => {
    const provider = await openWith({ address: `${consul.address}:${consul.ports.http}` });
    const { genesis } = provider;
    await genesis?.swap(null, record("birth-1", ""), signal);
    await genesis?.swap((await genesis.read(signal)) ?? null, record("birth-2", ""), signal);
    const reborn = (await genesis?.read(signal)) ?? null;
    expect((await genesis?.swap(reborn, record("birth-2", "claimed"), signal))?.kind).toBe("won");
  });

  it("leaves out a member's row that is none, and says that the look-up is partial", async () => {
    const key = freshKey();
    const provider = await openWith({ address: `${consul.address}:${consul.ports.http}` }, key);
    await provider.members?.announce(member(), signal);
    await consul.request(`/v1/kv/${key}/members/n2`, { method: "PUT", body: "nonsense" });
    await consul.request(`/v1/kv/${key}/members/n3`, { method: "PUT", body: JSON.stringify(member()) });
    expect(await provider.lookup(signal)).toMatchObject({ kind: "partial", members: [member()] });
    const taken = provider.members?.announce(member({ id: "n2" }), signal);
    await expect(taken).rejects.toMatchObject({ code: "bad_record" });
  });

  it("makes sessions that end with their time to live only, and at once", async () => {
    const key = freshKey();
    const provider = await openWith({ address: `${consul.address}:${consul.ports.http}` }, key);
    expect(provider.members?.ttlMs).toBe(10_000);
    await provider.members?.announce(member(), signal);
    const sessions = JSON.parse((await consul.request("/v1/session/list")).body) as Record<string, unknown>[];
    expect(sessions.filter((one) => one.Name === `rollcall ${key}/`)).toMatchObject([
      { TTL: "10000ms", Behavior: "delete", LockDelay: 0, NodeChecks: [] },
    ]);
  });

  it("swaps by one request, also when that fails", async () => {
    const proxy = await startRecordingProxy({ target: "http://127.0.0.1:1" });
    const provider = await openWith({ address: `${proxy.address}:${proxy.port}` });
    const ended = await provider.leaderKey?.swap(null, "x", signal);
    expect(ended).toMatchObject({ kind: "unknown", cause: { code: "store_unreachable" } });
    expect(proxy.requests()).toHaveLength(1);
    await proxy.stop();
  });
});

describeWith(["consul", "openssl"], "consul-kv with TLS", () => {
  let consul: Consul;
  let tls: Certificates;
  let address: string;
  beforeAll(async () => {
    consul = await startConsul({ tls: true });
    if (consul.tls === null) throw new TypeError("no certificates");
    tls = consul.tls;
    address = `${consul.address}:${consul.ports.http}`;
  });
  afterAll(() => consul.stop());

  const works = async (tls_config: object) => {
    const provider = await openWith({ address, scheme: "https", tls_config });
    expect(await provider.genesis?.read(signal)).toBeNull();
    expect((await provider.genesis?.swap(null, record("i", ""), signal))?.kind).toBe("won");
  };
  const client = () => ({ cert_file: tls.client.certFile, key_file: tls.client.keyFile });

  it("shows a certificate and checks the server's, from files", () =>
    works({ ca_file: tls.ca.certFile, ...client() }));

  it("takes them as PEM in base64", () =>
    works({
      ca_pem: base64(tls.ca.cert),
      cert_pem: base64(tls.client.cert),
      key_pem: base64(tls.client.key),
    }));

  it("takes a directory of authorities", async () => {
    const folder = tempDir("authorities");
    writeFileSync(join(folder, "one.pem"), tls.client.cert);
    writeFileSync(join(folder, "two.pem"), tls.ca.cert);
    mkdirSync(join(folder, "..data"));
    await works({ ca_path: folder, ...client() });
  });

  it("checks nothing when told so", () => works({ insecure_skip_verify: true, ...client() }));

  it("expects the name it is told", async () => {
    await works({ ca_file: tls.ca.certFile, address: "server.dc1.consul:8501", ...client() });
    const config = {
      address,
      scheme: "https",
      tls_config: { ca_file: tls.ca.certFile, address: "other.name", ...client() },
    };
    const failed = (await openWith(config)).lookup(signal);
    await expect(failed).rejects.toThrow(/^look up: Hostname\/IP does not match certificate's altnames/);
  });

  it.each([
    ["an authority", () => client(), /^look up: unable to verify the first certificate/],
    ["a certificate", () => ({ ca_file: tls.ca.certFile }), /^look up: TLS: alert bad certificate/],
    ["a file", () => ({ ca_file: "/nowhere/ca.pem" }), /^read \/nowhere\/ca.pem: ENOENT/],
  ])("fails in one line without %s", async (_, tls_config, line) => {
    const provider = await openWith({ address, scheme: "https", tls_config: tls_config() });
    await expect(provider.lookup(signal)).rejects.toThrow(line);
  });

  it("uses a certificate that was replaced on disk", async () => {
    const file = join(tempDir("rotated"), "ca.pem");
    writeFileSync(file, tls.client.cert);
    const provider = await openWith({ address, scheme: "https", tls_config: { ca_file: file, ...client() } });
    await expect(provider.lookup(signal)).rejects.toMatchObject({ code: "store_unreachable" });
    writeFileSync(file, tls.ca.cert);
    expect((await provider.lookup(signal)).kind).toBe("complete");
  });
});

describeWith("consul", "consul-kv with ACLs", () => {
  let consul: Consul;
  let address: string;
  const key = freshKey();
  let token: string;
  let reader: string;
  let stranger: string;
  beforeAll(async () => {
    consul = await startConsul({ acl: true });
    address = `${consul.address}:${consul.ports.http}`;
    const session = 'session_prefix "" { policy = "write" }';
    token = await consul.policyToken(`key_prefix "${key}/" { policy = "write" } ${session}`);
    reader = await consul.policyToken(`key_prefix "${key}/" { policy = "read" }`);
    stranger = await consul.policyToken(`key_prefix "${key}-other/" { policy = "write" } ${session}`);
  });
  afterAll(() => consul.stop());

  it("needs the least policy only", async () => {
    const provider = await openWith({ address, token }, key);
    await provider.genesis?.swap(null, record("i", ""), signal);
    expect(await provider.members?.announce(member(), signal)).toEqual({ kind: "held" });
    expect(await provider.members?.renew(signal)).toBe(true);
    expect((await provider.lookup(signal)).members).toEqual([member()]);
    await provider.members?.withdraw(signal);
  });

  it("uses a token that was replaced on disk, before an inline one", async () => {
    const token_file = join(tempDir("token"), "token");
    writeFileSync(token_file, `${stranger}\n`);
    const provider = await openWith({ address, token_file, token: reader }, key);
    await expect(provider.genesis?.read(signal)).rejects.toMatchObject({ code: "store_denied" });
    writeFileSync(token_file, `${token}\n\n`);
    expect((await provider.genesis?.read(signal))?.value).toBe(record("i", ""));
    writeFileSync(token_file, "");
    expect(await provider.leaderKey?.swap(null, "x", signal)).toMatchObject({ kind: "unknown" });
    expect((await provider.genesis?.read(signal))?.value).toBe(record("i", ""));
  });

  it("takes hidden rows for a missing right, not for nothing", async () => {
    const provider = await openWith({ address, token: stranger }, key);
    const denied = { code: "store_denied", message: expect.stringContaining(`key_prefix "${key}/" read`) };
    await expect(provider.lookup(signal)).rejects.toMatchObject(denied);
    const watching = provider.watch?.(signal)[Symbol.asyncIterator]();
    await expect(watching?.next()).rejects.toMatchObject(denied);
  });

  it("takes a refused write for a missing right, not for a lost swap", async () => {
    const provider = await openWith({ address, token: reader }, key);
    const message = `write genesis: Permission denied — the token lacks key_prefix "${key}/" write`;
    const before = (await provider.genesis?.read(signal)) ?? null;
    const ended = await provider.genesis?.swap(before, record("i", "mine"), signal);
    expect(ended).toMatchObject({ kind: "unknown", cause: { code: "store_denied", message } });
    await expect(provider.members?.announce(member(), signal)).rejects.toMatchObject({
      code: "store_denied",
      message: `announce n1: create a session: 403 Permission denied — the token lacks session_prefix "" write`,
    });
  });

  it("names what is lacking, and never the token", async () => {
    const secret = "5ec2e700-0000-4000-8000-000000000000";
    const provider = await openWith({ address, token: secret }, key);
    const errors = await Promise.all([
      provider.genesis?.read(signal).catch((error: unknown) => error),
      provider.lookup(signal).catch((error: unknown) => error),
      provider.genesis?.swap(null, record("i", ""), signal),
      provider.members?.announce(member(), signal).catch((error: unknown) => error),
    ]);
    expect(errors[0]).toMatchObject({
      code: "store_denied",
      message: expect.stringContaining("read genesis: 403"),
    });
    expect(inspect(errors, { depth: null, showHidden: true })).not.toContain(secret);
  });
});

describe("consul-kv and answers of other kinds", () => {
  const listening = async (
    answer: RequestListener,
    at = "127.0.0.1",
    tls?: Certificates,
  ): Promise<string> => {
    const server = tls === undefined ? overHttp(answer) : overHttps(tls.server, answer);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, at, resolve));
    const bound = server.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    return at.includes(":") ? `[${at}]:${port}` : `${at}:${port}`;
  };
  const rowAt = (key: string, index: number) =>
    JSON.stringify([{ Key: `${key}/genesis`, Value: base64(`at ${index}`), ModifyIndex: index }]);

  it.each([
    ["a page", (text: string) => ({ status: 200, type: "text/html", text }), "<html>", "store_error"],
    [
      "JSON of another kind",
      (text: string) => ({ status: 200, type: "application/json", text }),
      '{"a":1}',
      "store_error",
    ],
    ["broken JSON", (text: string) => ({ status: 200, type: "application/json", text }), "[{", "store_error"],
    ["a redirect", (text: string) => ({ status: 307, type: "text/plain", text }), "elsewhere", "store_error"],
    [
      "too many requests",
      (text: string) => ({ status: 429, type: "text/plain", text }),
      "slow down",
      "store_unreachable",
    ],
    [
      "no leader",
      (text: string) => ({ status: 500, type: "text/plain", text }),
      "No cluster leader",
      "store_unreachable",
    ],
  ])("throws for %s", async (_, shape, text, code) => {
    const address = await listening((_asked, answer) => {
      const { status, type } = shape(text);
      answer.writeHead(status, { "content-type": type, "x-consul-index": "7" }).end(text);
    });
    const provider = await openWith({ address });
    await expect(provider.genesis?.read(signal)).rejects.toMatchObject({ code });
    await expect(provider.lookup(signal)).rejects.toMatchObject({ code });
    expect((await provider.genesis?.swap(null, record("i", ""), signal))?.kind).toBe("unknown");
  });

  it("says why in words", async () => {
    const address = await listening((_asked, answer) => {
      answer.writeHead(500, { "content-type": "text/plain" }).end("No cluster leader");
    });
    const failed = (await openWith({ address })).genesis?.read(signal);
    await expect(failed).rejects.toThrow(`read genesis: 500 No cluster leader (${address})`);
    const nobody = (await openWith({ address: "127.0.0.1:1" })).genesis?.read(signal);
    await expect(nobody).rejects.toThrow("read genesis: connection refused (127.0.0.1:1)");
    const unknown = (await openWith({ address: "nowhere.invalid:1" })).genesis?.read(signal);
    await expect(unknown).rejects.toThrow(/^read genesis: .*host/);
  });

  it("gives up on an answer that breaks off, and on none", async () => {
    const address = await listening((asked, answer) => {
      if (asked.url?.includes("/leader")) return;
      answer.writeHead(200, { "content-type": "application/json", "content-length": "100" }).write("[");
      setImmediate(() => answer.destroy());
    });
    const provider = await openWith({ address, timeout: "200ms" });
    const late = { code: "store_timeout", message: `read genesis: no answer in 0.2 s (${address})` };
    await expect(provider.genesis?.read(signal)).rejects.toMatchObject(late);
    await expect(provider.leaderKey?.read(signal)).rejects.toMatchObject({ code: "store_timeout" });
    expect(await provider.genesis?.swap(null, record("i", ""), signal)).toMatchObject({
      kind: "unknown",
      cause: { code: "store_timeout" },
    });
  });

  it("begins a watch anew when the index goes back, and never waits from below 1", async () => {
    const key = freshKey();
    const answers = [40, 41, 7, 7, 0, 12];
    const asked: (string | null)[] = [];
    const address = await listening((request, answer) => {
      const url = new URL(request.url ?? "", "http://consul");
      const json = { "content-type": "application/json" };
      // The look for hidden rows that follows a look-up without members.
      if (!url.searchParams.has("recurse")) return void answer.writeHead(404, json).end();
      asked.push(url.searchParams.get("index"));
      const index = answers.shift();
      // What is held and never answered ends with the test.
      if (index === undefined) return;
      answer.writeHead(200, { ...json, "x-consul-index": String(index) }).end(rowAt(key, index));
    });
    const provider = await openWith({ address }, key);
    const stop = new AbortController();
    const seen: (string | undefined)[] = [];
    const follow = async () => {
      for await (const found of provider.watch?.(stop.signal) ?? []) seen.push(revisionOf(found));
    };
    const following = follow();
    await expect.poll(() => seen).toEqual(["40", "41", "7", "0", "12"]);
    await expect.poll(() => asked).toEqual([null, "40", "41", null, "7", null, "12"]);
    stop.abort();
    await expect(following).rejects.toMatchObject({ code: "aborted" });
  });

  it("refuses a watch without an index, which would never wait", async () => {
    const address = await listening((_asked, answer) => {
      answer.writeHead(404).end();
    });
    await expect((await openWith({ address })).lookup(signal)).rejects.toMatchObject({ code: "store_error" });
  });

  it("reaches IPv6 addresses", async () => {
    const hosts: (string | undefined)[] = [];
    const address = await listening((asked, answer) => {
      hosts.push(asked.headers.host);
      answer.writeHead(404, { "x-consul-index": "1" }).end();
    }, "::1");
    expect(await (await openWith({ address })).genesis?.read(signal)).toBeNull();
    expect(hosts).toEqual([address]);
  });

  describeWith("openssl", "with TLS", () => {
    it("reaches IPv6 addresses, and checks the address in the certificate", async () => {
      const tls = await makeCertificates(["::1"]);
      const other = await makeCertificates(["::2"]);
      const nothing: RequestListener = (_asked, answer) => void answer.writeHead(404).end();
      const right = await listening(nothing, "::1", tls);
      const wrong = await listening(nothing, "::1", other);
      const config = (address: string, { ca }: Certificates) => ({
        address,
        scheme: "https",
        tls_config: { ca_file: ca.certFile },
      });
      expect(await (await openWith(config(right, tls))).genesis?.read(signal)).toBeNull();
      const failed = (await openWith(config(wrong, other))).genesis?.read(signal);
      await expect(failed).rejects.toThrow(/IP: ::1 is not in the cert's list/);
    });
  });
});

function revisionOf(found: Lookup): string | undefined {
  return found.genesis?.revision;
}
