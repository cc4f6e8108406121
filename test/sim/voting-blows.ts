/** Faults of those who agree among themselves: the same blows as elsewhere, as far as fewer than 2N may vote. */
import { DATA_DIR, DB_DIR } from "./disk.ts";
import type { Kind } from "./faults.ts";
import type { SimNode } from "./node.ts";
import { giveUp } from "./operator.ts";
import { hasVoted, IDENTITY_FILE } from "./oracle.ts";
import { later, type Scene } from "./scene.ts";

export const votingBlows = [
  "voter's disks wiped",
  "voter's database wiped",
  "voter restarted with another expect",
  "voter restarted as a non-voter",
  "voter's id used twice",
  "voter given up",
  "power failed at a vote",
  "disk full at a vote",
] as const satisfies Kind[];
export type VotingBlow = (typeof votingBlows)[number];

/** Where a vote is on its way to the disk. */
export const VOTE = new RegExp(`^(?:write|sync|rename) ${DATA_DIR}(?:/identity\\.json.*)?…?$`);

export function isVoting(blow: Kind): blow is VotingBlow {
  return votingBlows.some((one) => one === blow);
}

/** Does it to this node, where it leads beyond no limit. */
export function strikeVoter(scene: Scene, node: SimNode, blow: VotingBlow): void {
  const { world, electorate, nodes, shape } = scene;
  const { chance, count } = world;
  switch (blow) {
    case "voter's disks wiped":
      wipe(scene, node);
      return;
    case "voter given up": {
      // Somebody whose disks are lost is said to be gone, beside whoever runs.
      if (electorate.lost().length === 0) wipe(scene, node);
      const [lost] = chance.shuffled(electorate.lost());
      if (lost === undefined) return;
      for (let visit = chance.whole(1, 4); visit > 0; visit--)
        later(scene, chance.between(20, 4_000), () => {
          const beside = chance.shuffled(nodes).slice(0, chance.whole(1, nodes.length));
          for (const one of beside) void giveUp(scene, one, lost);
        });
      return;
    }
    case "voter's database wiped":
      if (!electorate.hasRoom(1)) return;
      electorate.reserve();
      node.strikeAt(chance.whole(1, 40), VOTE, () => {
        count(blow);
        node.disk.empty(DB_DIR);
        node.kill(false);
      });
      return;
    case "voter restarted with another expect": {
      const fewer = shape.expect - 1;
      const expect = fewer > 1 && electorate.hasRoom(0, fewer) ? fewer : shape.expect + 1;
      electorate.expects(expect);
      count(blow);
      node.restart({ expect });
      return;
    }
    case "voter restarted as a non-voter":
      count(blow);
      node.restart({ voter: false });
      return;
    case "voter's id used twice":
      if (!electorate.hasRoom(1)) return;
      count(blow);
      scene.add({ ...node.flags(), host: `10.1.0.${nodes.length + 1}` });
      return;
    case "power failed at a vote":
      node.strikeAt(chance.whole(1, 24), VOTE, () => {
        if (hasVoted(node.disk.text(`${IDENTITY_FILE}.new`) ?? node.disk.text(IDENTITY_FILE))) count(blow);
        node.kill(true);
      });
      return;
    case "disk full at a vote":
      node.strikeAt(chance.whole(1, 24), VOTE, () => {
        if (scene.healed) return;
        node.disk.setFull(true);
        later(scene, chance.between(5, 2_000), () => node.disk.setFull(false));
      });
      return;
    default:
      blow satisfies never;
  }
}

function wipe({ electorate, world }: Scene, node: SimNode): void {
  if (!electorate.hasRoom(1)) return;
  world.count("voter's disks wiped");
  node.kill(false);
  node.disk.empty("/data");
  node.disk.empty(DB_DIR);
}
