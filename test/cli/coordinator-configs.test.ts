import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { coordinatorConfig } from "../../src/cli/coordinator-configs.ts";
import { parseLine } from "../../src/cli/parse.ts";
import { resolve } from "../../src/cli/resolve.ts";
import { makeCertificates } from "../support/certificates.ts";
import { filesOf, noSuchFile, rollcall } from "./fake-io.ts";

const made = await makeCertificates(["127.0.0.1"]);
const table = {
  "cert.pem": made.server.cert,
  "key.pem": made.server.key,
  "ca.pem": made.ca.cert,
  "client.pem": made.client.cert,
  "client.key": made.client.key,
  token: "token\n",
  empty: " \n",
  "settings.yaml": "a: 1\n",
};
/** `.` and `/var` are directories, too. */
const files = {
  ...filesOf(table),
  list(path: string): readonly string[] {
    if (path === "." || path === "/var") return [];
    if (Object.hasOwn(table, path)) throw Object.assign(new Error("ENOTDIR"), { code: "ENOTDIR" });
    throw noSuchFile(path);
  },
};

async function configOf(flags: string, more: { hostName?: string; env?: Record<string, string> } = {}) {
  const parsed = parseLine(`coordinator ${flags}`.split(" ").filter((word) => word !== ""));
  if (parsed.kind !== "run") return expect.unreachable("asks for help");
  const settings = await resolve(parsed, { env: more.env ?? {}, files });
  return coordinatorConfig(settings, {
    files,
    hostName: more.hostName ?? "host",
    terminal: { stderr: false },
  });
}

const tls = "-tls-cert=cert.pem -tls-key=key.pem";
const beyond = "-http-addr=0.0.0.0:4200";

describe("a coordinator's configuration", () => {
  it("is whole without a flag", async () => {
    expect(await configOf("")).toEqual({
      name: "host",
      httpAddr: { host: "127.0.0.1", port: 4200 },
      store: { kind: "sqlite", path: "./rollcall.db" },
      apply: null,
      tls: null,
      tokenFile: null,
      tokenForReads: false,
      exposure: null,
      retain: { ms: 30 * 24 * 3_600_000, events: 1_000_000 },
      discoveryService: null,
      log: { level: "info", format: "json" },
    });
  });

  it("has what flags say", async () => {
    const flags = `${beyond} ${tls} -tls-ca=ca.pem -tls-client-auth -token-file=token -token-for-reads -store=sqlite:/var/r.db -apply=settings.yaml -name=c1 -retain=1h -retain-events=1000`;
    expect(await configOf(flags)).toMatchObject({
      name: "c1",
      httpAddr: { host: "0.0.0.0", port: 4200 },
      store: { kind: "sqlite", path: "/var/r.db" },
      apply: "settings.yaml",
      tls: { certFile: "cert.pem", keyFile: "key.pem", caFile: "ca.pem", clientAuth: true },
      tokenFile: "token",
      tokenForReads: true,
      retain: { ms: 3_600_000, events: 1_000 },
    });
  });

  it("has a Discovery Service with a file beside its own when it is told to", async () => {
    const flags = "-discovery-service -store=sqlite:/var/r.db -forget-unused=2h";
    expect((await configOf(flags)).discoveryService).toEqual({
      base: "/discovery",
      store: { kind: "sqlite", path: "/var/r-discovery.db" },
      unusedMs: 7_200_000,
    });
    const usual = (await configOf("-discovery-service")).discoveryService;
    expect(usual?.store.path).toBe("rollcall-discovery.db");
  });

  it("has its own address and meaning where an agent has a flag of the same name", async () => {
    const env = { ROLLCALL_HTTP_ADDR: "127.0.0.1:9", ROLLCALL_TOKEN_FILE: "token" };
    expect(await configOf("", { env })).toMatchObject({ httpAddr: { port: 9 }, tokenFile: "token" });
    const withFile = { ...table, "c.yaml": "http_addr: 127.0.0.1:8\nstore: sqlite:x.db\n" };
    const { err } = await rollcall(["coordinator", "-config=c.yaml", "-store=x"], { files: withFile });
    expect(err).toBe("rollcall: -store: must be sqlite:FILE, as in sqlite:./rollcall.db\n");
  });

  it("takes a directory to apply, and a host's name with anything in it", async () => {
    expect(await configOf("-apply=/var", { hostName: "my_host ö/1" })).toMatchObject({
      apply: "/var",
      name: "my_host---1",
    });
  });

  it.each([
    [
      beyond,
      "-http-addr: 0.0.0.0:4200 is open beyond this machine and needs -token-file with TLS, or -insecure",
    ],
    [
      `${beyond} ${tls}`,
      "-http-addr: 0.0.0.0:4200 is open beyond this machine and needs -token-file with TLS",
    ],
    [
      `${beyond} -token-file=token`,
      "-http-addr: 0.0.0.0:4200 is open beyond this machine, where a token needs TLS",
    ],
    ["-token-for-reads", "-token-for-reads: needs -token-file"],
    ["-tls-cert=cert.pem", "-tls-cert: needs -tls-key"],
    [`${tls} -tls-client-auth`, "-tls-client-auth: needs -tls-ca"],
    [
      "-tls-cert=client.pem -tls-key=key.pem",
      "-tls-key: key.pem: is not the key of the certificate client.pem",
    ],
    ["-token-file=empty", "-token-file: empty: is empty"],
    ["-token-file=none", "-token-file: none: no such file"],
    ["-apply=none", "-apply: none: no such file or directory"],
    ["-store=postgres://user:hunter2@host/db", "-store: must be sqlite:FILE, as in sqlite:./rollcall.db"],
    ["-store=sqlite::memory:", "-store: must be sqlite:FILE, as in sqlite:./rollcall.db"],
    ["-store=sqlite:file:x.db?mode=memory", "-store: must be sqlite:FILE, as in sqlite:./rollcall.db"],
    ["-store=sqlite:/none/r.db", "-store: /none: no such directory"],
    ["-name=a/b", "-name: must be 1 to 128 characters of [A-Za-z0-9._-]"],
    ["-retain=30d", '-retain: "30d" must be a duration, as in 120s or 1h30m'],
    ["-forget-unused=2h", "-forget-unused: needs -discovery-service"],
    ["-retain=1s", '-retain: "1s" must be from 1h to 87600h'],
    ["-retain-events=1", '-retain-events: "1" must be a whole number from 1000 to 100000000'],
    ["-disco-mode=dns", "-disco-mode: unknown flag"],
  ])("refuses `%s` in one line", async (flags, line) => {
    const error = await configOf(flags).catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message.startsWith(line), (error as Error).message).toBe(true);
    expect((error as Error).message).not.toContain("hunter2");
  });

  it.each([
    ["-insecure", null],
    [`${beyond} -insecure`, "-insecure: anybody who reaches it can read what it knows"],
    [`${beyond} -insecure ${tls}`, "-insecure: anybody who reaches it can read what it knows"],
    [`${beyond} -insecure ${tls} -tls-ca=ca.pem -tls-client-auth`, null],
    [`${beyond} -insecure -token-file=token`, "-insecure: whoever listens on the way can read the token"],
    [`${beyond} -insecure -token-file=token ${tls}`, null],
    [`${beyond} -token-file=token ${tls}`, null],
  ])("with `%s` is open to others as it says", async (flags, exposure) => {
    expect(await configOf(flags)).toMatchObject({ exposure });
  });
});

