/** Faults that are drawn one by one: what each does, and when it is over. */

import { DB_DIR } from "./disk.ts";
import type { Kind } from "./faults.ts";
import type { SimNode } from "./node.ts";
import { later, type Scene } from "./scene.ts";
import { STORE } from "./store.ts";
import { isVoting, strikeVoter, VOTE, type VotingBlow, votingBlows } from "./voting-blows.ts";

const everywhere = [
  "cut one way",
  "cut both ways",
  "node cut off",
  "killed",
  "power failed",
  "power failed",
  "disk full",
  "stopped and continued",
  "told to stop",
  "restarted elsewhere",
] as const satisfies Kind[];
const stores = ["store cut from a node", "store down", "leases lapse"] as const satisfies Kind[];
/** With as many voters as are expected and their disks safe, a store may be wiped; with others these. */
const kept = ["store wiped"] as const satisfies Kind[];
const spare = [
  "disks wiped",
  "database's disk wiped",
  "restarted with another expect",
  "restarted as a non-voter",
  "node id used twice",
] as const satisfies Kind[];

/** Which have the least occasion to take effect. */
const seldom = [
  "voter given up",
  "voter given up",
  "power failed at a vote",
  "voter's id used twice",
] as const satisfies VotingBlow[];

export type Blow =
  | (typeof everywhere)[number]
  | (typeof stores)[number]
  | (typeof kept)[number]
  | (typeof spare)[number]
  | VotingBlow;

/** Where something may be written and not synced. */
const UNSYNCED = /^(?:db )?(?:write|sync) \S+(?:\.new|cluster|initialised)|^sync/;

/** What happens in one schedule. */
export function blowsFor({ world: { chance }, shape }: Scene): Blow[] {
  const stored = [...stores, ...(shape.wipes ? [...kept, ...kept] : spare)];
  const from: readonly Blow[] = [
    ...everywhere,
    ...(shape.mode === "store" ? stored : [...votingBlows, ...seldom]),
  ];
  return Array.from({ length: chance.whole(2, 8) }, () => chance.pick(from));
}

/** It comes when a node is about to vote, which is a moment that few hit by chance. */
export function strikeAtVote(scene: Scene, blow: Blow): void {
  const { chance } = scene.world;
  const node = chance.pick(scene.nodes);
  node.strikeAt(chance.whole(1, 40), VOTE, () => strike(scene, blow, node));
}

/** Does it, to this node or to somebody. */
export function strike(scene: Scene, blow: Blow, at: SimNode | null = null): void {
  const { world, store, nodes, shape } = scene;
  const { chance, count } = world;
  if (scene.healed) return;
  const node = at ?? chance.pick(nodes);
  const { host } = node.flags();
  world.note("blow", `${blow} ${node.name}`);
  if (isVoting(blow)) {
    strikeVoter(scene, node, blow);
    return;
  }
  switch (blow) {
    case "cut one way":
    case "cut both ways": {
      const other = chance.pick(nodes).flags().host;
      if (other === host) return;
      count(blow);
      const ways =
        blow === "cut one way"
          ? [[host, other]]
          : [
              [host, other],
              [other, host],
            ];
      cutFor(scene, ways, chance.between(100, 10_000));
      return;
    }
    case "node cut off": {
      count(blow);
      const others = [STORE, ...nodes.map((one) => one.flags().host)].filter((one) => one !== host);
      cutFor(
        scene,
        others.flatMap((one) => [
          [host, one],
          [one, host],
        ]),
        chance.between(100, 12_000),
      );
      return;
    }
    case "store cut from a node":
      cutFor(scene, chance.is(0.5) ? [[host, STORE]] : [[STORE, host]], chance.between(100, 10_000));
      return;
    case "store down":
      store.setDown(true);
      later(scene, chance.between(50, 5_000), () => store.setDown(false));
      return;
    case "leases lapse":
      count(blow);
      store.lapse();
      return;
    case "store wiped":
      count(blow);
      store.wipe();
      return;
    case "killed":
      if (chance.is(0.6)) node.killAt(chance.whole(1, 60), false);
      else node.killAt(chance.whole(1, 12), false, /^(?:db )?(?:write|sync|rename)/);
      return;
    case "power failed":
      if (chance.is(0.3)) node.killAt(chance.whole(1, 60), true);
      else node.killAt(chance.whole(1, 12), true, UNSYNCED);
      return;
    case "disk full":
      node.disk.setFull(true);
      later(scene, chance.between(20, 4_000), () => node.disk.setFull(false));
      return;
    case "disks wiped":
    case "database's disk wiped":
      count(blow);
      node.kill(false);
      if (blow === "disks wiped") node.disk.empty("/data");
      node.disk.empty(DB_DIR);
      return;
    case "stopped and continued": {
      const life = node.life();
      if (life === null) return;
      count(blow);
      life.pause();
      later(scene, chance.between(50, 25_000), () => life.resume());
      return;
    }
    case "told to stop":
      node.stop();
      return;
    case "restarted elsewhere":
      count(blow);
      node.restart({ host: `10.0.${chance.whole(1, 200)}.${chance.whole(1, 200)}` });
      return;
    case "restarted with another expect":
      count(blow);
      node.restart({ expect: shape.expect + (chance.is(0.5) ? 1 : -1) || 1 });
      return;
    case "restarted as a non-voter":
      count(blow);
      node.restart({ voter: false });
      return;
    case "node id used twice":
      count(blow);
      scene.add({ ...node.flags(), host: `10.1.0.${nodes.length + 1}` });
      return;
    default:
      blow satisfies never;
  }
}

function cutFor(scene: Scene, ways: readonly string[][], ms: number): void {
  const { network } = scene;
  for (const [from = "", to = ""] of ways) network.cut(from, to);
  later(scene, ms, () => {
    for (const [from = "", to = ""] of ways) network.heal(from, to);
  });
}
