/** What is asked of agents, and when: I9, I10 and I11 of the coordinator, and what each refresh saw. */
import type { Poll } from "../../src/coordinator/agent-client.ts";
import type { Room } from "../../src/coordinator/scheduler.ts";
import type { NodeFacts } from "../../src/core/cluster.ts";
import { equal } from "../../src/core/equal.ts";
import type { Observation } from "../../src/core/observation.ts";
import type { Time } from "../sim/time.ts";
import type { Tally } from "./faults.ts";
import type { Incarnation } from "./incarnation.ts";
import type { Ledger, Observed } from "./ledger.ts";

/** The polls of one refresh. */
type Round = {
  readonly asked: Map<string, Observation | null | "open">;
  begins: boolean;
};

export type WatchOptions = {
  readonly time: Time;
  readonly violate: (what: string) => void;
  readonly tally: Tally;
  readonly room: Room | null;
  readonly ledger: () => Ledger;
};

/** Of one incarnation. */
type Own = {
  readonly rounds: Map<string, Round>;
  readonly polledAt: Map<string, number>;
  readonly answeredAt: Map<string, number>;
  inFlight: number;
  /** When it was last seen to say that a run was left out, and how often it had. */
  fullAt: number;
  full: number;
};

/** Ticks, and turns of the queue. */
const SLACK_MS = 1_500;
/** By settings that nobody applied. */
const LONGEST_POLL_MS = 5_000;
const MOST_TIMERS = 400;

