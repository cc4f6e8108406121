/**
 * One simulated machine: a disk, an address, the shipped agent with whatever flags, and beside it a database that
 * does what a real one's start script does: it waits for the outcome, and creates or joins.
 */
import type { AgentDeps, Ended } from "../../src/agent/agent.ts";
import type { HookResult } from "../../src/agent/hooks.ts";
import type { AgentConfig } from "../../src/config.ts";
import type { Outcome } from "../../src/core/model.ts";
import type { Provider } from "../../src/core/provider.ts";
import { codeOf, reason } from "../../src/lib/errors.ts";
import type { Disk } from "../../src/lib/files.ts";
import type { Answer, Ask } from "../../src/lib/request.ts";
import { DATA_DIR, DB_DIR, type VirtualDisk, virtualDisk } from "./disk.ts";
import { beginLife, type Life } from "./life.ts";
import type { Network } from "./network.ts";
import { hasVoted, IDENTITY_FILE, type Oracle } from "./oracle.ts";
import type { Mode } from "./shape.ts";
import type { World } from "./world.ts";

/** The agent as it is shipped, or a mutant of it. */
export type Program = {
  readonly runAgent: (config: AgentConfig, deps: AgentDeps, stop: AbortSignal) => Promise<Ended>;
};

/** What an operator may set differently at each start. */
export type Flags = {
  readonly id: string;
  readonly host: string;
  readonly expect: number;
  readonly voter: boolean;
  readonly formation: "single" | "symmetric";
  readonly initialises: boolean;
};

export type Place = {
  readonly world: World;
  readonly network: Network;
  readonly oracle: Oracle;
  readonly program: Program;
  readonly mode: Mode;
  readonly openProvider: (host: string, life: Life) => Provider;
  /** An agent has made the names in its data directory durable: who it is from now on, it is for good. */
  readonly kept: (node: SimNode) => void;
};

export type SimNode = {
  /** Names the machine; two machines may have one node id. */
  readonly name: string;
  readonly disk: VirtualDisk;
  flags(): Flags;
  life(): Life | null;
  isUp(): boolean;
  /** Starts the agent where none runs. */
  start(change?: Partial<Flags>): void;
  /** SIGKILL, or with `power` the whole machine. */
  kill(power: boolean): void;
  /** Its operator kills it, and starts it with other flags. */
  restart(change: Partial<Flags>): void;
  /** SIGTERM. */
  stop(): void;
  /** The world ends: what its lives wait for would never be let go of otherwise. */
  end(): void;
  /** It is killed at the n-th point from now that is named so. */
  killAt(points: number, power: boolean, where?: RegExp): void;
  /** Something else happens to it at the n-th such point. */
  strikeAt(points: number, where: RegExp, then: () => void): void;
  /** The genesis that this life of the agent has settled on. */
  settled(): Outcome | null;
  /** Why the agent ended by itself, and has not been started again; null: it has not. */
  ended(): string | null;
};

const DB_FILE = `${DB_DIR}/cluster`;
const INIT_FILE = `${DB_DIR}/initialised`;

