/** What happens to a world while things go wrong: each is one thing, at a moment of its own. */
import type { World } from "./world.ts";

type Blow = readonly [weight: number, strike: (world: World) => void];

/** One thing goes wrong, or gets well. */
export function strike(world: World): void {
  let at = world.chance.next() * WEIGHT;
  for (const [weight, happens] of BLOWS) {
    at -= weight;
    if (at >= 0) continue;
    happens(world);
    return;
  }
}

function agent(world: World) {
  return world.chance.pick(world.fleet.agents());
}

const agents: readonly Blow[] = [
  [
    4,
    (world) => {
      const { fleet, chance, tally } = world;
      const kind = chance.pick(["kept", "kept", "replaced"] as const);
      const place = chance.is(0.2) ? "another" : "same";
      tally.hit(kind === "kept" ? "an agent restarted" : "a disk was replaced");
      if (place === "another") tally.hit("an agent moved");
      fleet.restart(agent(world), kind, place);
    },
  ],
  [
    4,
    (world) => {
      const { fleet, chance, tally } = world;
      tally.hit("a status changed");
      fleet.become(agent(world), {
        status: chance.pick(["healthy", "healthy", "unavailable", "unhealthy", "joining"]),
      });
    },
  ],
  [
    4,
    ({ fleet, chance, tally }) => {
      tally.hit("the leader changed");
      const cluster = chance.pick(fleet.clusters);
      fleet.lead(cluster, chance.is(0.8) ? chance.pick(cluster.agents) : null);
    },
  ],
  [
    2,
    (world) => {
      world.tally.hit("a role flipped between two polls");
      const one = agent(world);
      const { role } = one;
      for (const next of [role === "leader" ? "replica" : "leader", "unknown", role] as const)
        world.fleet.become(one, { role: next });
    },
  ],
  [
    5,
    (world) => {
      agent(world).reach = world.chance.pick(["answers", "answers", "slow", "silent", "refuses"]);
    },
  ],
  [
    2,
    (world) => {
      const one = agent(world);
      one.lie = world.chance.pick([
        null,
        null,
        "wrong cluster",
        "wrong node",
        "another genesis",
        "goes back",
        "unchanged since never",
      ]);
      world.fleet.touch(one);
    },
  ],
  [
    1,
    ({ fleet, chance, tally }) => {
      const cluster = chance.pick(fleet.clusters);
      if (cluster.agents.length >= 5) return;
      tally.hit("a node was added");
      fleet.add(cluster);
    },
  ],
  [
    2,
    (world) => {
      const one = agent(world);
      one.listed = !one.listed;
      if (!one.listed) world.tally.hit("a node was unlisted");
    },
  ],
  [
    1,
    ({ trouble, time, chance }) => {
      trouble.poll.allSilent = true;
      time.after(chance.between(1_000, 20_000), () => {
        trouble.poll.allSilent = false;
      });
    },
  ],
  [
    1,
    ({ trouble, chance }) => {
      trouble.poll.own = chance.pick([0, 0, 0.02, 0.3]);
      trouble.poll.earlier = chance.pick([0, 0.02, 0.3]);
    },
  ],
];

const inventories: readonly Blow[] = [
  [
    4,
    ({ sources, chance }) => {
      const source = chance.pick([...sources.values()]);
      const all = [
        "fails",
        "never answers",
        "late",
        "lists nothing",
        "lists less than half",
        "partial",
      ] as const;
      source.trouble = chance.is(0.5) ? "none" : chance.pick(all);
    },
  ],
  [
    1,
    ({ sources, chance, fleet, tally }) => {
      const source = chance.pick([...sources.values()]);
      const { id } = chance.pick(fleet.clusters);
      if (!source.clusters.delete(id)) source.clusters.add(id);
      else tally.hit("a cluster was unlisted");
      const listers = [...sources.values()].filter(({ clusters }) => clusters.has(id));
      if (listers.length > 1) tally.hit("two discoveries list one cluster");
    },
  ],
];

