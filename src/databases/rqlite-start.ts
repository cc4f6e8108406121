/**
 * How rqlited starts. What its flags do with and without data was tried with 8.26.8: src/DESIGN.md, "rqlite".
 * Pure.
 */
import type { MemberRef } from "../core/model.ts";
import type { DatabaseMember } from "../core/node-report.ts";
import type { StartFacts, StartPlan } from "./database.ts";
import { assumed, readCommand } from "./rqlite-command.ts";

/** rqlited ends when its attempts or its time are over; the agent does not want that, however long the others take. */
const FOR_EVER = ["-join-attempts=1000000000", "-join-interval=500ms"];
const NO_TIMEOUT = "-bootstrap-expect-timeout=87600h";

/**
 * The arguments, by what this node's rqlited has been:
 * - it has never listed itself: the founder of a `single` cluster gets nothing and makes a cluster of itself; the
 *   founders of a `symmetric` one get the identical list; everybody else joins. rqlited without data and without
 *   `-join` founds a cluster, so a node that is to join waits until it knows whom. All of it is harmless where
 *   data exist after all.
 * - it was alone: nothing, since rqlited may refuse to join from a cluster of its own.
 * - it was one of several: it joins them, which changes nothing but an address of its own that is another now.
 * - so many addresses are others that the voters cannot find each other: see `recovery`.
 */
export function startPlan(facts: StartFacts): StartPlan {
  const own = identity(facts);
  const plan = facts.formed === null ? first(facts) : again(facts, facts.formed);
  return "wait" in plan ? plan : { ...plan, args: [...own, ...plan.args] };
}

function first(facts: StartFacts): StartPlan {
  const { record, self } = facts;
  if (record.formation === "single")
    return record.incarnation === self.incarnation
      ? nothing
      : join(facts, [...others(facts), ...adopted(facts)]);
  const founder = record.members.some((m) => m.incarnation === self.incarnation);
  if (!founder) return join(facts, others(facts));
  if (record.members.length === 1) return nothing;
  const founders = record.members.map((m) => addressOf(m, facts.members));
  if (founders.some((address) => address === ""))
    return { wait: "a founding member has no peer address (-db-peer-addr)" };
  const list = [`-bootstrap-expect=${founders.length}`, `-join=${founders.join(",")}`, NO_TIMEOUT];
  return { args: list, files: [] };
}

/** The nodes of a cluster that was there before, most of which have no agent, as its own database listed them. */
function adopted({ record, self }: StartFacts): readonly string[] {
  return (record.adopted?.nodes ?? []).filter((node) => node.id !== self.id).map((node) => node.addr);
}

function again(facts: StartFacts, formed: readonly DatabaseMember[]): StartPlan {
  const recovered = recovery(facts, formed);
  if (recovered !== null) return recovered;
  if (formed.length <= 1) return nothing;
  const listed = formed.filter((m) => m.id !== facts.self.id).map((m) => presentAddress(m, facts));
  return join(facts, [...listed, ...others(facts)]);
}

/**
 * Voters find each other by the addresses in their data. Where fewer than a majority can still be found so, and
 * nobody leads, no `-join` helps: rqlited is given the whole list anew in `raft/peers.json`
 * (https://rqlite.io/docs/clustering/general-guidelines/#dealing-with-failure). Only then: a node that takes
 * such a list while the others go on takes what it has, agreed on or not, for agreed. Null: not needed.
 */
function recovery(facts: StartFacts, formed: readonly DatabaseMember[]): StartPlan | null {
  const { present, led, dataDir, command } = facts;
  const voters = formed.filter((m) => m.voter !== false);
  const moved = (m: DatabaseMember) => presentAddress(m, facts) !== m.addr;
  if (led || command.length === 0 || dataDir === null || !voters.some(moved)) return null;
  const quorum = Math.floor(voters.length / 2) + 1;
  const here = voters.filter((m) => present.includes(m.id));
  if (here.length < quorum)
    return {
      wait: `addresses have changed and no leader is known: ${here.length} of ${voters.length} voters are here, ${quorum} are needed (missing: ${idsOf(voters.filter((m) => !here.includes(m)))})`,
    };
  if (here.filter((m) => !moved(m)).length >= quorum) return null;
  const list = formed.map((m) => ({
    id: m.id,
    address: presentAddress(m, facts),
    non_voter: m.voter === false,
  }));
  const file = { path: `${dataDir.replace(/\/+$/, "")}/raft/peers.json`, text: `${JSON.stringify(list)}\n` };
  if (formed.length === 1) return { args: [], files: [file] };
  const elsewhere = list.filter((m) => m.id !== facts.self.id).map((m) => m.address);
  const plan = join(facts, elsewhere);
  return "wait" in plan ? plan : { ...plan, files: [file] };
}

const nothing: StartPlan = { args: [], files: [] };

/**
 * Through everybody named, the leader first: rqlited asks one after the other, and a dead host takes it 30 s. A
 * leader that a database itself wrote down may be nobody's that agents know.
 */
function join({ outcome: { leader }, self }: StartFacts, addresses: readonly string[]): StartPlan {
  const leads = leader?.addr ?? "";
  const counts = leader?.genesis_id === undefined || addresses.includes(leads);
  const list = [...new Set([...(counts ? [leads] : []), ...addresses])].filter(
    (address) => address !== "" && address !== self.addr,
  );
  if (list.length === 0) return { wait: "no peer address of another member is known yet" };
  return { args: [`-join=${list.join(",")}`, ...FOR_EVER], files: [] };
}

/** What rqlited would otherwise take for its own name and addresses, as far as the command does not say it. */
function identity({ self, voter, command }: StartFacts): string[] {
  const { flags } = readCommand(command);
  const { httpAdv, raftAdv } = assumed(flags);
  const apiAddr = self.api_addr.replace(/^https?:\/\//i, "");
  const lacks = (name: string) => !flags.has(name);
  return [
    ...(lacks("node-id") ? [`-node-id=${self.id}`] : []),
    ...(lacks("http-adv-addr") && apiAddr !== "" && apiAddr !== httpAdv ? [`-http-adv-addr=${apiAddr}`] : []),
    ...(lacks("raft-adv-addr") && self.addr !== "" && self.addr !== raftAdv
      ? [`-raft-adv-addr=${self.addr}`]
      : []),
    ...(!voter && lacks("raft-non-voter") ? ["-raft-non-voter"] : []),
  ];
}

function others({ members, self }: StartFacts): string[] {
  return members.filter((m) => m.incarnation !== self.incarnation).map((m) => m.addr);
}

function addressOf(founder: MemberRef, members: readonly MemberRef[]): string {
  return members.find((m) => m.incarnation === founder.incarnation)?.addr || founder.addr;
}

function presentAddress({ id, addr }: DatabaseMember, { members }: StartFacts): string {
  return members.find((m) => m.id === id)?.addr || addr;
}

function idsOf(members: readonly DatabaseMember[]): string {
  return members.map((m) => m.id).join(", ");
}
