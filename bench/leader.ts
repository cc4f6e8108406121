/**
 * How far the leader key and every agent are behind the database: three agents that supervise rqlited, whose
 * leader is killed again and again. The database's own election is the moment its new leader first says so.
 * Also what the probes cost the agent and the database. Run: npm run bench:leader [-- KILLS]
 */
import { readdirSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { request } from "../test/support/http.ts";
import { startConsul } from "../test/support/servers/consul.ts";
import { startEtcd } from "../test/support/servers/etcd.ts";
import { type Node, openNodes, untilLed } from "../test/support/supervised.ts";
import { until } from "../test/support/wait.ts";
import { median, quantile, spread, table } from "./figures.ts";

delete process.env.NODE_EXTRA_CA_CERTS;
const KILLS = Number(process.argv[2] ?? 30);
const PROBE_MS = 250;
const COST_MS = 20_000;

type Store = {
  readonly name: string;
  readonly flags: readonly string[];
  /** Calls back with the id in the leader key, whenever it changes. */
  watch(key: string, seen: (id: string) => void): () => void;
};

type Lag = { readonly key: number; readonly agents: readonly number[] };

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Follows an agent's transitions; calls back when its leader is another. */
function follow(node: Node, seen: (id: string | null) => void): () => void {
  const sent = get(`http://${node.agent().addr()}/v1/events`, (answer) => {
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        if (!/^event: leader$/m.test(block)) continue;
        seen(JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? "{}").after?.id ?? null);
      }
    });
    answer.on("error", () => {});
  });
  sent.on("error", () => {});
  return () => sent.destroy();
}

/** The moment one of the databases leads, and which: the killed one, which is started again, may win once more. */
async function election(nodes: readonly Node[]): Promise<{ at: number; id: string }> {
  const led = async (node: Node) => {
    const { body } = await node.ask("/status?key=store.raft", { timeoutMs: 500 });
    return JSON.parse(body).state === "Leader" ? { at: performance.now(), id: node.id } : null;
  };
  const looks = () => Promise.all(nodes.map((node) => led(node).catch(() => null)));
  return until(async () => (await looks()).find((one) => one !== null), {
    deadlineMs: 30_000,
    what: "an election",
    everyMs: 2,
  });
}

/** Null: the killed database was elected again, so that nothing had to be told. */
async function kill(nodes: readonly Node[], store: Store, key: string): Promise<Lag | null> {
  const leader = await untilLed(nodes);
  const survivors = nodes.filter((node) => node !== leader);
  const seen = new Map<string, { id: string | null; at: number }[]>();
  const note = (who: string) => (id: string | null) =>
    seen.set(who, [...(seen.get(who) ?? []), { id, at: performance.now() }]);
  const ends = [store.watch(key, note("key")), ...survivors.map((node) => follow(node, note(node.id)))];
  await sleep(200);
  process.kill(await leader.pid(), "SIGKILL");
  const { at, id } = await election(nodes);
  if (id === leader.id) {
    for (const end of ends) end();
    return null;
  }
  const when = (who: string) =>
    until(() => seen.get(who)?.find((one) => one.id === id)?.at, {
      deadlineMs: 10_000,
      what: `${who} to name ${id}`,
      everyMs: 1,
    });
  const lag = {
    key: (await when("key")) - at,
    agents: await Promise.all(survivors.map(async (node) => (await when(node.id)) - at)),
  };
  for (const end of ends) end();
  return lag;
}

/** Per cent of one core that a process took over `COST_MS`. */
async function cpuOf(pid: number): Promise<number> {
  const spent = () =>
    readdirSync(`/proc/${pid}/task`).reduce(
      (sum, task) =>
        sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e6,
      0,
    );
  const before = spent();
  await sleep(COST_MS);
  return ((spent() - before) / COST_MS) * 100;
}

/** What an agent takes while it probes, and its database with the probes and without. */
async function costs(nodes: readonly Node[]) {
  const leader = await untilLed(nodes);
  const follower = nodes.find((node) => node !== leader) ?? leader;
  await sleep(3_000);
  const [agent, led, followed] = await Promise.all([
    cpuOf(leader.agent().process().pid),
    leader.pid().then(cpuOf),
    follower.pid().then(cpuOf),
  ]);
  await Promise.all(nodes.map((node) => node.agent().pause()));
  await sleep(500);
  const pids = await Promise.all([leader, follower].map((node) => pidFile(node)));
  const [ledAlone = Number.NaN, followedAlone = Number.NaN] = await Promise.all(pids.map(cpuOf));
  for (const node of nodes) node.agent().resume();
  return { agent, led, ledAlone, followed, followedAlone };
}

