import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as mode from "../../providers/etcd-kv.ts";
import type { Lookup, Provider, Register, Versioned } from "../../src/core/provider.ts";
import { again, freshKey, member, patient } from "../contract/stage.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { base64, describeWith, type Etcd, startEtcd } from "../support/servers/index.ts";
import { opener, problemOf } from "./opener.ts";

const signal = patient();
const { Config } = mode;
const openWith = opener(mode);

function registerOf(provider: Provider): Register {
  if (provider.leaderKey === undefined) throw new TypeError("no register");
  return provider.leaderKey;
}

const endpointOf = (etcd: Etcd) => `${etcd.address}:${etcd.ports.client}`;

describe("configuration of etcd-kv", () => {
  it("has etcd's default endpoint", () => {
    const list = [{ host: "localhost", port: 2379 }];
    expect(Config.parse({})).toEqual({ endpoints: { list, scheme: "unsaid" } });
  });

  it("takes every key of rqlite's, which is etcd's own client's, and ours", () => {
    const given = {
      endpoints: ["https://10.0.0.1:2379/", "https://[::1]", "https://etcd.internal:1"],
      "auto-sync-interval": 0,
      "dial-timeout": 5_000_000_000,
      "dial-keep-alive-time": "30s",
      "dial-keep-alive-timeout": "1500ms",
      MaxCallSendMsgSize: 1,
      MaxCallRecvMsgSize: 2,
      "max-call-send-msg-size": 3,
      "max-call-recv-msg-size": 4,
      TLS: { InsecureSkipVerify: true, ServerName: "etcd.internal" },
      username: "u",
      password: "p",
      token: "",
      "reject-old-cluster": true,
      "permit-without-stream": true,
      "max-unary-retries": 3,
      "backoff-wait-between": "25ms",
      "backoff-jitter-fraction": 0.1,
      "backoff-exponent": 2,
      "backoff-max-wait-between": 2_000_000_000,
      ca_file: "ca.pem",
      cert_file: "cert.pem",
      key_file: "key.pem",
      password_file: "",
      timeout: "2s",
    };
    expect(Config.parse(given)).toMatchObject({
      endpoints: {
        list: [
          { host: "10.0.0.1", port: 2379 },
          { host: "::1", port: 2379 },
          { host: "etcd.internal", port: 1 },
        ],
        scheme: "https",
      },
      "dial-timeout": 5_000,
      "dial-keep-alive-timeout": 1_500,
      "backoff-max-wait-between": 2_000,
      timeout: 2_000,
    });
    expect(Config.parse({ TLS: null, password_file: "/run/password", username: "u" })).toMatchObject({
      TLS: null,
    });
  });

  it.each([
    [{ endpoints: [] }, "endpoints: must name at least one endpoint"],
    [{ endpoints: ["ftp://x:1"] }, 'endpoints: "ftp://x:1" must be host:port, without a scheme'],
    [{ endpoints: ["a:1", "b:x"] }, 'endpoints: "b:x" must have a port from 1 to 65535'],
    [
      { endpoints: ["https://a:1", "http://b:1"] },
      "endpoints: must all be https://, all http://, or all without a scheme",
    ],
    [{ endpoints: "a:1" }, "endpoints: Invalid input: expected array, received string"],
    [{ endpoint: ["a:1"] }, ': Unrecognized key: "endpoint"'],
    // The example in rqlite's own documentation.
    [
      { "dial-timeout": 30_000 },
      'dial-timeout: is 30000 ns, less than 1 ms: integers are nanoseconds; write "30s" if milliseconds were meant',
    ],
    [{ "dial-timeout": "fast" }, 'dial-timeout: must be a duration such as "5s" or "250ms"'],
    [{ timeout: 0 }, "timeout: must be longer than 0"],
    [{ username: "u" }, "username: needs password or password_file"],
    [{ password: "p" }, "password: needs username"],
    [{ username: "u", password: "p", password_file: "f" }, "password_file: excludes password"],
    [{ username: "u", password: "p", token: "t" }, "token: excludes username"],
    [{ cert_file: "c" }, "cert_file: needs key_file"],
    [{ key_file: "k" }, "key_file: needs cert_file"],
    [{ endpoints: ["http://a:1"], ca_file: "ca" }, "ca_file: needs https:// in endpoints"],
    [{ TLS: { RootCAs: "x" } }, 'TLS: Unrecognized key: "RootCAs"'],
    [{ "max-unary-retries": -1 }, "max-unary-retries: Too small: expected number to be >=0"],
  ])("refuses %j in one line that names the key", (config, line) => {
    expect(problemOf(Config, config)).toBe(line);
  });
});