describe("a coordinator behind TLS", () => {
  const serve = async () => {
    const data = { before: {}, after: null };
    const removed = { id: "a:1", type: "rollcall.CLUSTER_REMOVED", subject: "a", time: "", data };
    const server = createServer(
      {
        cert: made.server.cert,
        key: made.server.key,
        ca: made.ca.cert,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (request, response) =>
        request.url?.startsWith("/v1/events/stream")
          ? response.writeHead(200).write(`data: ${JSON.stringify(removed)}\n\n`)
          : response.end(JSON.stringify({ items: [], next: null })),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { server, flag: `-coordinator=https://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };

  it("is asked with a certificate, and what is missing is named", async () => {
    const { server, flag } = await serve();
    try {
      const all = [flag, "-tls-ca=ca.pem", "-tls-cert=client.pem", "-tls-key=client.key"];
      expect(await rollcall(["clusters", ...all], { files: table })).toMatchObject({ code: 0, err: "" });
      const stop = new AbortController();
      const world = { files: table, stop: stop.signal, onOut: () => stop.abort() };
      const followed = await rollcall(["events", "-follow", ...all], world);
      expect([followed.code, followed.out]).toEqual([0, expect.stringContaining("CLUSTER_REMOVED")]);
      const untrusted = await rollcall(["clusters", flag], { files: table });
      expect([untrusted.code, untrusted.err]).toEqual([
        1,
        expect.stringMatching(/; -tls-ca names who signed its certificate\n$/),
      ]);
      const nobody = await rollcall(["clusters", flag, "-tls-ca=ca.pem"], { files: table });
      expect([nobody.code, nobody.err]).toEqual([
        1,
        expect.stringMatching(/; it wants another certificate: -tls-cert and -tls-key\n$/),
      ]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
