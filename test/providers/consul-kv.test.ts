import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as mode from "../../providers/consul-kv.ts";
import { contextFor, freshKey, member, patient, record } from "../contract/stage.ts";
import { startRecordingProxy } from "../support/recording-proxy.ts";
import { type Consul, describeWith, startConsul } from "../support/servers/index.ts";
import { opener, problemOf } from "./opener.ts";

const signal = patient();
const base64 = (text: string) => Buffer.from(text).toString("base64");
const { Config, open } = mode;
const openWith = opener(mode);

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
    expect(problemOf(Config, config)).toBe(line);
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

  it("announces again after somebody took the lock off its entry", async () => {
    const key = freshKey();
    const { members } = await openWith({ address: `${consul.address}:${consul.ports.http}` }, key);
    await members?.announce(member(), signal);
    const row = `/v1/kv/${key}/members/n1`;
    const [held] = JSON.parse((await consul.request(row)).body) as { Session: string }[];
    await consul.request(`${row}?release=${held?.Session}`, {
      method: "PUT",
      body: JSON.stringify(member()),
    });
    expect(await members?.renew(signal)).toBe(false);
    expect(await members?.announce(member(), signal)).toEqual({ kind: "held" });
    expect(await members?.renew(signal)).toBe(true);
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
