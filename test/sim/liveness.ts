/** B4: once the nodes that are needed are up and connected for good, one genesis opens, whatever the others do. */
import { decode, GenesisRecord } from "../../src/core/model.ts";
import { fairWeather } from "./faults.ts";
import type { SimNode } from "./node.ts";
import { identityOn } from "./oracle.ts";
import { flagsOf, type Scene } from "./scene.ts";
import { STORE } from "./store.ts";
import { canAgree } from "./votes.ts";

/**
 * After healing, in virtual milliseconds: the 10 s of B4 on top of what may have to lapse first, a dead node's lease
 * (10 s), a dead claimer's silence (15 s), a write that is still on its way (12 s), and the retries in between.
 */
export const HORIZON_MS = 60_000;

/** A core that does not suffice after this time is left alone: it owes nothing, and has had time to do wrong. */
export const HOPELESS_MS = 16_000;

export type Demand = {
  /** Whether a genesis must open. */
  readonly sufficient: boolean;
  /** Nodes of the core that have not settled. */
  readonly missing: readonly string[];
};

/** Ends all faults among a core of nodes and the store, breaks the rest for good, and gives the core. */
export function heal(scene: Scene): readonly SimNode[] {
  const { world, network, store, nodes, gone, shape } = scene;
  const { chance } = world;
  Object.assign(world.weather, fairWeather());
  store.setDown(false);
  const meant = nodes.slice(0, shape.voters + shape.nonVoters);
  const all = chance.is(0.4);
  const core = chance.shuffled(meant).slice(0, all ? meant.length : chance.whole(1, meant.length));
  const hosts = [STORE, ...nodes.map((node) => node.flags().host)];
  for (const from of hosts) for (const to of hosts) network.heal(from, to);
  scene.healed = true;
  for (const node of nodes) {
    if (core.includes(node)) mend(scene, node);
    else {
      gone.add(node);
      ruin(scene, node, hosts);
    }
  }
  world.note("healed", core.map((node) => node.name).join());
  return core;
}

/** It runs, as its operator meant it to, where it is now. */
function mend({ nodes, shape, world }: Scene, node: SimNode): void {
  node.disk.setFull(false);
  node.life()?.resume();
  const { host: _, ...meant } = flagsOf(shape, nodes.indexOf(node));
  const endOther = () => {
    const { host: _, ...now } = node.flags();
    if (JSON.stringify(meant) !== JSON.stringify(now)) node.kill(false);
  };
  endOther();
  world.time.after(10, () => {
    // A blow from before may have started it otherwise meanwhile.
    endOther();
    node.start(meant);
  });
}

/** It is dead, stopped, or reaches nobody, for good. */
function ruin({ world, network }: Scene, node: SimNode, hosts: readonly string[]): void {
  const how = world.chance.whole(0, 2);
  const { host } = node.flags();
  if (how === 0 || node.life() === null) node.kill(false);
  else if (how === 1) node.life()?.pause();
  else
    for (const other of hosts) {
      if (other === host) continue;
      network.cut(host, other);
      network.cut(other, host);
    }
}

/** What the core owes now. */
export function demandOf(scene: Scene, core: readonly SimNode[]): Demand {
  return { sufficient: isSufficient(scene, core), missing: missingOf(scene, core) };
}

/** Nodes of the core that have not settled, by name. One whose id another machine has need not. */
export function missingOf(scene: Scene, core: readonly SimNode[]): string[] {
  const unsettled = core.filter((node) => node.settled() === null);
  if (unsettled.length === 0) return [];
  const twice = twins(scene);
  return unsettled.filter((node) => !twice.has(node.flags().id)).map((node) => node.name);
}

function isSufficient(scene: Scene, core: readonly SimNode[]): boolean {
  const { store, nodes, shape } = scene;
  const text = store.genesis();
  const decoded = text === null ? null : decode(GenesisRecord, text);
  const record = decoded?.ok ? decoded.value : null;
  const holds = (node: SimNode) => identityOn(node)?.marker != null;
  if (record?.state === "sealed") {
    const founders = new Set(record.members.map((m) => m.incarnation));
    return core.some(
      (node) =>
        founders.has(identityOn(node)?.incarnation ?? "") ||
        identityOn(node)?.marker?.genesis_id === record.genesis_id,
    );
  }
  const twice = twins({ nodes });
  const voters = core.filter((node) => node.flags().voter && !twice.has(node.flags().id)).length;
  if (shape.mode === "names") return canAgree(scene, core, voters);
  if (nodes.some(holds)) return core.some(holds);
  // A record made with another -bootstrap-expect waits for an operator.
  if (record !== null && record.expect !== shape.expect) return false;
  return voters >= shape.expect;
}

/** Node ids that two machines have: neither may be counted, and one of them joins nothing. */
function twins({ nodes }: Pick<Scene, "nodes">): ReadonlySet<string> {
  const ids = nodes.map((node) => node.flags().id);
  return new Set(ids.filter((id, at) => ids.indexOf(id) !== at));
}
