/** Where peers are found, and what goes with a store only. All throw usage errors of one line. */
import { DiscoMode, hasStore, type ProviderMode, type Settings } from "../config.ts";
import { parseAddress } from "../core/address.ts";
import { usageError } from "./usage.ts";

/** The word for a node that is a cluster of its own. */
const SELF = "self";

/** The mode of -disco-mode, or the one that -join makes. */
export function providerMode(s: Settings): ProviderMode {
  if (s.join !== null && s.disco_mode !== null) {
    throw usageError(`-join: does not go with -disco-mode=${s.disco_mode}; leave one of the two out`);
  }
  if (s.join !== null) return "static";
  if (s.disco_mode !== null) return s.disco_mode;
  throw usageError(
    `-disco-mode: is required; one of ${DiscoMode.options.join(", ")}; or -join with the agents`,
  );
}

/** The agents that -join names, and none for `self`. */
export function joined(list: string): readonly string[] {
  const agents = list.split(",").map((part) => part.trim());
  if (isAlone(list)) return [];
  if (agents.includes(SELF)) {
    throw usageError("-join: self stands alone, for a single node; leave it out beside other agents");
  }
  for (const agent of agents) {
    if (agent === "") throw usageError(`-join: ${JSON.stringify(list)} has an empty place between commas`);
    const parsed = parseAddress(agent, 4100);
    if (!parsed.ok) throw usageError(`-join: ${JSON.stringify(agent)} ${parsed.problem}`);
  }
  return agents;
}

/** Whether -join makes this node a cluster of its own. */
function isAlone(list: string | null): boolean {
  return list?.trim() === SELF;
}

/** How many voters create the cluster. Without a store nobody else could say. */
export function expected(s: Settings, mode: ProviderMode): number {
  const expect = s.bootstrap_expect;
  if (isAlone(s.join)) {
    if (s.non_voter)
      throw usageError(
        "-non-voter: does not go with -join=self, which is this node alone: nobody else votes",
      );
    if (expect === null || expect === 1) return 1;
    throw usageError(`-bootstrap-expect: ${expect} does not go with -join=self, which is this node alone`);
  }
  if (expect === null && !hasStore(mode) && !s.non_voter) {
    throw usageError(
      "-bootstrap-expect: is required without a store; the number of voters that create the cluster",
    );
  }
  return expect ?? 1;
}

/** -genesis=strict waits for a record that an operator makes, which needs a place. */
export function checkGenesis(s: Settings, mode: ProviderMode): void {
  if (s.genesis !== "strict" || hasStore(mode)) return;
  throw usageError(
    `-genesis: strict does not go with ${flagOf(mode)}: no store keeps the record that \`rollcall genesis init\` makes`,
  );
}

/** For commands that work on a store's record. That there must be some mode is said elsewhere. */
export function requireStore(s: Settings): void {
  const mode = s.join === null ? s.disco_mode : "static";
  if (mode === null || hasStore(mode)) return;
  throw usageError(`${flagOf(mode)}: no store keeps a genesis record; the agents agree among themselves`);
}

function flagOf(mode: ProviderMode): string {
  return mode === "static" ? "-join" : `-disco-mode=${mode}`;
}
