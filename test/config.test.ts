import { describe, expect, it } from "vitest";
import { agentConfig, clientConfig } from "../src/cli/configs.ts";
import { parseLine } from "../src/cli/parse.ts";
import { resolve } from "../src/cli/resolve.ts";
import { filesOf } from "./cli/fake-io.ts";
import { makeCertificates } from "./support/certificates.ts";

const made = await makeCertificates([]);
const table = filesOf({
  "cert.pem": made.server.cert,
  "key.pem": made.server.key,
  "ca.pem": made.ca.cert,
  "other-key.pem": made.client.key,
  "not.pem": "this is no PEM",
  "cut-ca.pem": `${made.ca.cert}${made.ca.cert.slice(0, 200)}\n`,
  "bad-ca.pem": "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n",
  "two-ca.pem": `two authorities\n${made.ca.cert}\n${made.server.cert}`,
  token: "token\n",
  tokens: "one\ntwo\n",
  jeton: "jeton-é\n",
  secret: "0123456789abcdef\n",
  short: "0123456789abcde\n",
  empty: " \n",
});
/** `db` is a directory, `file` is a file. */
const files = {
  read(path: string): string {
    if (path === "db/.") throw Object.assign(new Error("EISDIR"), { code: "EISDIR" });
    if (path === "file/.") throw Object.assign(new Error("ENOTDIR"), { code: "ENOTDIR" });
    return table.read(path);
  },
  list: table.list,
};

async function settingsOf(line: string) {
  const parsed = parseLine(line.split(" ").filter((word) => word !== ""));
  if (parsed.kind !== "run") return expect.unreachable("asks for help");
  return resolve(parsed, { env: {}, files });
}

async function configOf(flags: string, more: { terminal?: boolean } = {}) {
  return agentConfig(await settingsOf(`agent ${flags}`), {
    files,
    terminal: { stderr: more.terminal ?? false },
    checkProviderConfig: async (_mode, value) => ({ ok: true, value }),
  });
}

const etcd = "-disco-mode=etcd-kv";
const disco = "-disco-mode=disco -disco-url=http://disco:4300 -disco-id=abc";
const NO_STORE = "is required without a store; the number of voters that create the cluster";
const tls = "-tls-cert=cert.pem -tls-key=key.pem";

