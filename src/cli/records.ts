/** Records of the store in words. */
import { type Decoded, decode, GenesisRecord, LeaderRecord, type Member } from "../core/model.ts";
import type { Versioned } from "../core/provider.ts";
import { RollcallError } from "../lib/errors.ts";

/** The genesis record in one line, without its key. */
export function describe(record: GenesisRecord | null): string {
  if (record === null) return "absent";
  const rest = `birth ${record.birth}, expect ${record.expect}`;
  switch (record.state) {
    case "unborn":
      return `unborn (${rest})`;
    case "claimed":
      return `claimed by ${record.node} (${rest}, claim ${record.claim_id})`;
    case "sealed": {
      const by =
        record.adopted === undefined ? `created by ${record.node}` : `adopted by ${record.adopted.by}`;
      return `sealed, genesis ${record.genesis_id} (${rest}, ${by})`;
    }
    default:
      return record satisfies never;
  }
}

/** What a register's value says; null: absent. Never throws. */
export function readGenesis(value: Versioned | null): Decoded<GenesisRecord | null> {
  return value === null ? { ok: true, value: null } : decode(GenesisRecord, value.value);
}

/** As readGenesis, but a record that this program cannot read is thrown as `damaged`. */
export function requireGenesis(value: Versioned | null): GenesisRecord | null {
  const decoded = readGenesis(value);
  if (decoded.ok) return decoded.value;
  throw new RollcallError("damaged", `genesis record: ${decoded.problem}; nothing was written`);
}

/** The leader record in one line. A foreign one was written by a database itself. */
export function describeLeader(value: Versioned | null): string {
  if (value === null) return "absent";
  const decoded = decode(LeaderRecord, value.value);
  if (!decoded.ok) return decoded.problem;
  const { id, api_addr: api, addr, genesis_id: genesis } = decoded.value;
  return `${id} at ${api || addr || "no address"}${genesis === undefined ? " (foreign: written by a database itself)" : ""}`;
}

/** Members as rows of a table, with their head. */
export function memberRows(members: readonly Member[]): readonly (readonly string[])[] {
  return [
    ["ID", "INCARNATION", "AGENT", "DB", "VOTER", "EXPECT", "STATUS", "GENESIS"],
    ...members.map((m) => [
      m.id,
      short(m.incarnation),
      m.agent_addr,
      m.api_addr || m.addr,
      m.voter ? "yes" : "no",
      m.voter ? String(m.expect) : "",
      m.status,
      m.genesis_id === null ? "" : short(m.genesis_id),
    ]),
  ];
}

/** The first eight characters of a UUID. */
export function short(uuid: string): string {
  return uuid.slice(0, 8);
}
