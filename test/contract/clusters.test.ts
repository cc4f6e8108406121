/** Stores of three servers: what happens when the leading one dies, and when the others do. */
import { afterAll, beforeAll, expect, it } from "vitest";
import * as consulKv from "../../providers/consul-kv.ts";
import * as etcdKv from "../../providers/etcd-kv.ts";
import type { Provider, Register } from "../../src/core/provider.ts";
import {
  type Cluster,
  type Consul,
  describeWith,
  type Etcd,
  startConsulCluster,
  startEtcdCluster,
} from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { contextFor, freshKey, member, patient, record } from "./stage.ts";

const signal = patient();

/** Writes the note as an agent would: read, swap, and read again whenever it is not known how that ended. */
async function write(register: Register, note: string): Promise<void> {
  const next = record("init", note);
  await until(
    async () => {
      const before = await register.read(signal);
      if (before?.value === next) return true;
      return (await register.swap(before, next, signal)).kind === "won";
    },
    { deadlineMs: 15_000, what: `${note} to be written`, everyMs: 20 },
  );
}

describeWith("consul", "three Consul servers", () => {
  let cluster: Cluster<Consul>;
  beforeAll(async () => {
    cluster = await startConsulCluster();
  });
  afterAll(() => cluster.stop());

  it("are written and read through a follower again after their leader was killed", async () => {
    const [follower] = await cluster.followers();
    const config = consulKv.Config.parse({ address: `${follower?.address}:${follower?.ports.http}` });
    const provider = await consulKv.open(config, contextFor(freshKey()));
    const { genesis, members } = provider;
    if (genesis === undefined || members === undefined) throw new TypeError("no register");
    await write(genesis, "before");
    await members.announce(member(), signal);

    await (await cluster.leader()).kill();
    await write(genesis, "after");
    expect((await genesis.read(signal))?.value).toBe(record("init", "after"));
    expect(await members.renew(signal)).toBe(true);
    expect((await provider.lookup(signal)).members).toEqual([member()]);
    await provider.close();
  });
});

describeWith("etcd", "three etcd servers", () => {
  let cluster: Cluster<Etcd>;
  let provider: Provider;
  beforeAll(async () => {
    cluster = await startEtcdCluster();
    const endpoints = cluster.nodes.map((node) => `${node.address}:${node.ports.client}`);
    provider = await etcdKv.open(etcdKv.Config.parse({ endpoints }), contextFor(freshKey()));
  });
  afterAll(async () => {
    await provider.close();
    await cluster.stop();
  });

  it("are written and read again after their leader was killed, and again after it is back", async () => {
    const { genesis, members } = provider;
    if (genesis === undefined || members === undefined) throw new TypeError("no register");
    await write(genesis, "before");
    await members.announce(member(), signal);

    const leader = await cluster.leader();
    await leader.kill();
    await write(genesis, "after");
    expect((await genesis.read(signal))?.value).toBe(record("init", "after"));
    await until(() => members.renew(signal), { deadlineMs: 5_000, what: "the lease to be renewed" });
    expect((await provider.lookup(signal)).members).toEqual([member()]);

    await leader.restart();
    await cluster.leader();
    await write(genesis, "healed");
  });

  it("end watches and refuse calls at once when one is left alone", async () => {
    const leader = await cluster.leader();
    const [first, second] = await cluster.followers();
    const endpoints = [`${first?.address}:${first?.ports.client}`];
    const config = etcdKv.Config.parse({ endpoints, timeout: "10s" });
    const lonely = await etcdKv.open(config, contextFor(freshKey()));
    const watching = lonely.watch?.(signal)[Symbol.asyncIterator]();
    await watching?.next();
    const told = watching?.next();
    await lonely.leaderKey?.swap(null, "seen by the watch", signal);
    await told;
    const waiting = watching?.next();
    await Promise.all([leader.kill(), second?.kill()]);
    await expect(waiting).rejects.toMatchObject({ code: "store_unreachable" });
    // The election takes up to half a second to fail; until then etcd still waits for a leader.
    const cannot = await until(
      () =>
        lonely.lookup(signal).then(
          () => null,
          (error: Error) => (/no leader/.test(error.message) ? error : null),
        ),
      { deadlineMs: 12_000, what: "etcd to know that it has no leader" },
    );
    expect(cannot).toMatchObject({ code: "store_unreachable" });
    expect(cannot.message).toBe(`look up: no leader (${endpoints[0]})`);
    await lonely.close();
  });
});