describeWith("etcd", "etcd-kv and a server with faults", () => {
  let etcd: Etcd;
  let proxy: FaultProxy;
  beforeAll(async () => {
    etcd = await startEtcd();
    proxy = await startFaultProxy({ address: etcd.address, port: etcd.ports.client });
  });
  afterEach(async () => {
    etcd.resume();
    await proxy.pass();
  });
  afterAll(async () => {
    await proxy.stop();
    await etcd.stop();
  });

  const put = (key: string, value: string) =>
    etcd.call("/v3/kv/put", { key: base64(key), value: base64(value) });
  const follow = (provider: Provider) => {
    const iterator = provider.watch?.(signal)[Symbol.asyncIterator]();
    return async (): Promise<Lookup> => {
      const { done, value } = (await iterator?.next()) ?? { done: true, value: undefined };
      if (done) throw new Error("the watch ended without a throw");
      return value;
    };
  };

  it("reads rows with a leading slash, as native rqlite nodes write them", async () => {
    const key = freshKey();
    const provider = await openWith({ endpoints: [`http://${endpointOf(etcd)}`] }, key);
    await put(`/${key}/leader`, '{"id":"1","api_addr":"http://h:4001","addr":"h:4002"}');
    const read = await registerOf(provider).read(signal);
    expect(read?.value).toBe('{"id":"1","api_addr":"http://h:4001","addr":"h:4002"}');
    await put(`/${key}/members/n2`, "nonsense");
    await provider.members?.announce(member(), signal);
    expect(await provider.lookup(signal)).toMatchObject({ kind: "partial", members: [member()] });
    await expect(provider.members?.announce(member({ id: "n2" }), signal)).rejects.toMatchObject({
      code: "bad_record",
    });
  });

  it("announces again after somebody took the lease off its entry", async () => {
    const key = freshKey();
    const { members } = await openWith({ endpoints: [endpointOf(etcd)] }, key);
    await members?.announce(member(), signal);
    await put(`/${key}/members/n1`, JSON.stringify(member()));
    expect(await members?.renew(signal)).toBe(false);
    expect(await members?.announce(member(), signal)).toEqual({ kind: "held" });
    expect(await members?.renew(signal)).toBe(true);
  });

  it("gives up on a server that hangs, on every kind of call", async () => {
    const provider = await openWith({ endpoints: [endpointOf(etcd)], timeout: "300ms" });
    expect(provider.members?.ttlMs).toBe(10_000);
    await provider.members?.announce(member(), signal);
    const next = follow(provider);
    await next();
    await etcd.pause();
    const late = { code: "store_timeout", message: `look up: no answer in 0.3 s (${endpointOf(etcd)})` };
    const watching = expect(next()).rejects.toMatchObject({ code: "store_timeout" });
    await expect(provider.lookup(signal)).rejects.toMatchObject(late);
    await expect(provider.members?.renew(signal)).rejects.toMatchObject({ code: "store_timeout" });
    const ended = await registerOf(provider).swap(null, "x", signal);
    expect(ended).toMatchObject({ kind: "unknown", cause: { code: "store_timeout" } });
    await watching;
    etcd.resume();
    expect((await again(() => provider.lookup(signal))).members).toEqual([member()]);
  });

  it("notices a connection whose other side is gone", async () => {
    const keepAlive = { "dial-keep-alive-time": "200ms", "dial-keep-alive-timeout": "200ms" };
    const provider = await openWith({ endpoints: [proxy.endpoint], ...keepAlive });
    const next = follow(provider);
    await next();
    const told = next();
    await registerOf(provider).swap(null, "seen by the watch", signal);
    await told;
    const waiting = next();
    const began = performance.now();
    await proxy.halfOpen();
    await expect(waiting).rejects.toMatchObject({ code: "store_unreachable" });
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  it("ends a watch whose changes are compacted away, and no other one", async () => {
    const key = freshKey();
    const provider = await openWith({ endpoints: [endpointOf(etcd)] }, key);
    const register = registerOf(provider);
    const healthy = follow(provider);
    await healthy();
    const pending = healthy();
    await register.swap(null, "0", signal);
    expect((await pending).leader?.value).toBe("0");

    const behind = follow(provider);
    let last = (await behind()).leader ?? null;
    for (const value of ["1", "2", "3"]) {
      await register.swap(last, value, signal);
      last = await register.read(signal);
    }
    await etcd.call("/v3/kv/compaction", { revision: last?.revision, physical: true });
    await expect(behind()).rejects.toMatchObject({ code: "store_compacted" });

    // The package's own watches would hang from here on (its wedge bug); these go on.
    let seen: Versioned | null | undefined = null;
    while (seen?.value !== "3") seen = (await healthy()).leader;
    const fresh = follow(provider);
    expect((await fresh()).leader?.value).toBe("3");
    const both = Promise.all([fresh(), healthy()]);
    await register.swap(last, "4", signal);
    expect((await both).map((found) => found.leader?.value)).toEqual(["4", "4"]);
  });

  it("goes to the next endpoint when one is refused, for reads at once and for swaps at the next try", async () => {
    const provider = await openWith({ endpoints: [proxy.endpoint, endpointOf(etcd)] });
    const register = registerOf(provider);
    expect(await register.read(signal)).toBeNull();
    await proxy.refuse();
    expect(await register.read(signal)).toBeNull();
    expect((await register.swap(null, "0", signal)).kind).toBe("won");

    const unlucky = await openWith({ endpoints: ["127.0.0.1:1", endpointOf(etcd)] });
    const first = await registerOf(unlucky).swap(null, "0", signal);
    const message = "write leader key: connection refused (127.0.0.1:1)";
    expect(first).toMatchObject({ kind: "unknown", cause: { code: "store_unreachable", message } });
    expect((await registerOf(unlucky).swap(null, "0", signal)).kind).toBe("won");
  });

  it("leaves an endpoint that made the caller run out of patience", async () => {
    const provider = await openWith({ endpoints: [proxy.endpoint, endpointOf(etcd)], timeout: "1m" });
    const register = registerOf(provider);
    await proxy.blackhole();
    await expect(register.read(AbortSignal.timeout(100))).rejects.toMatchObject({ code: "aborted" });
    expect(await register.read(AbortSignal.timeout(2_000))).toBeNull();
  });

  it("reads again after a restart, and throws in words until then", async () => {
    const own = await startEtcd();
    const provider = await openWith({ endpoints: [`http://${endpointOf(own)}`] });
    const register = registerOf(provider);
    await register.swap(null, "kept", signal);
    const next = follow(provider);
    await next();
    const waiting = expect(next()).rejects.toMatchObject({ code: "store_unreachable" });
    await own.kill();
    await waiting;
    await expect(register.read(signal)).rejects.toThrow(
      `read leader key: connection refused (${endpointOf(own)})`,
    );
    await own.restart();
    expect((await again(() => register.read(signal)))?.value).toBe("kept");
    await own.stop();
  });

  it("reaches IPv6 addresses", async () => {
    const provider = await openWith({ endpoints: ["[::1]:1"] });
    await expect(provider.lookup(signal)).rejects.toThrow("look up: connection refused ([::1]:1)");
  });
});
