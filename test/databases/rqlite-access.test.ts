import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Database } from "../../src/databases/database.ts";
import { Config } from "../../src/databases/rqlite.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { request } from "../support/http.ts";
import { describeWith, newRqlited, type Rqlited } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { adapter } from "./rqlite-nodes.ts";

const open: Database[] = [];
const at = (...args: Parameters<typeof adapter>) => {
  const db = adapter(...args);
  open.push(db);
  return db;
};
afterEach(() => {
  for (const db of open.splice(0)) db.close();
});
const look = (db: Database) => db.probe(AbortSignal.timeout(3_000));

describeWith("rqlited", "rqlited with users", () => {
  let node: Rqlited;
  const password = join(tempDir("rqlite-password"), "password");
  beforeAll(async () => {
    node = await newRqlited("n1");
    writeFileSync(password, "secret\n");
    const users = join(node.dataDir, "..", "auth.json");
    await node.write(
      users,
      JSON.stringify([
        { username: "agent", password: "secret", perms: ["status", "remove"] },
        { username: "reader", password: "secret", perms: ["query"] },
      ]),
    );
    await node.start(node.command(["-node-id", "n1", "-auth", users]));
  });
  afterAll(() => node.kill());

  it("is asked with the password of the configuration, or of its file", async () => {
    for (const config of [
      { username: "agent", password: "secret" },
      { username: "agent", password_file: password },
    ]) {
      const db = at(node.addr(), "n1", config);
      await until(async () => (await look(db)).status === "healthy", { deadlineMs: 8_000, what: "health" });
    }
  });

  it("is unavailable to wrong, missing and powerless users, each with its own words", async () => {
    const wrong =
      "rqlited refuses the credentials of -db-config (401), or does not grant them the permission `status`";
    const said = [];
    for (const config of [
      { username: "agent", password: "wrong" },
      { username: "reader", password: "secret" },
      {},
    ]) {
      const { status, problem, version } = await look(at(node.addr(), "n1", config));
      expect({ status, version }).toEqual({ status: "unavailable", version: "8" });
      said.push(problem);
    }
    const none = "rqlited wants credentials (401): -db-config takes username and password_file";
    expect(said).toEqual([wrong, wrong, none]);
    const db = at(node.addr(), "n1", {});
    expect(await db.ask?.(node.addr(), AbortSignal.timeout(3_000))).toMatchObject({ problem: none });
    await expect(db.removeMember?.("n2", AbortSignal.timeout(3_000))).rejects.toThrow(
      "remove n2: rqlited answers 401: the credentials may not `remove`",
    );
  });

  it("says when the node has another id", async () => {
    const db = at(node.addr(), "n9", { username: "agent", password: "secret" });
    expect(await look(db)).toMatchObject({
      status: "not_in_cluster",
      problem: "its node id is n1, not n9",
      role: "unknown",
      leader: null,
    });
  });
});

describeWith(["rqlited", "openssl"], "rqlited with TLS", () => {
  let node: Rqlited;
  let tls: Certificates;
  beforeAll(async () => {
    node = await newRqlited("n1");
    tls = await makeCertificates([node.addr().split(":")[0] ?? ""]);
    const files = join(node.dataDir, "..");
    const [cert, key, ca] = ["cert.pem", "key.pem", "ca.pem"].map((name) => join(files, name)) as [
      string,
      string,
      string,
    ];
    await node.write(cert, tls.server.cert);
    await node.write(key, tls.server.key);
    await node.write(ca, tls.ca.cert);
    const secured = ["-http-cert", cert, "-http-key", key, "-http-ca-cert", ca, "-http-verify-client"];
    await node.start(node.command(["-node-id", "n1", ...secured]));
    await until(
      async () => {
        const shown = { ca: tls.ca.cert, cert: tls.client.cert, key: tls.client.key };
        return (await request(`https://${node.addr()}/readyz`, { tls: shown })).status === 200;
      },
      { deadlineMs: 10_000, what: "rqlited to serve" },
    );
  });
  afterAll(() => node.kill());
  const client = () => ({ cert_file: tls.client.certFile, key_file: tls.client.keyFile });

  it("is asked over https once there are certificates, or the address says so", async () => {
    const db = at(node.addr(), "n1", { ca_file: tls.ca.certFile, ...client() });
    const report = await look(db);
    expect(report.leader?.api_addr).toBe(`https://${node.addr()}`);
    expect(db.clientAddress("h:4001")).toBe("https://h:4001");
    expect((await db.ask?.(`https://${node.addr()}`, AbortSignal.timeout(3_000)))?.role).toBe("leader");
    const skipping = { insecure_skip_verify: true, ...client() };
    expect((await look(at(`https://${node.addr()}`, "n1", skipping))).status).toBe("healthy");
  });

  it("is not asked where the certificate is nobody's we trust, or none is shown", async () => {
    await expect(look(at(`https://${node.addr()}`, "n1", client()))).rejects.toThrow(/certificate/);
    await expect(look(at(node.addr(), "n1", { ca_file: tls.ca.certFile }))).rejects.toThrow(node.addr());
  });

  it("is recognised when asked without TLS", async () => {
    expect(await look(at(node.addr(), "n1"))).toMatchObject({
      status: "unavailable",
      problem: `${node.addr()} speaks TLS: write -db-addr https://${node.addr()}`,
    });
  });
});

describe("something else at -db-addr", () => {
  let server: Server;
  let addr: string;
  let answer: { status: number; body: string };
  beforeAll(async () => {
    server = createServer((_, reply) => {
      reply.statusCode = answer.status;
      reply.end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    addr = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it("is named, and is nobody to ask", async () => {
    answer = { status: 200, body: "hello" };
    const db = at(addr, "n1");
    expect(await look(db)).toMatchObject({ status: "unavailable", problem: `${addr} is not rqlited` });
    expect(await db.ask?.(addr, AbortSignal.timeout(3_000))).toBeNull();
    answer = { status: 404, body: JSON.stringify({ error: { code: "not_found", message: "no such path" } }) };
    expect((await look(db)).problem).toBe(`${addr} is a rollcall agent`);
  });

  it("is refused as an address when it is none, and unreachable when nobody listens", async () => {
    expect(() => at("host:port", "n1")).toThrow("host:port must have a port from 1 to 65535");
    await expect(look(at("127.0.0.1:1", "n1"))).rejects.toThrow(
      "ask rqlited at 127.0.0.1:1: connection refused",
    );
  });
});

describe("Config", () => {
  it.each([
    [{}, null],
    [{ username: "u", password_file: "/f" }, null],
    [{ user: "u" }, "unrecognized_keys"],
    [{ username: "u" }, "needs password or password_file"],
    [{ password: "p" }, "needs username"],
    [{ username: "u", password: "p", password_file: "/f" }, "excludes password"],
    [{ cert_file: "/c" }, "needs key_file"],
    [{ key_file: "/k" }, "needs cert_file"],
  ])("of %j: %s", (given, problem) => {
    const parsed = Config.safeParse(given);
    const issue = parsed.error?.issues[0];
    expect(issue === undefined ? null : issue.code === "custom" ? issue.message : issue.code).toBe(problem);
  });

  it("may be parsed twice", () => {
    const once = Config.parse({ username: "u", password: "p" });
    expect(Config.parse(once)).toEqual(once);
  });
});