async function pidFile(node: Node): Promise<number> {
  return JSON.parse(readFileSync(`${node.agent().dir}/data/supervised.json`, "utf8")).pid;
}

async function stores(): Promise<{ all: Store[]; stop: () => Promise<unknown> }> {
  const consul = await startConsul();
  const etcd = await startEtcd();
  const poll = (read: () => Promise<string | null>, seen: (id: string) => void) => {
    let on = true;
    let last = "";
    void (async () => {
      while (on) {
        const value = await read().catch(() => null);
        if (value !== null && value !== last) seen(JSON.parse(value).id);
        last = value ?? last;
        await sleep(1);
      }
    })();
    return () => {
      on = false;
    };
  };
  const at = `http://${consul.address}:${consul.ports.http}`;
  const client = `http://${etcd.address}:${etcd.ports.client}`;
  return {
    stop: () => Promise.all([consul.stop(), etcd.stop()]),
    all: [
      {
        name: "Consul",
        flags: [
          "-disco-mode=consul-kv",
          `-disco-config={"address":"${consul.address}:${consul.ports.http}"}`,
        ],
        watch: (key, seen) =>
          poll(async () => (await request(`${at}/v1/kv/${key}/leader?raw`)).body || null, seen),
      },
      {
        name: "etcd",
        flags: [
          "-disco-mode=etcd-kv",
          `-disco-config={"endpoints":["${etcd.address}:${etcd.ports.client}"]}`,
        ],
        watch: (key, seen) =>
          poll(async () => {
            const body = JSON.stringify({ key: Buffer.from(`/${key}/leader`).toString("base64") });
            const reply = await request(`${client}/v3/kv/range`, { method: "POST", body });
            const value = JSON.parse(reply.body).kvs?.[0]?.value;
            return value === undefined ? null : Buffer.from(value, "base64").toString("utf8");
          }, seen),
      },
    ],
  };
}

function verdict(name: string, lags: readonly number[]): string {
  const [half, all] = [PROBE_MS / 2 + 10, PROBE_MS + 25];
  const met = (value: number, most: number) =>
    `${value.toFixed(0)} ms, aim ${most} ms: ${value <= most ? "met" : "missed"}`;
  return `${name}: median ${met(median(lags), half)}; p99 ${met(quantile(lags, 0.99), all)}`;
}

async function main(): Promise<void> {
  const { all, stop } = await stores();
  const rows = [["store", "key behind the election, ms", "agents behind the election, ms"]];
  const lines: string[] = [];
  for (const [index, store] of all.entries()) {
    const fleet = openNodes();
    const key = `bench/leader-${index}`;
    const args = [...store.flags, `-disco-key=${key}`, "-bootstrap-expect=3", "-log-level=warn"];
    try {
      const nodes = await fleet.start(["a", "b", "c"], args);
      await untilLed(nodes);
      const spent = await costs(nodes);
      const lags: Lag[] = [];
      while (lags.length < KILLS) {
        const lag = await kill(nodes, store, key);
        if (lag !== null) lags.push(lag);
        process.stderr.write(`${store.name}: kill ${lags.length}/${KILLS}\n`);
      }
      const keys = lags.map((lag) => lag.key);
      const agents = lags.flatMap((lag) => lag.agents);
      rows.push([store.name, spread(keys), spread(agents)]);
      lines.push(verdict(`${store.name}, key`, keys), verdict(`${store.name}, agents`, agents));
      const { agent, led, ledAlone, followed, followedAlone } = spent;
      lines.push(
        `${store.name}: the agent takes ${agent.toFixed(2)} % of a core at ${PROBE_MS} ms probes, aim 0.6 %: ${agent <= 0.6 ? "met" : "missed"}`,
        `${store.name}: the probes cost the leading database ${(led - ledAlone).toFixed(2)} % of a core (${led.toFixed(2)} with, ${ledAlone.toFixed(2)} without), a follower ${(followed - followedAlone).toFixed(2)} % (${followed.toFixed(2)}, ${followedAlone.toFixed(2)})`,
      );
    } finally {
      await fleet.end();
    }
  }
  process.stdout.write(
    `${KILLS} kills of the leading rqlited a store; medians (min-max)\n\n${table(rows)}\n\n${lines.join("\n")}\n`,
  );
  await stop();
}

await main();
