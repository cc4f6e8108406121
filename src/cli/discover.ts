/** `rollcall discover`: one look for the peers, printed. */

import type { Settings } from "../config.ts";
import { decode, LeaderRecord } from "../core/model.ts";
import type { Lookup } from "../core/provider.ts";
import type { Io } from "./io.ts";
import { describe, describeLeader, memberRows, readGenesis } from "./records.ts";
import { withStore } from "./store.ts";
import { columns, json } from "./table.ts";

/**
 * Prints the members, the genesis record and the leader record; without a store the agents' addresses, and what is
 * missing from them. Throws one line when nobody answers.
 */
export async function run(settings: Settings, io: Io): Promise<number> {
  return withStore(settings, io, async ({ disco, provider, call }) => {
    const found = await call(`look up ${disco.key} (${disco.mode})`, (signal) => provider.lookup(signal));
    const { key, mode } = disco;
    io.stdout(
      settings.output === "json" ? json({ key, mode, ...asJson(found) }) : asText(`${key} (${mode})`, found),
    );
    return 0;
  });
}

function asText(title: string, found: Lookup): string {
  const partial = found.kind === "partial" ? " (partial: there may be more)" : "";
  if (found.members === undefined) {
    const head = columns([
      ["key", title],
      ["agents", `${found.addresses.length}${partial}`],
      ...(found.problems ?? []).map((problem) => ["problem", problem]),
    ]);
    if (found.addresses.length === 0) return head;
    return `${head}\n${columns([["AGENT"], ...found.addresses.map((address) => [address])])}`;
  }
  const genesis = readGenesis(found.genesis ?? null);
  const head = columns([
    ["key", title],
    ["genesis", genesis.ok ? describe(genesis.value) : genesis.problem],
    ["leader", describeLeader(found.leader ?? null)],
    ["members", `${found.members.length}${partial}`],
  ]);
  return found.members.length === 0 ? head : `${head}\n${columns(memberRows(found.members))}`;
}

function asJson(found: Lookup): Record<string, unknown> {
  const { kind, addresses, problems = [] } = found;
  if (found.members === undefined) return { kind, addresses, problems };
  const genesis = readGenesis(found.genesis ?? null);
  const leader = found.leader ? decode(LeaderRecord, found.leader.value) : null;
  return {
    kind,
    addresses,
    members: found.members,
    genesis: genesis.ok ? genesis.value : { problem: genesis.problem },
    leader: leader === null || leader.ok ? (leader?.value ?? null) : { problem: leader.problem },
  };
}