describe("an agent's configuration", () => {
  it("has defaults for everything but the mode", async () => {
    expect(await configOf(etcd)).toEqual({
      nodeId: null,
      httpAddr: { host: "127.0.0.1", port: 4100 },
      httpAdvAddr: { host: "127.0.0.1", port: 4100 },
      dnsAddr: null,
      dataDir: "./rollcall-data",
      disco: { mode: "etcd-kv", key: "rollcall", provider: {} },
      bootstrapExpect: 1,
      bootstrapExpectTimeoutMs: 120_000,
      exitOnTimeout: false,
      voter: true,
      genesis: "auto",
      formation: "single",
      db: {
        kind: "none",
        addr: null,
        advAddr: null,
        peerAddr: null,
        dataDir: null,
        config: {},
        probeIntervalMs: 1_000,
      },
      supervision: null,
      hooks: {
        init: null,
        bootstrap: null,
        join: null,
        membersChange: null,
        leaderChange: null,
        roleChange: null,
        leave: null,
      },
      outputs: { env: null, json: null, hosts: null },
      tls: null,
      tokenFile: null,
      clusterSecretFile: null,
      insecure: false,
      log: { level: "info", format: "json" },
    });
  });

  it("logs text on a terminal unless told otherwise", async () => {
    expect((await configOf(etcd, { terminal: true })).log.format).toBe("text");
    expect((await configOf(`${etcd} -log-format=json`, { terminal: true })).log.format).toBe("json");
  });

  it("takes the key from the Discovery Service's id, and hands id and URL to the provider", async () => {
    const { disco: config } = await configOf(`${disco} -disco-config={"token_file":"t"}`);
    expect(config).toEqual({
      mode: "disco",
      key: "abc",
      provider: { token_file: "t", url: "http://disco:4300", id: "abc" },
    });
    expect((await configOf(`${disco} -disco-key=prod`)).disco.key).toBe("prod");
  });

  it("splits a command at white space, or takes its words from JSON", async () => {
    expect((await configOf(`${etcd} -on-init=/init.sh`)).hooks.init).toEqual(["/init.sh"]);
    expect((await configOf(`${etcd} -on-init=["/init.sh","a\\tb"]`)).hooks.init).toEqual([
      "/init.sh",
      "a\tb",
    ]);
  });

  it.each([
    `${etcd} -http-addr=10.0.0.1:4100 -insecure`,
    `${etcd} -http-addr=10.0.0.1:4100 -cluster-secret-file=secret`,
    `${etcd} -http-addr=10.0.0.1:4100 ${tls} -tls-ca=ca.pem -tls-client-auth`,
    `${etcd} -http-addr=0.0.0.0:4100 -http-adv-addr=node1:4100 -insecure`,
    `${etcd} -http-addr=[::1]:4100`,
    `${etcd} -http-addr=localhost:4100`,
    `${etcd} -non-voter -bootstrap-expect=3`,
    `${etcd} -db-adv-addr=https://node1:4001 -db-peer-addr=[2001:db8::1]:4002`,
    `${etcd} -token-file=token`,
    `${etcd} -dns-addr=127.0.0.1:5300`,
    `${etcd} -dns-addr=0.0.0.0:4100 -http-addr=[::1]:4100`,
    `${etcd} -dns-addr=127.0.0.2:4100`,
    `${etcd} -disco-key=a/b.c/d-e/f_g`,
    `${etcd} -disco-key=members/init.d/x-retired`,
    `${etcd} -http-addr=10.0.0.1:4100 ${tls} -insecure`,
    `${etcd} -http-addr=10.0.0.1:4100 ${tls} -cluster-secret-file=secret`,
    `${etcd} ${tls}`,
    `${etcd} ${tls} -tls-ca=two-ca.pem`,
    `${etcd} -data-dir=data -db-data-dir=db`,
    `${etcd} -data-dir=data -db-data-dir=data-db`,
    `${etcd} -data-dir=data -db-data-dir=not-there-yet`,
    `${etcd} -data-dir=/x/a -db-data-dir=/x/..a`,
    `${etcd} -data-dir=${"d".repeat(89)}`,
    "-disco-mode=dns -bootstrap-expect=3 -genesis=never",
    "-disco-mode=dns-srv -non-voter",
    "-join=a -non-voter -genesis=never",
  ])("takes %s", async (flags) => {
    await expect(configOf(flags)).resolves.toBeTruthy();
  });

  it.each([
    ["-join=self", [], 1],
    ["-join=self -bootstrap-expect=1", [], 1],
    ["-join=10.0.0.1,node2:4200,[::1] -bootstrap-expect=3", ["10.0.0.1", "node2:4200", "[::1]"], 3],
    ["-join=a,b -non-voter", ["a", "b"], 1],
    ["-join=n1.example.com.,n2.:4100 -non-voter", ["n1.example.com.", "n2.:4100"], 1],
  ] as const)("takes %s as agents that are given", async (flags, addresses, expect_) => {
    const { disco, bootstrapExpect } = await configOf(flags);
    expect(disco).toEqual({ mode: "static", key: "rollcall", provider: { addresses } });
    expect(bootstrapExpect).toBe(expect_);
  });

  it.each([
    [
      "",
      "-disco-mode: is required; one of consul-kv, etcd-kv, disco, dns, dns-srv, consul-service, file, http; or -join with the agents",
    ],
    [`${etcd} -join=a`, "-join: does not go with -disco-mode=etcd-kv; leave one of the two out"],
    ["-join=a,self -bootstrap-expect=2", "-join: self stands alone, for a single node"],
    ["-join=a,,b -bootstrap-expect=2", '-join: "a,,b" has an empty place between commas'],
    ["-join=a:x -bootstrap-expect=2", '-join: "a:x" must have a port from 1 to 65535'],
    ["-join=http://a -bootstrap-expect=2", '-join: "http://a" must be host:port, without a scheme'],
    ['-join=a -disco-config={"name":"x"}', "-disco-config: belongs to -disco-mode, not to -join"],
    ["-join=a -disco-id=x", "-disco-id: belongs to -disco-mode=disco, not to -join"],
    ["-join=a,b", `-bootstrap-expect: ${NO_STORE}`],
    ["-disco-mode=dns", `-bootstrap-expect: ${NO_STORE}`],
    ["-disco-mode=dns-srv", `-bootstrap-expect: ${NO_STORE}`],
    ["-disco-mode=consul-service", `-bootstrap-expect: ${NO_STORE}`],
    ["-disco-mode=file", `-bootstrap-expect: ${NO_STORE}`],
    ["-disco-mode=http", `-bootstrap-expect: ${NO_STORE}`],
    ["-join=self -bootstrap-expect=3", "-bootstrap-expect: 3 does not go with -join=self"],
    ["-join=self -non-voter", "-non-voter: does not go with -join=self, which is this node alone"],
    ["-join=self -genesis=strict", "-genesis: strict does not go with -join: no store keeps the record"],
    [
      "-disco-mode=dns -bootstrap-expect=3 -genesis=strict",
      "-genesis: strict does not go with -disco-mode=dns: no store",
    ],
    ["-disco-mode=disco", "-disco-url: is required with -disco-mode=disco"],
    ["-disco-mode=disco -disco-url=http://d", "-disco-id: is required with -disco-mode=disco"],
    [`${disco.replace("http", "ftp")}`, "-disco-url: must be a URL that begins with http:// or https://"],
    [
      `-disco-mode=disco -disco-id=a -disco-url=http://u:p@d`,
      "-disco-url: must have no user, query or fragment",
    ],
    ["-disco-mode=disco -disco-url=http://d -disco-id=A", "-disco-id: must be 1 to 4 segments"],
    [`${disco} -disco-config={"url":"http://x"}`, "-disco-config: url: is given with -disco-url"],
    [`${etcd} -disco-id=abc`, "-disco-id: belongs to -disco-mode=disco, not to etcd-kv"],
    [`${etcd} -disco-url=http://d`, "-disco-url: belongs to -disco-mode=disco, not to etcd-kv"],
    [
      `${etcd} -http-addr=0.0.0.0:4100 -insecure`,
      "-http-adv-addr: others cannot connect to -http-addr 0.0.0.0:4100",
    ],
    [`${etcd} -http-adv-addr=0.0.0.0:4100`, "-http-adv-addr: others cannot connect to 0.0.0.0:4100"],
    [`${etcd} -http-adv-addr=[::]:4100`, "-http-adv-addr: others cannot connect to [::]:4100"],
    [`${etcd} -http-adv-addr=[0:0::0]:4100`, "-http-adv-addr: others cannot connect to [::]:4100"],
    [`${etcd} -http-addr=10.0.0.1:4100`, "-http-addr: 10.0.0.1:4100 is open beyond this machine and needs"],
    [`${etcd} -http-addr=node1:4100`, "-http-addr: node1:4100 is open beyond this machine and needs"],
    [`${etcd} -http-addr=10.0.0.1:4100 -token-file=token`, "-http-addr: 10.0.0.1:4100 is open"],
    [`${etcd} -tls-cert=cert.pem`, "-tls-cert: needs -tls-key"],
    [`${etcd} -tls-key=key.pem`, "-tls-key: needs -tls-cert"],
    [`${etcd} -tls-ca=ca.pem`, "-tls-ca: needs -tls-cert and -tls-key"],
    [`${etcd} ${tls} -tls-client-auth`, "-tls-client-auth: needs -tls-ca"],
    [`${etcd} -tls-client-auth`, "-tls-client-auth: needs -tls-ca"],
    [`${etcd} ${tls} -tls-ca=none.pem`, "-tls-ca: none.pem: no such file"],
    [`${etcd} -tls-cert=empty -tls-key=key.pem`, "-tls-cert: empty: is empty"],
    [`${etcd} -token-file=none`, "-token-file: none: no such file"],
    [`${etcd} -token-file=empty`, "-token-file: empty: is empty"],
    [`${etcd} -cluster-secret-file=none`, "-cluster-secret-file: none: no such file"],
    [
      `${etcd} -cluster-secret-file=short`,
      "-cluster-secret-file: short: has 15 bytes; a secret needs at least 16",
    ],
    [`${etcd} -db-adv-addr=0.0.0.0:4001`, "-db-adv-addr: others cannot connect to 0.0.0.0:4001"],
    [`${etcd} -db-peer-addr=[::]:4002`, "-db-peer-addr: others cannot connect to [::]:4002"],
    [
      `${etcd} -http-addr=10.0.0.1:4100 ${tls} -tls-ca=ca.pem`,
      "-http-addr: 10.0.0.1:4100 is open beyond this machine, and TLS alone keeps nobody out",
    ],
    [`${etcd} ${tls} -tls-ca=ca.pem -tls-client-auth -insecure`, "-insecure: lets everybody in"],
    [`${etcd} -disco-key=a/members`, "-disco-key: must not have members, init or retired"],
    [`${etcd} -disco-key=a/init/b`, "-disco-key: must not have members, init or retired"],
    [`${disco.replace("abc", "a/b/retired")}`, "-disco-id: must not have members, init or retired"],
    [`${etcd} ${tls} -tls-ca=not.pem`, "-tls-ca: not.pem: is no certificate in PEM"],
    [`${etcd} ${tls} -tls-ca=key.pem`, "-tls-ca: key.pem: is no certificate in PEM"],
    [`${etcd} ${tls} -tls-ca=bad-ca.pem`, "-tls-ca: bad-ca.pem: is no certificate in PEM"],
    [`${etcd} ${tls} -tls-ca=cut-ca.pem`, "-tls-ca: cut-ca.pem: is no certificate in PEM"],
    [`${etcd} -token-file=tokens`, "-token-file: tokens: must hold one token, in one line of ASCII"],
    [`${etcd} -token-file=jeton`, "-token-file: jeton: must hold one token, in one line of ASCII"],
    [`${etcd} -tls-cert=not.pem -tls-key=key.pem`, "-tls-cert: not.pem: is no certificate in PEM"],
    [`${etcd} -tls-cert=cert.pem -tls-key=not.pem`, "-tls-key: not.pem: is no private key in PEM"],
    [
      `${etcd} -tls-cert=cert.pem -tls-key=other-key.pem`,
      "-tls-key: other-key.pem: is not the key of the certificate cert.pem",
    ],
    [`${etcd} -data-dir=d -db-data-dir=./d/`, "-db-data-dir: ./d/ and -data-dir d are one"],
    [`${etcd} -data-dir=d -db-data-dir=d/db`, "-db-data-dir: d/db and -data-dir d are one, or one is in"],
    [`${etcd} -data-dir=d/agent -db-data-dir=d`, "-db-data-dir: d and -data-dir d/agent are one, or one"],
    [`${etcd} -db-data-dir=.`, "-db-data-dir: . and -data-dir ./rollcall-data are one, or one is in"],
    [`${etcd} -db-data-dir=file`, "-db-data-dir: file: is no directory"],
    [`${etcd} -data-dir=file`, "-data-dir: file: is no directory"],
    [`${etcd} -data-dir=${"d".repeat(90)}`, "is too long for the lock in it"],
    [`${etcd} -formation=symmetric -on-init=/init.sh`, "-on-init: does not go with -formation=symmetric"],
    [
      `${etcd} -http-addr=127.0.0.1:4002 -db=rqlite -- rqlited db`,
      "-http-addr: 127.0.0.1:4002 is also the database's for its peers; one of them needs another port",
    ],
    [
      `${etcd} -db=rqlite -db-data-dir=db -db-addr=127.0.0.1:4100`,
      "-http-addr: 127.0.0.1:4100 is also the database's;",
    ],
    [
      `${etcd} -db-adv-addr=https://127.0.0.1:4100`,
      "-http-addr: 127.0.0.1:4100 is also the database's for clients",
    ],
    [
      `${etcd} -http-addr=0.0.0.0:4001 -http-adv-addr=10.0.0.1:4100 -insecure -db-adv-addr=10.0.0.1:4001`,
      "-http-addr: 0.0.0.0:4001 is also the database's for clients",
    ],
    [
      `${etcd} -dns-addr=127.0.0.1:4100`,
      "-dns-addr: 127.0.0.1:4100 is also the agent's own, -http-addr; one of them needs another port",
    ],
    [`${etcd} -dns-addr=0.0.0.0:4100`, "-dns-addr: 0.0.0.0:4100 is also the agent's own, -http-addr;"],
    [
      `${etcd} -dns-addr=localhost:4001 -db=rqlite -db-data-dir=db -db-addr=127.0.0.1:4001`,
      "-dns-addr: localhost:4001 is also the database's;",
    ],
    [
      `${etcd} -dns-addr=[::]:4002 -db=rqlite -- rqlited db`,
      "-dns-addr: [::]:4002 is also the database's for its peers;",
    ],
    [`${etcd} -db-adv-addr=node1`, '-db-adv-addr: "node1" has no port; write node1:4001'],
    [`${etcd} -db-peer-addr=node1`, '-db-peer-addr: "node1" has no port; write node1:4002'],
    [`${etcd} -db=rqlite`, "-db-data-dir: is required with -db=rqlite"],
    [`${etcd} -db=rqlite -db-data-dir=x -db-addr=a:b`, "-db-addr:"],
    [`${etcd} -db=rqlite -db-data-dir=x -db-config={"pasword":"x"}`, "-db-config: pasword: unknown key"],
    [`${etcd} -db=rqlite -on-init=/x -- rqlited d`, "-on-init: does not go with -formation=symmetric, the"],
    [`${etcd} -db=rqlite -db-data-dir=x -- sleep 5`, "--: has no rqlited in it; {{args}} stands for"],
    [`${etcd} -db=rqlite -- rqlited -join a:1 d`, "--: -join: the agent decides that"],
    [`${etcd} -db=rqlite -- rqlited -raft-non-voter d`, "--: -raft-non-voter: the agent counts this node"],
    [`${etcd} -db=rqlite -node-id=a -- rqlited -node-id b d`, "-node-id: a is not the -node-id after --, b"],
    [`${etcd} -- sleep {{joi}}`, "--: {{joi}}: unknown placeholder (did you mean {{join}}?)"],
    [`${etcd} -db=http`, "-db-addr: is required with -db=http"],
    [`${etcd} -db-addr=127.0.0.1:4001`, "-db-addr: needs -db: without it no database is asked"],
    [`${etcd} -on-role-change=/x`, "-on-role-change: needs -db"],
    [`${etcd} -output-env=a -output-hosts=a`, "a is given twice"],
  ])("refuses %s in one line", async (flags, line) => {
    const error = await configOf(flags).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "usage", message: expect.stringContaining(line) });
    expect(String((error as Error).message)).not.toContain("\n");
  });
});

