/**
 * An honest operator: does what `explain` says of a lost voter. Only an incarnation that never comes back is said to
 * be gone, and after healing beside every other one of the set that needs it.
 */
import type { Explanation } from "../../src/core/explain.ts";
import type { SimNode } from "./node.ts";
import { identityOn } from "./oracle.ts";
import type { Scene } from "./scene.ts";

/** How often somebody looks after what does not form. */
const EVERY_MS = 2_000;

/** `rollcall genesis assume-lost`, beside one node; true: it has noted that. */
export async function giveUp(
  { world, network, oracle }: Scene,
  node: SimNode,
  lost: string,
): Promise<boolean> {
  if (!node.isUp() || node.life()?.isPaused()) return false;
  world.note("assume lost", `${lost} at ${node.name}`);
  oracle.givenUp(lost);
  const body = JSON.stringify({ key: "rollcall", incarnation: lost });
  const answer = await network.askHere(node.flags().host, "/v1/assume-lost", body);
  if (answer?.status !== 200) return false;
  world.count("voter given up");
  return true;
}

/** Looks after the core from now on. */
export function attend(scene: Scene, core: readonly SimNode[]): void {
  const { time } = scene.world;
  const done = new Set<string>();
  const look = () => {
    for (const node of core) if (node.settled() === null) void help(scene, core, node, done);
    time.after(EVERY_MS, look);
  };
  if (scene.shape.mode === "names") time.after(EVERY_MS, look);
}

async function help(scene: Scene, core: readonly SimNode[], node: SimNode, done: Set<string>): Promise<void> {
  if (!node.isUp()) return;
  const answer = await scene.network.askHere(node.flags().host, "/v1/explain");
  if (answer === null) return;
  const { code, unblock } = JSON.parse(answer.body) as Explanation;
  if (code !== "lost_voters") return;
  const named = unblock.flatMap((text) => /assume-lost (\S+) /.exec(text)?.[1] ?? []);
  for (const lost of named) {
    const owner = scene.nodes.find((one) => identityOn(one)?.incarnation === lost);
    // One of the core only has to be waited for. Any other one is made sure of before it is said to be gone.
    if (owner !== undefined && core.includes(owner)) continue;
    owner?.kill(false);
    for (const one of core) {
      const noted = `${lost} at ${one.name}`;
      if (!done.has(noted) && (await giveUp(scene, one, lost))) done.add(noted);
    }
  }
}
