/**
 * rqlited's command line: where its flags begin, what they say, and which of them are the agent's to give.
 * Flags are Go's: `-x v`, `-x=v` and `--x=v` are the same, and the data directory is the last argument.
 */
import { formatAddress, isWildcard, parseAddress } from "../core/address.ts";
import type { DatabaseAddresses } from "./database.ts";

/** Flags without a value, of 8.26 and of later versions: whatever follows one is not its value. */
const SWITCHES: ReadonlySet<string> = new Set([
  "fk",
  "http-verify-client",
  "node-no-verify",
  "node-verify-client",
  "on-disk",
  "raft-cluster-remove-shutdown",
  "raft-non-voter",
  "raft-remove-shutdown",
  "raft-shutdown-stepdown",
  "version",
  "write-queue-tx",
]);

/** What the agent decides. */
const OURS: readonly string[] = [
  "join",
  "join-attempts",
  "join-interval",
  "bootstrap-expect",
  "bootstrap-expect-timeout",
  "disco-mode",
  "disco-key",
  "disco-config",
];

const ARGS = "{{args}}";

/** A command as rqlited would read it. */
export type RqliteCommand = {
  /** Its flags without dashes; one without a value is `true`. Of one given twice the last counts, as in Go. */
  readonly flags: ReadonlyMap<string, string>;
  readonly dataDir: string | null;
};

/** Reads a command; placeholders are left out. Without the word rqlited no data directory is known. */
export function readCommand(command: readonly string[]): RqliteCommand {
  const at = argumentsAt(command);
  const words = command.slice(at ?? 1).filter((word) => word !== ARGS);
  const last = at === null ? undefined : words.at(-1);
  const dataDir = last === undefined || last.startsWith("-") ? null : last;
  return { flags: flagsOf(dataDir === null ? words : words.slice(0, -1)), dataDir };
}

/** The index behind the first word that is rqlited, by any path; null: there is none. */
export function argumentsAt(command: readonly string[]): number | null {
  const at = command.findIndex((word) => word === "rqlited" || word.endsWith("/rqlited"));
  return at === -1 ? null : at + 1;
}

/** See `DatabaseModule.checkCommand`. */
export function checkCommand(command: readonly string[], voter: boolean): string | null {
  const { flags, dataDir } = readCommand(command);
  const ours = OURS.find((name) => flags.has(name));
  if (ours !== undefined) return `-${ours}: the agent decides that; leave it out`;
  const nonVoter = flags.get("raft-non-voter");
  if (voter && nonVoter !== undefined && nonVoter !== "false")
    return "-raft-non-voter: the agent counts this node as a voter; give -non-voter before --";
  if (!voter && nonVoter === "false")
    return "-raft-non-voter=false: the agent's -non-voter says otherwise; leave it out";
  const at = argumentsAt(command);
  if (at === null) return null;
  if (dataDir === null) return `${command[at - 1]}: has no data directory as its last argument`;
  // Go's flags end at the first argument that is none.
  return command.at(-1) === ARGS ? `${ARGS}: must stand before the data directory` : null;
}

/** See `DatabaseModule.addresses`. `host`: as other machines reach this one, in brackets where it is IPv6. */
export function addresses(command: readonly string[], host: string): DatabaseAddresses {
  if (command.length === 0)
    return {
      addr: "127.0.0.1:4001",
      advAddr: `${host}:4001`,
      peerAddr: `${host}:4002`,
      dataDir: null,
      nodeId: null,
    };
  const { flags, dataDir } = readCommand(command);
  const { http, httpAdv, raftAdv } = assumed(flags);
  return {
    addr: `${flags.has("http-cert") ? "https://" : ""}${withHost(http, "127.0.0.1")}`,
    advAddr: withHost(httpAdv, host),
    peerAddr: withHost(raftAdv, host),
    dataDir,
    nodeId: flags.get("node-id") ?? null,
  };
}

/** What rqlited itself takes for its addresses: each is the one it listens on unless another is advertised. */
export function assumed(flags: RqliteCommand["flags"]) {
  const http = flags.get("http-addr") ?? "localhost:4001";
  const raft = flags.get("raft-addr") ?? "localhost:4002";
  return {
    http,
    httpAdv: flags.get("http-adv-addr") || http,
    raftAdv: flags.get("raft-adv-addr") || raft,
  };
}

function flagsOf(words: readonly string[]): ReadonlyMap<string, string> {
  const flags = new Map<string, string>();
  for (let at = 0; at < words.length; at += 1) {
    const [, name, value] = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(words[at] ?? "") ?? [];
    if (name === undefined) continue;
    const next = words[at + 1];
    if (value !== undefined) flags.set(name, value);
    else if (SWITCHES.has(name) || next === undefined) flags.set(name, "true");
    else {
      flags.set(name, next);
      at += 1;
    }
  }
  return flags;
}

/** The address, with `host` in the place of one that means every interface. */
function withHost(address: string, host: string): string {
  const port = /^:(\d+)$/.exec(address)?.[1];
  if (port !== undefined) return `${host}:${port}`;
  const parsed = parseAddress(address);
  if (!parsed.ok) return address;
  return isWildcard(parsed.value.host) ? `${host}:${parsed.value.port}` : formatAddress(parsed.value);
}