describe("the database of an agent", () => {
  it("is told of by its own command line, and else by the adapter", async () => {
    const given = "-http-addr 0.0.0.0:5001 -raft-addr=0.0.0.0:5002 /var/lib/rqlite";
    const all = `${etcd} -http-adv-addr=node1:4100 -db=rqlite -- setpriv rqlited -node-id n7 ${given}`;
    expect(await configOf(all)).toMatchObject({
      nodeId: "n7",
      formation: "symmetric",
      db: {
        kind: "rqlite",
        addr: "127.0.0.1:5001",
        advAddr: "node1:5001",
        peerAddr: "node1:5002",
        dataDir: "/var/lib/rqlite",
        probeIntervalMs: 250,
      },
      supervision: { argumentsAt: 2, restart: "on-failure", stopTimeoutMs: 25_000 },
    });
    expect(await configOf(`${etcd} -http-adv-addr=node1:4100 -db=rqlite -db-data-dir=x`)).toMatchObject({
      db: { addr: "127.0.0.1:4001", advAddr: "node1:4001", peerAddr: "node1:4002", dataDir: "x" },
      supervision: null,
    });
    expect(await configOf(`${etcd} -- sleep {{kind}}`)).toMatchObject({
      formation: "single",
      supervision: { command: ["sleep", "{{kind}}"], argumentsAt: null },
    });
  });
});

