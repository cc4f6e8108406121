import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as mode from "../../providers/etcd-kv.ts";
import type { Provider, Register } from "../../src/core/provider.ts";
import { again, freshKey, member, patient } from "../contract/stage.ts";
import type { Certificates } from "../support/certificates.ts";
import { describeWith, type Etcd, type EtcdUsers, startEtcd } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { opener } from "./opener.ts";

const signal = patient();
const openWith = opener(mode);

function registerOf(provider: Provider): Register {
  if (provider.leaderKey === undefined) throw new TypeError("no register");
  return provider.leaderKey;
}

const endpointOf = (etcd: Etcd) => `${etcd.address}:${etcd.ports.client}`;

describeWith("etcd", "etcd-kv with users", () => {
  const key = freshKey();
  let etcd: Etcd;
  let users: EtcdUsers;
  beforeAll(async () => {
    etcd = await startEtcd({ auth: { prefix: `/${key}/` } });
    if (etcd.users === null) throw new TypeError("no users");
    users = etcd.users;
  });
  afterAll(() => etcd.stop());
  const login = () => ({ endpoints: [endpointOf(etcd)], username: users.user.username });

  it("logs in with user and password, for every kind of call", async () => {
    const provider = await openWith({ ...login(), password: users.user.password }, key);
    const watching = provider.watch?.(signal)[Symbol.asyncIterator]();
    await watching?.next();
    const changed = watching?.next();
    expect(await provider.members?.announce(member(), signal)).toEqual({ kind: "held" });
    expect((await changed)?.value).toMatchObject({ members: [member()] });
    expect(await provider.members?.renew(signal)).toBe(true);
    await provider.members?.withdraw(signal);
    const ended = await registerOf(provider).swap(null, "logged in", signal);
    expect(ended.kind).toBe("won");
  });

  it("logs in again when the token is no longer good, and sends no swap twice", async () => {
    const provider = await openWith({ ...login(), password: users.user.password }, key);
    const register = registerOf(provider);
    const before = await register.read(signal);
    // A new password, even the same one, ends the user's tokens.
    const change = { name: users.user.username, password: users.user.password };
    await etcd.call("/v3/auth/user/changepw", change);
    const ended = await register.swap(before, "before the login", signal);
    expect(ended).toMatchObject({ kind: "unknown", cause: { code: "store_denied" } });
    expect(await register.read(signal)).toEqual(before);
    expect((await register.swap(before, "after", signal)).kind).toBe("won");

    await etcd.call("/v3/auth/user/changepw", change);
    expect((await register.read(signal))?.value).toBe("after");
  });

  it("goes on after a restart of the server", async () => {
    const provider = await openWith({ ...login(), password: users.user.password }, key);
    await provider.members?.announce(member(), signal);
    await etcd.restart();
    expect((await again(() => registerOf(provider).read(signal)))?.value).toBe("after");
    expect(await provider.members?.announce(member(), signal)).toEqual({ kind: "held" });
    await provider.members?.withdraw(signal);
  });

  it("uses a password that was replaced on disk", async () => {
    const password_file = join(tempDir("password"), "password");
    writeFileSync(password_file, "wrong");
    const provider = await openWith({ ...login(), password_file }, key);
    const message = `read leader key: invalid user or password — check username "rollcall" and its password`;
    await expect(registerOf(provider).read(signal)).rejects.toMatchObject({ code: "store_denied", message });
    writeFileSync(password_file, `${users.user.password}\n`);
    expect((await registerOf(provider).read(signal))?.value).toBe("after");
  });

  it("says what is lacking, and never the password or token", async () => {
    const elsewhere = await openWith({ ...login(), password: users.user.password }, `${key}-other`);
    const lacking = 'permission denied — the user "rollcall" lacks readwrite on the prefix';
    const denied = { code: "store_denied", message: expect.stringContaining(lacking) };
    await expect(elsewhere.lookup(signal)).rejects.toMatchObject(denied);
    const ended = await registerOf(elsewhere).swap(null, "x", signal);
    expect(ended).toMatchObject({ kind: "unknown", cause: denied });

    const nobody = await openWith({ endpoints: [endpointOf(etcd)] }, key);
    const hint = "look up: user name is empty — give username and password_file";
    await expect(nobody.lookup(signal)).rejects.toMatchObject({ code: "store_denied", message: hint });

    const token = "5ecret-token.12";
    const forged = await openWith({ endpoints: [endpointOf(etcd)], token }, key);
    const began = performance.now();
    const refused = await forged.lookup(signal).catch((error: unknown) => error);
    // The package alone would send the same request without end.
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(refused).toMatchObject({ code: "store_denied" });
    const all = inspect([refused, ended], { depth: null, showHidden: true });
    expect(all).not.toContain(token);
    expect(all).not.toContain(users.user.password);
  });

  it("does without a login where the server has no users", async () => {
    const open = await startEtcd();
    const provider = await openWith({ endpoints: [endpointOf(open)], username: "u", password: "p" });
    expect((await registerOf(provider).swap(null, "x", signal)).kind).toBe("won");
    await open.stop();
  });
});