const coordinator: readonly Blow[] = [
  [
    4,
    ({ life, chance }) => {
      if (life !== null) life.callsLeft = chance.is(0.5) ? chance.whole(0, 4) : chance.whole(0, 40);
    },
  ],
  [
    1,
    ({ life, tally }) => {
      if (life === null || life.dead) return;
      tally.hit("stopped in order");
      life.stop.abort();
    },
  ],
  [1.5, (world) => pause(world)],
  [
    0.5,
    (world) => {
      world.tally.hit("the wall clock jumped");
      world.wallMs += world.chance.pick([-3_600_000, -20_000, -1_000, 1_000, 20_000, 3_600_000]);
    },
  ],
  [
    3,
    ({ trouble: { store }, chance }) => {
      store.failing = chance.pick([0, 0, 0.05, 0.5]);
      store.unknown = chance.pick([0, 0, 0.05, 0.3]);
      store.unread = chance.pick([0, 0, 0.3]);
      store.slowMs = chance.pick([0, 0, 50, 200]);
    },
  ],
];

/** A paused one goes on where it was, with a successor beside it or without. */
function pause({ life, time, chance, tally, begin }: World): void {
  if (life === null || life.dead || life.paused) return;
  tally.hit("paused");
  life.pause();
  const ms = chance.between(100, 20_000);
  const isReplaced = chance.is(0.6);
  if (isReplaced)
    time.after(ms / 2, () => {
      if (life.dead) return;
      life.replaced = true;
      begin();
    });
  time.after(ms, () => {
    if (life.dead) return;
    if (life.replaced) tally.hit("a paused one comes back beside its successor");
    life.resume();
    if (life.replaced) time.after(chance.between(0, 10_000), life.die);
  });
}

/** What an operator says of one discovery. */
export function discoveryDocument(name: string, interval: number, enabled = true) {
  const spec = { mode: "file", enabled, interval, config: { path: `/${name}` } };
  return { apiVersion: "rollcall/v1", kind: "DiscoverySettings", metadata: { name }, spec };
}

/** What an operator says of one cluster. `interval` in seconds. */
export function clusterDocument(name: string, interval: number, enabled = true) {
  const spec = { enabled, interval, node_timeout: `${interval * 400}ms` };
  return { apiVersion: "rollcall/v1", kind: "ClusterSettings", metadata: { name }, spec };
}

/** Tries; what the store refuses, it refuses. */
export function tries(work: Promise<unknown> | undefined): void {
  work?.catch(() => {});
}

const operator: readonly Blow[] = [
  [
    2,
    ({ life, chance, fleet, tally }) => {
      tally.hit("settings changed");
      const enabled = chance.is(0.8);
      if (!enabled) tally.hit("a cluster was disabled");
      tries(
        life?.view?.apply(
          JSON.stringify(clusterDocument(chance.pick(fleet.clusters).id, chance.whole(1, 6), enabled)),
        ),
      );
    },
  ],
  [
    2,
    ({ life, chance, sources, tally }) => {
      tally.hit("settings changed");
      const enabled = chance.is(0.8);
      if (!enabled) tally.hit("a discovery was disabled");
      tries(
        life?.view?.apply(
          JSON.stringify(discoveryDocument(chance.pick([...sources.keys()]), chance.whole(1, 6), enabled)),
        ),
      );
    },
  ],
  [
    0.5,
    ({ life, chance, fleet, tally }) => {
      tally.hit("settings deleted");
      tries(life?.view?.remove("ClusterSettings", chance.pick(fleet.clusters).id));
    },
  ],
  [
    1,
    ({ life, chance, sources, tally }) => {
      tally.hit("a discovery was deleted");
      tries(life?.view?.remove("DiscoverySettings", chance.pick([...sources.keys()])));
    },
  ],
  [
    3,
    ({ life, chance, fleet, tally }) => {
      tally.hit("a refresh was asked for");
      tries(life?.view?.refresh(chance.pick(fleet.clusters).id));
    },
  ],
  [
    1,
    ({ life, chance, sources, tally }) => {
      tally.hit("a discovery was asked for");
      tries(life?.view?.discover(chance.pick([...sources.keys()])));
    },
  ],
  [1, (world) => accept(world, world.chance.pick([...world.sources.keys()]))],
];

/** An operator takes what is listed for the truth. */
export function accept({ life, tally, accepting }: World, name: string): void {
  const view = life?.view ?? null;
  if (view === null) return;
  tally.hit("a suspect listing was accepted");
  const begun = { name };
  accepting.add(begun);
  const over = () => accepting.delete(begun);
  view.accept(name).then(over, over);
}

const BLOWS = [...agents, ...inventories, ...coordinator, ...operator];
const WEIGHT = BLOWS.reduce((sum, [weight]) => sum + weight, 0);