describe("where a command asks", () => {
  it.each([
    ["", "127.0.0.1", false],
    ["-addr=10.0.0.9:1", "10.0.0.9", false],
    ["-http-addr=0.0.0.0:4100 -http-adv-addr=node1:4100", "127.0.0.1", false],
    ["-http-addr=[::]:4100", "::1", false],
    ["-http-addr=10.0.0.1:4100", "10.0.0.1", false],
    ["-http-addr=10.0.0.1:4100 -http-adv-addr=node1:4100", "node1", false],
    [`-http-addr=0.0.0.0:4100 -http-adv-addr=node1:4100 ${tls}`, "node1", true],
    ["-tls-ca=ca.pem", "127.0.0.1", true],
  ])("with %j is %s", async (flags, host, secure) => {
    const config = clientConfig(await settingsOf(`status ${flags}`), files);
    expect([config.addr.host, config.tls !== null]).toEqual([host, secure]);
  });

  it("needs a key with a certificate, and files that are there", async () => {
    const halved = await settingsOf("status -tls-cert=cert.pem");
    expect(() => clientConfig(halved, files)).toThrow("-tls-cert: needs -tls-key");
    const missing = await settingsOf("status -token-file=none");
    expect(() => clientConfig(missing, files)).toThrow("-token-file: none: no such file");
    const mixed = await settingsOf("status -tls-cert=cert.pem -tls-key=other-key.pem");
    expect(() => clientConfig(mixed, files)).toThrow("is not the key of the certificate");
  });
});
