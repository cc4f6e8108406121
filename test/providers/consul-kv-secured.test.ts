import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as mode from "../../providers/consul-kv.ts";
import { freshKey, member, patient, record } from "../contract/stage.ts";
import type { Certificates } from "../support/certificates.ts";
import { type Consul, describeWith, startConsul } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { opener } from "./opener.ts";

const signal = patient();
const base64 = (text: string) => Buffer.from(text).toString("base64");
const openWith = opener(mode);

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

  it("takes one kind of rows that is hidden for a missing right, too", async () => {
    const genesis = await consul.policyToken(`key "${key}/genesis" { policy = "write" }`);
    const members = await consul.policyToken(`key_prefix "${key}/members/" { policy = "write" }`);
    const owner = await openWith({ address, token }, key);
    await owner.members?.announce(member(), signal);
    for (const narrow of [genesis, members]) {
      const provider = await openWith({ address, token: narrow }, key);
      await expect(provider.lookup(signal)).rejects.toMatchObject({ code: "store_denied" });
    }
    await owner.members?.withdraw(signal);
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