describeWith(["etcd", "openssl"], "etcd-kv with TLS", () => {
  let etcd: Etcd;
  let tls: Certificates;
  beforeAll(async () => {
    etcd = await startEtcd({ tls: true });
    if (etcd.tls === null) throw new TypeError("no certificates");
    tls = etcd.tls;
  });
  afterAll(() => etcd.stop());
  const files = () => ({
    ca_file: tls.ca.certFile,
    cert_file: tls.client.certFile,
    key_file: tls.client.keyFile,
  });

  it.each([
    ["https://", (endpoint: string) => ({ endpoints: [`https://${endpoint}`] })],
    ["no scheme", (endpoint: string) => ({ endpoints: [endpoint] })],
    [
      "the server's name",
      (endpoint: string) => ({ endpoints: [endpoint], TLS: { ServerName: "localhost" } }),
    ],
  ])("shows a certificate and checks the server's, with %s", async (_, config) => {
    const provider = await openWith({ ...config(endpointOf(etcd)), ...files() });
    const watching = provider.watch?.(signal)[Symbol.asyncIterator]();
    expect((await watching?.next())?.value).toMatchObject({ kind: "complete" });
    expect((await registerOf(provider).swap(null, "x", signal)).kind).toBe("won");
    expect(await provider.members?.announce(member(), signal)).toEqual({ kind: "held" });
    expect(await provider.members?.renew(signal)).toBe(true);
  });

  it.each([
    ["an authority", () => ({ ...files(), ca_file: undefined }), /unable to verify|self-signed/],
    ["a certificate", () => ({ ca_file: tls.ca.certFile }), /certificate|connection reset|dropped/i],
    [
      "the right name",
      () => ({ ...files(), TLS: { ServerName: "other.name" } }),
      /does not match certificate's altnames/,
    ],
    ["TLS at all", () => ({ endpoints: [`http://${endpointOf(etcd)}`] }), /./],
  ])("fails in one line without %s", async (_, config, words) => {
    const provider = await openWith({ endpoints: [endpointOf(etcd)], timeout: "2s", ...config() });
    const error = await provider.lookup(signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: expect.stringMatching(/^store_(unreachable|timeout)$/) });
    expect((error as Error).message).toMatch(words);
    expect((error as Error).message).toMatch(/^look up: [^\n]*$/);
  });

  it("uses a certificate that was replaced on disk", async () => {
    const ca_file = join(tempDir("rotated"), "ca.pem");
    writeFileSync(ca_file, tls.client.cert);
    const provider = await openWith({ endpoints: [endpointOf(etcd)], ...files(), ca_file });
    await expect(provider.lookup(signal)).rejects.toMatchObject({ code: "store_unreachable" });
    writeFileSync(ca_file, tls.ca.cert);
    expect((await provider.lookup(signal)).kind).toBe("complete");
  });
});