/** A machine whose agent has never run. `again`: called when the agent has ended by itself, to be started by somebody. */
export function simNode(place: Place, name: string, given: Flags, again: (node: SimNode) => void): SimNode {
  const { world, network, oracle } = place;
  const { time, chance, note, count } = world;
  const disk = virtualDisk(chance, ["data", "db"], (path, text) => {
    diskFailed = true;
    count(path === `${IDENTITY_FILE}.new` && hasVoted(text) ? "disk full at a vote" : "disk full");
  });
  let flags = given;
  let life: Life | null = null;
  let stopping = new AbortController();
  const lives: AbortController[] = [];
  let outcome: Outcome | null = null;
  /** What is to happen to it, and at how many more points that are named so. */
  let left: { points: number; readonly where: RegExp; readonly then: () => void }[] = [];
  let ended: string | null = null;
  /** In this life. */
  let diskFailed = false;

  const end = (how: string) => {
    note("end", `${name} ${how}`);
    life?.kill();
    life = null;
    outcome = null;
  };
  const fail = () => {
    const { torn, lost } = disk.fail();
    if (torn) count("unsynced torn");
    if (lost) count("unsynced lost");
  };

  const node: SimNode = {
    name,
    disk,
    flags: () => flags,
    life: () => life,
    isUp: () => life !== null,
    start(change = {}) {
      if (life !== null) return;
      flags = { ...flags, ...change };
      ended = null;
      diskFailed = false;
      note("start", `${name} ${JSON.stringify(flags)}`);
      let silent = true;
      const mine = beginLife(time, (what) => {
        if (silent && /^(?:ask|announce)/.test(what)) {
          silent = false;
          oracle.speaks(node);
        }
        for (const one of left) {
          if (life !== mine || !one.where.test(what)) continue;
          one.points -= 1;
          if (one.points > 0) continue;
          left = left.filter((other) => other !== one);
          one.then();
        }
      });
      life = mine;
      stopping = new AbortController();
      lives.push(stopping);
      void run(mine, stopping.signal);
    },
    kill(power) {
      if (life === null) return;
      count(power ? "power failed" : "killed");
      end(power ? "power" : "killed");
      if (power) fail();
      again(node);
    },
    restart(change) {
      node.kill(false);
      node.start(change);
    },
    stop() {
      if (life === null || stopping.signal.aborted) return;
      count("told to stop");
      oracle.told(node, life);
      stopping.abort();
    },
    end() {
      life?.kill();
      life = null;
      for (const one of lives) one.abort();
    },
    killAt(points, power, where = /./) {
      node.strikeAt(points, where, () => node.kill(power));
    },
    strikeAt(points, where, then) {
      left = [...left, { points, where, then }];
    },
    settled: () => outcome,
    ended: () => ended,
  };

  const run = async (mine: Life, stop: AbortSignal) => {
    const { host } = flags;
    const deps = depsOf(place, { node, mine, host, hook });
    void beside(mine, host);
    const how = await place.program.runAgent(configOf(flags, place.mode), deps, stop).then(
      ({ by }) => ({ by, threw: null }),
      (error: unknown) => ({ by: "itself", threw: error }),
    );
    if (life !== mine) return;
    end(how.threw === null ? how.by : reason(how.threw));
    ended = how.threw === null ? null : reason(how.threw);
    if (how.threw !== null) oracle.threw(node, how.threw, diskFailed);
    again(node);
  };

  /** `-on-init`: puts something into the database's directory, and may be cut short or fail. */
  const hook = async (mine: Life, payload: unknown): Promise<HookResult> => {
    const files = disk.open((what, effect) => mine.perform(what, chance.between(1, 30), effect));
    const { claim_id } = payload as { claim_id: string };
    await makeDbDir(files);
    await files.write(INIT_FILE, claim_id.slice(0, 8));
    await mine.clock.sleep(chance.between(10, 300), stopping.signal);
    if (stopping.signal.aborted) return { ok: false, problem: "stopped" };
    if (chance.is(world.weather.initFails)) {
      count("-on-init failed");
      return { ok: false, problem: "exit 1" };
    }
    await files.write(INIT_FILE, claim_id);
    for (const path of [INIT_FILE, DB_DIR, "/"]) await files.sync(path);
    return { ok: true };
  };

  /** The database's start script; it is run again where the disk fails it. */
  const beside = async (mine: Life, host: string): Promise<void> => {
    const files = disk.open((what, effect) => mine.perform(`db ${what}`, chance.between(0.5, 20), effect));
    for (let done = false; !done; ) done = await script(mine, host, files).catch(() => false);
  };

  const script = async (mine: Life, host: string, files: Disk): Promise<boolean> => {
    for (;;) {
      await mine.clock.sleep(chance.between(5, 60), new AbortController().signal);
      const answer = await network.askHere(host, "/v1/outcome?wait=60s");
      if (!mine.isAlive()) return true;
      if (answer?.status !== 200) continue;
      const given = JSON.parse(answer.body) as Outcome;
      outcome = given;
      note("outcome", `${name} ${given.kind} ${given.genesis_id}`);
      await makeDbDir(files);
      const names = await files.list(DB_DIR);
      const [cluster, init] = await Promise.all(
        [DB_FILE, INIT_FILE].map(async (path) => (disk.text(path) === null ? null : files.read(path))),
      );
      oracle.opens(node, given, { blank: names.length === 0, cluster: cluster ?? null, init: init ?? null });
      if (cluster === given.genesis_id) return true;
      await files.write(DB_FILE, given.genesis_id);
      for (const path of [DB_FILE, DB_DIR, "/"]) await files.sync(path);
      oracle.made(node, given);
      return true;
    }
  };
  return node;
}