export function openWatch({ time, violate, tally, room, ledger }: WatchOptions) {
  const lives = new Map<number, Own>();
  const said = new Map<string, Pick<NodeFacts, "identity" | "report">[]>();
  /** Since when a cluster is listed and scheduled as it is. */
  const since = new Map<string, { readonly what: string; readonly at: number }>();
  const own = (life: Incarnation): Own => {
    const there = lives.get(life.number);
    if (there !== undefined) return there;
    const made: Own = {
      ...{ rounds: new Map(), polledAt: new Map(), answeredAt: new Map(), inFlight: 0 },
      ...{ fullAt: 0, full: 0 },
    };
    lives.set(life.number, made);
    return made;
  };

  function polled(life: Incarnation, { cluster_id: id, agent_addr }: Poll): void {
    const mine = own(life);
    mine.inFlight += 1;
    mine.polledAt.set(id, time.now());
    listed(life, id, agent_addr);
    let round = mine.rounds.get(id);
    if (round === undefined || !round.begins) {
      if ([...(round?.asked.values() ?? [])].includes("open")) violate(`${id} is refreshed twice at once`);
      const fresh: Round = { asked: new Map(), begins: true };
      mine.rounds.set(id, fresh);
      queueMicrotask(() => {
        fresh.begins = false;
      });
      round = fresh;
    }
    if (round.asked.has(agent_addr)) violate(`${agent_addr} is polled twice in one refresh`);
    round.asked.set(agent_addr, "open");
  }

  /** I11. What is under way may have come to the store, and not to the coordinator yet. */
  function listed(life: Incarnation, id: string, address: string): void {
    if (life.unsure > 0 || life.sureAt === time.now() || life.replaced) return;
    const all = [...ledger().records.values()].flat().filter((record) => record.cluster_id === id);
    if (!all.some(({ nodes }) => nodes.some(({ agent_addr }) => agent_addr === address)))
      violate(`I11: ${address} of ${id} is polled, and nobody lists it`);
  }

  return {
    polled,
    answered(life: Incarnation, { cluster_id: id, agent_addr }: Poll, observation: Observation | null): void {
      const mine = own(life);
      mine.inFlight -= 1;
      mine.answeredAt.set(id, time.now());
      const round = mine.rounds.get(id);
      if (round?.asked.get(agent_addr) === "open") {
        // In the order in which they come: a refresh may take the first ones before the last.
        round.asked.delete(agent_addr);
        round.asked.set(agent_addr, observation);
      }
      if (observation?.kind !== "state") return;
      const { boot_id, seq, node_id, incarnation, report, voter, api_addr, addr, genesis_id } = observation;
      const { kind, version, status, role } = report;
      const key = `${boot_id}:${seq}`;
      const identity = { node_id, incarnation };
      const told = { kind, version, status, role, voter, api_addr, addr, genesis_id };
      said.set(key, [...(said.get(key) ?? []), { identity, report: told }]);
    },
    seen: (life: Incarnation, id: string): readonly Observation[] =>
      [...(own(life).rounds.get(id)?.asked.values() ?? [])].filter(
        (one): one is Observation => one !== null && one !== "open",
      ),
    said: ({ boot, seq, node }: Observed): boolean =>
      (said.get(`${boot}:${seq}`) ?? []).some(
        ({ identity, report }) => equal(identity, node.identity) && equal(report, node.report),
      ),
    /** Now and then. `most`: agents that there are. */
    look(life: Incarnation, most: number): void {
      const mine = own(life);
      const listed = [...ledger().records.values()].flat().reduce((sum, { nodes }) => sum + nodes.length, 0);
      if (mine.inFlight > Math.max(most, listed) + 4)
        violate(`I10: ${mine.inFlight} polls at once of ${most} agents`);
      if (life.timers > MOST_TIMERS) violate(`I10: ${life.timers} timers`);
      const book = ledger();
      const names = new Set([...book.records.values()].flat().map((record) => record.cluster_id));
      const tasks = life.view?.tasks().length ?? 0;
      roomFor(life, mine);
      if (tasks > 3 * (names.size + book.discoveries.size + 4)) violate(`I10: ${tasks} tasks`);
      for (const id of names) onTime(life, mine, id, book);
    },
    /** If only for a moment: who is listed after it is due anew. */
    emptied: (id: string) => void since.delete(id),
  };

  /** What waits and what runs is within its bounds, and what finds no room is counted. */
  function roomFor({ view }: Incarnation, mine: Own): void {
    if (view === null) return;
    const { queueFull } = view.counters();
    if (queueFull > mine.full) {
      mine.fullAt = time.now();
      tally.hit("the queue was full");
    }
    mine.full = queueFull;
    const of = (state: string) => view.tasks().filter((one) => one.state === state).length;
    if (room !== null && (of("running") > room.workers || of("queued") > room.most))
      violate(`I10: ${of("running")} tasks run and ${of("queued")} wait`);
  }

  /** With little room a run that is late waits for a worker, or was said to be left out. */
  function isSaid({ view }: Incarnation, mine: Own, id: string, interval: number): boolean {
    if (room === null) return false;
    const waits = (view?.tasks() ?? []).some(
      ({ kind, name, state }) => kind === "refresh" && name === id && state === "queued",
    );
    return waits || time.now() - mine.fullAt <= interval + SLACK_MS;
  }

  /** I9. */
  function onTime(life: Incarnation, mine: Own, id: string, book: Ledger): void {
    const settings = book.settings.get(id);
    // Settings that it was told failed it need not follow before it has read them back.
    const heldMs = life.view?.cluster(id)?.settings.interval_ms ?? 0;
    const interval = Math.max(settings?.interval_ms ?? 60_000, heldMs);
    const all = [...book.records].filter(([, list]) => list.some((one) => one.cluster_id === id));
    const owner = book.clusters.get(id)?.facts.discovery ?? null;
    const listings = all.filter(([name]) => owner === null || name === owner).flatMap(([, list]) => list);
    const record = listings.filter((one) => one.cluster_id === id);
    const isPolled =
      record.length > 0 &&
      record.every(({ nodes }) => nodes.length > 0) &&
      (life.view?.cluster(id)?.cluster?.facts.inventory.length ?? 1) > 0 &&
      (settings?.enabled ?? true) &&
      (life.view?.cluster(id)?.settings.enabled ?? true);
    const what = JSON.stringify([
      life.number,
      interval,
      isPolled,
      record.map(({ nodes }) => nodes.length),
      owner,
    ]);
    const known = since.get(id);
    const start = known?.what === what ? known.at : time.now();
    since.set(id, { what, at: start });
    const [latest] = life.view?.reports(id) ?? [];
    // Nobody is asked while it cannot be read back what is listed, be it that a cluster is.
    const isUnread = life.view?.cluster(id) === null && life.view.inDoubt() > 0;
    const isHeldOff = isUnread || (latest?.outcome === "failed" && latest.polled === 0);
    const last = Math.max(
      ...[start, life.resumedAt, mine.polledAt.get(id) ?? 0, isHeldOff ? life.unreadAt : 0],
    );
    if (!isPolled || life.view === null || life.paused || life.stop.signal.aborted) return;
    // A refresh runs by the settings that were there when it began: one that takes longer than they now allow is load.
    // And so is one whose commits take long.
    const isAsking = life.view.cluster(id)?.refreshing === true;
    const lastMs = life.view.reports(id).find(({ outcome }) => outcome !== "discarded")?.duration_ms ?? 0;
    const answeredAt = isAsking ? time.now() : (mine.polledAt.get(id) ?? 0) + lastMs;
    const isLoad = answeredAt - (mine.polledAt.get(id) ?? 0) > 0.8 * interval;
    if (isSaid(life, mine, id, interval)) return;
    if (isAsking && time.now() - last <= LONGEST_POLL_MS + SLACK_MS) return;
    if (time.now() - Math.max(last, isLoad && !isAsking ? answeredAt : 0) <= 2 * interval + SLACK_MS) return;
    violate(`I9: ${id} was not polled for ${time.now() - last} ms, and its interval is ${interval}`);
    since.set(id, { what, at: time.now() });
  }
}
export type Watch = ReturnType<typeof openWatch>;
