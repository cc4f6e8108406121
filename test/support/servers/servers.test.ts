import { Resolver } from "node:dns/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificates } from "../certificates.ts";
import { request } from "../http.ts";
import { running } from "../processes.ts";
import { until } from "../wait.ts";
import type { Cluster } from "./cluster.ts";
import { type Consul, startConsul, startConsulCluster } from "./consul.ts";
import { base64, type Etcd, startEtcd, startEtcdCluster } from "./etcd.ts";
import { describeWith } from "./index.ts";
import { startKnot } from "./knot.ts";
import { startPrometheus } from "./prometheus.ts";
import { startRqlite } from "./rqlite.ts";

const SLOW = 30_000;

afterAll(() => {
  expect(running().map((child) => child.name)).toEqual([]);
});

describeWith("consul", "a Consul in memory", () => {
  let consul: Consul;
  beforeAll(async () => {
    consul = await startConsul({ sessionTtlMin: "1s" });
  }, SLOW);
  afterAll(() => consul.stop(), SLOW);

  it("takes a write and gives it back", async () => {
    const put = await consul.request("/v1/kv/a?cas=0", { method: "PUT", body: "1" });
    expect(put.body.trim()).toBe("true");
    expect((await consul.request("/v1/kv/a?raw")).body).toBe("1");
  });

  it("accepts a session as short as asked for", async () => {
    const session = (ttl: string) =>
      consul.request("/v1/session/create", { method: "PUT", body: JSON.stringify({ TTL: ttl }) });
    expect((await session("1s")).status).toBe(200);
    expect((await session("500ms")).body).toContain("Invalid Session TTL");
  });

  it("hangs while paused and answers again when resumed", async () => {
    await consul.pause();
    expect(consul.running()).toBe(false);
    await expect(consul.request("/v1/kv/a", { timeoutMs: 100 })).rejects.toThrow();
    consul.resume();
    expect((await consul.request("/v1/kv/a?raw")).body).toBe("1");
  });

  it("does not pretend to keep what it forgets", async () => {
    await expect(consul.restart()).rejects.toMatchObject({ code: "test_misuse" });
  });

  it(
    "comes back empty at the same place",
    async () => {
      const pid = consul.pid();
      await consul.restart({ wipe: true });
      expect(consul.pid()).not.toBe(pid);
      expect((await consul.request("/v1/kv/a")).status).toBe(404);
    },
    SLOW,
  );
});

describeWith("consul", "a Consul on disk", () => {
  it(
    "keeps its data through a kill, and loses it on a wipe",
    async () => {
      const consul = await startConsul({ disk: true });
      await consul.request("/v1/kv/a", { method: "PUT", body: "1" });
      await consul.kill();
      await expect(consul.request("/v1/kv/a")).rejects.toThrow("ECONNREFUSED");
      await consul.restart();
      expect((await consul.request("/v1/kv/a?raw")).body).toBe("1");
      await consul.restart({ wipe: true });
      expect((await consul.request("/v1/kv/a")).status).toBe(404);
      await consul.stop();
    },
    SLOW,
  );
});

describeWith(["consul", "openssl"], "a Consul with TLS and ACLs", () => {
  let consul: Consul;
  beforeAll(async () => {
    consul = await startConsul({ tls: true, acl: true });
  }, SLOW);
  afterAll(() => consul.stop(), SLOW);

  it("refuses a client without a certificate, and one of a stranger", async () => {
    const ca = consul.tls?.ca.cert ?? "";
    const stranger = (await makeCertificates([consul.address])).client;
    const { cert, key } = stranger;
    await expect(request(`${consul.url}/v1/kv/a`, { tls: { ca } })).rejects.toThrow(/certificate|ECONNRESET/);
    await expect(request(`${consul.url}/v1/kv/a`, { tls: { ca, cert, key } })).rejects.toThrow();
    expect((await consul.request("/v1/kv/a")).status).toBe(404);
  });

  it("denies everything to nobody, and what the rules leave out to a token", async () => {
    const token = await consul.policyToken('key_prefix "rollcall/" { policy = "write" }');
    const put = (key: string, as: string | null) =>
      consul.request(`/v1/kv/${key}`, { method: "PUT", body: "1", token: as });
    expect((await put("rollcall/a", null)).status).toBe(403);
    expect((await put("rollcall/a", token)).status).toBe(200);
    expect((await put("other/a", token)).status).toBe(403);
  });
});

describeWith("consul", "three Consul servers", () => {
  it(
    "write again after their leader was killed",
    async () => {
      const cluster = await startConsulCluster(3);
      await writesAfterLeaderKill(cluster, async (node) => {
        return (await node.request("/v1/kv/a", { method: "PUT", body: "1" })).status === 200;
      });
    },
    SLOW,
  );
});