/** As databases do; an agent that is killed while it sets the directory aside leaves none. */
async function makeDbDir(files: Disk): Promise<void> {
  await files.make(DB_DIR).catch((error: unknown) => {
    if (codeOf(error) !== "EEXIST") throw error;
  });
}

type Own = {
  readonly node: SimNode;
  readonly mine: Life;
  readonly host: string;
  readonly hook: (life: Life, payload: unknown) => Promise<HookResult>;
};

/** The world as one life of an agent is given it. */
function depsOf(
  { world, network, oracle, openProvider, kept }: Place,
  { node, mine, host, hook }: Own,
): AgentDeps {
  const { chance } = world;
  return {
    machine: {
      disk: node.disk.open((what, effect) => {
        if (!/^(?:read|list|look)/.test(what)) world.note("disk", `${host} ${what}`);
        return mine.perform(what, chance.between(0.1, 4), () => {
          const value = effect();
          if (what === `sync ${DATA_DIR}`) kept(node);
          return value;
        });
      }),
      lock: async () => async () => {},
      async listen({ app }) {
        const gives = ({ path, body = "" }: Ask, answer: Answer) => {
          if (answer.status === 200) oracle.says(node, mine, path, body, answer.body);
        };
        const close = network.listen({ host, life: mine, app, gives });
        return { port: 4100, renew() {}, close: async () => close() };
      },
      openClient: () => network.openClient(host, mine),
      runHook: (_, payload) =>
        hook(mine, payload).catch((error: unknown) => ({ ok: false, problem: reason(error) })),
    },
    pacing: { clock: mine.clock, random: chance.next },
    uuid: chance.uuid,
    log: world.log.child({ on: host }),
    file: () => Promise.reject(new Error("no file")),
    openProvider: async () => openProvider(host, mine),
    hostName: "host",
    hookEnv: {},
    version: "0.0.0-sim",
    memory: () => 1,
  };
}

function configOf(flags: Flags, mode: Place["mode"]): AgentConfig {
  const addr = { host: flags.host, port: 4100 };
  return {
    nodeId: flags.id,
    httpAddr: addr,
    httpAdvAddr: addr,
    dnsAddr: null,
    dataDir: DATA_DIR,
    disco: { mode: mode === "store" ? "disco" : "dns", key: "rollcall", provider: {} },
    bootstrapExpect: flags.expect,
    bootstrapExpectTimeoutMs: 120_000,
    exitOnTimeout: false,
    voter: flags.voter,
    genesis: "auto",
    formation: flags.formation,
    db: {
      kind: "none",
      addr: null,
      advAddr: `${flags.host}:4001`,
      peerAddr: `${flags.host}:4002`,
      dataDir: DB_DIR,
      config: {},
      probeIntervalMs: 1_000,
    },
    supervision: null,
    hooks: {
      init: flags.initialises ? ["init"] : null,
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
    insecure: true,
    log: { level: "error", format: "json" },
  };
}