describeWith("knotd", "a Knot", () => {
  it(
    "serves other records at once, also after a kill",
    async () => {
      const knot = await startKnot(["n1 60 A 10.0.0.1"]);
      const resolver = new Resolver();
      resolver.setServers([knot.endpoint]);
      expect(await resolver.resolve4("n1.test")).toEqual(["10.0.0.1"]);
      await knot.setRecords(["n1 60 A 10.0.0.2"]);
      expect(await resolver.resolve4("n1.test")).toEqual(["10.0.0.2"]);
      await knot.kill();
      await knot.restart();
      await knot.setRecords(["n1 60 A 10.0.0.3"]);
      expect(await resolver.resolve4("n1.test")).toEqual(["10.0.0.3"]);
      await knot.stop();
    },
    SLOW,
  );
});

describeWith("etcd", "an etcd", () => {
  let etcd: Etcd;
  beforeAll(async () => {
    etcd = await startEtcd();
  }, SLOW);
  afterAll(() => etcd.stop());

  it(
    "keeps its data through a kill, and loses it on a wipe",
    async () => {
      await etcd.call("/v3/kv/put", { key: base64("a"), value: base64("1") });
      await etcd.kill();
      await etcd.restart();
      expect(await etcd.call("/v3/kv/range", { key: base64("a") })).toMatchObject({ count: "1" });
      await etcd.restart({ wipe: true });
      expect(await etcd.call("/v3/kv/range", { key: base64("a") })).not.toHaveProperty("count");
    },
    SLOW,
  );

  it(
    "ends when stopped while paused",
    async () => {
      const other = await startEtcd();
      await other.pause();
      await other.stop();
      expect(other.running()).toBe(false);
    },
    SLOW,
  );
});

describeWith(["etcd", "openssl"], "an etcd with TLS and users", () => {
  let etcd: Etcd;
  beforeAll(async () => {
    etcd = await startEtcd({ tls: true, auth: { prefix: "rollcall/" } });
  }, SLOW);
  afterAll(() => etcd.stop());

  it("refuses a client without a certificate", async () => {
    const ca = etcd.tls?.ca.cert ?? "";
    await expect(request(`${etcd.url}/health`, { tls: { ca } })).rejects.toThrow(/certificate|ECONNRESET/);
  });

  it("lets root do all, the user its prefix, and nobody anything", async () => {
    const user = etcd.users?.user ?? null;
    const put = (key: string) => ({ key: base64(key), value: base64("1") });
    await etcd.call("/v3/kv/put", put("other/a"));
    await etcd.call("/v3/kv/put", put("rollcall/a"), user);
    await expect(etcd.call("/v3/kv/put", put("other/a"), user)).rejects.toMatchObject({
      facts: { status: 403 },
    });
    await expect(etcd.call("/v3/kv/put", put("rollcall/a"), null)).rejects.toMatchObject({ code: "etcd" });
  });

  it(
    "keeps its users through a restart, and makes them anew after a wipe",
    async () => {
      await etcd.restart();
      await etcd.call("/v3/kv/put", { key: base64("a"), value: base64("1") });
      await etcd.restart({ wipe: true });
      expect(await etcd.call("/v3/kv/range", { key: base64("a") })).not.toHaveProperty("count");
    },
    SLOW,
  );
});

describeWith("etcd", "three etcd servers", () => {
  it(
    "write again after their leader was killed",
    async () => {
      const cluster = await startEtcdCluster(3);
      const put = { key: base64("a"), value: base64("1") };
      await writesAfterLeaderKill(cluster, async (node) => "header" in (await node.call("/v3/kv/put", put)));
    },
    SLOW,
  );
});

describeWith("rqlited", "an rqlite node", () => {
  it(
    "elects itself and answers queries",
    async () => {
      const rqlite = await startRqlite();
      const reply = await rqlite.request("/db/query?q=SELECT%201");
      expect(JSON.parse(reply.body)).toMatchObject({ results: [{ values: [[1]] }] });
      await rqlite.stop();
    },
    SLOW,
  );
});

describe("a server that cannot start", () => {
  it(
    "fails with what it wrote",
    async () => {
      const failing = startEtcd({ args: ["--no-such-flag"] });
      await expect(failing).rejects.toMatchObject({ code: "server_start", message: /no-such-flag/ });
    },
    SLOW,
  );
});

async function writesAfterLeaderKill<Node extends Consul | Etcd>(
  cluster: Cluster<Node>,
  write: (node: Node) => Promise<boolean>,
): Promise<void> {
  const leader = await cluster.leader();
  const [follower] = await cluster.followers();
  expect(follower && (await write(follower))).toBe(true);
  await leader.kill();
  expect(await cluster.leader()).not.toBe(leader);
  await until(() => follower && write(follower), { deadlineMs: 10_000, what: "a write", everyMs: 50 });
  await leader.restart();
  await until(() => write(leader), {
    deadlineMs: 10_000,
    what: "a write through the restarted node",
    everyMs: 50,
  });
  await cluster.stop();
}

describeWith("prometheus", "a Prometheus", () => {
  it(
    "takes its configuration",
    async () => {
      const prometheus = await startPrometheus(`  - job_name: none\n    static_configs: []`);
      const answer = await fetch(`${prometheus.url}/api/v1/targets`);
      expect(await answer.json()).toMatchObject({ status: "success", data: { activeTargets: [] } });
      await prometheus.stop();
    },
    SLOW,
  );
});
