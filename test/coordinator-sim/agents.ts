/** The agents as one incarnation can ask them: fast, slow, not at all, of an earlier state, or with a lie. */
import type { Poll } from "../../src/coordinator/agent-client.ts";
import type { Observation, Seen, Unchanged } from "../../src/core/observation.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import type { Chance } from "../sim/chance.ts";
import type { Time } from "../sim/time.ts";
import type { Tally } from "./faults.ts";
import type { Fleet, SimAgent } from "./fleet.ts";
import { type Life, never } from "./incarnation.ts";
import type { Ledger } from "./ledger.ts";
import type { Watch } from "./watch.ts";

/** How likely a poll goes wrong by itself, for as long as somebody says so. */
export type PollTrouble = { own: number; earlier: number; allSilent: boolean };

export type AgentsOptions = {
  readonly life: Life;
  readonly fleet: Fleet;
  readonly time: Time;
  readonly chance: Chance;
  readonly tally: Tally;
  readonly trouble: PollTrouble;
  readonly watch: Watch;
  readonly ledger: Ledger;
};

type Given = Observation extends infer One
  ? One extends Observation
    ? Omit<One, "agent_addr" | "at">
    : never
  : never;

export function agentsFor(options: AgentsOptions) {
  const { life, time, watch, tally } = options;
  return {
    poll(poll: Poll, signal: AbortSignal): Promise<Observation> {
      if (life.dead || life.fate() !== "lives") {
        if (!life.dead) tally.hit("killed at another call");
        life.die();
        return never();
      }
      const at = life.clock.wall();
      watch.polled(life, poll);
      const { delayMs, answer } = asked(poll, options);
      return new Promise((resolve, reject) => {
        const end = (tell: () => void) => {
          signal.removeEventListener("abort", abort);
          cancel();
          tell();
        };
        const abort = () =>
          end(() => {
            watch.answered(life, poll, null);
            reject(signal.reason);
          });
        const cancel = time.after(delayMs, () =>
          life.deliver(() =>
            end(() => {
              const given = answer();
              const observation = given === null ? null : { agent_addr: poll.agent_addr, at, ...given };
              watch.answered(life, poll, observation);
              if (observation !== null) resolve(observation);
              else reject(new RollcallError("own", "poll: too many open files"));
            }),
          ),
        );
        if (signal.aborted) abort();
        else signal.addEventListener("abort", abort, { once: true });
      });
    },
  };
}

type Asked = { readonly delayMs: number; readonly answer: () => Given | null };

function asked(poll: Poll, { fleet, chance, tally, trouble, ledger }: AgentsOptions): Asked {
  const boots = ledger.clusters.get(poll.cluster_id)?.boots;
  const isStored = ({ boot_id, node_id }: Seen) =>
    [poll.agent_addr, node_id].some((key) => boots?.get(key)?.has(boot_id));
  const failed = (problem: string) => (): Given => ({ kind: "failed", code: "unreachable", problem });
  if (chance.is(trouble.own)) {
    tally.hit("this machine could not ask");
    return { delayMs: chance.between(0, 50), answer: () => null };
  }
  const agent = fleet.at(poll.agent_addr);
  if (trouble.allSilent || agent?.reach === "silent") {
    tally.hit(trouble.allSilent ? "all agents were silent" : "an agent was silent");
    return { delayMs: poll.timeoutMs, answer: failed("no answer in time") };
  }
  if (agent === null || agent.reach === "refuses") {
    if (agent !== null) tally.hit("an agent was refused");
    return { delayMs: chance.between(0, 20), answer: failed("connection refused") };
  }
  const usual = chance.between(0, 40);
  const delayMs = agent.reach === "slow" ? chance.between(0, 1.4 * poll.timeoutMs) : usual;
  if (agent.reach === "slow") tally.hit("an agent was slow");
  if (delayMs > poll.timeoutMs) return { delayMs: poll.timeoutMs, answer: failed("no answer in time") };
  // A run that nobody ever heard of, neither from this node nor here, cannot be known for an earlier one.
  const before = agent.said.filter((one) => one.boot_id === agent.boot_id || isStored(one));
  if (before.length > 1 && (chance.is(trouble.earlier) || agent.lie === "goes back")) {
    tally.hit("an answer of an earlier state");
    const old = chance.pick(before);
    return { delayMs, answer: () => old };
  }
  const early = chance.is(0.5) ? said(agent, poll, { fleet, tally }) : null;
  return { delayMs, answer: () => early ?? said(agent, poll, { fleet, tally }) };
}

function said(
  agent: SimAgent,
  { known, shards }: Poll,
  { fleet, tally }: Pick<AgentsOptions, "fleet" | "tally">,
): Seen | Unchanged {
  const { boot_id, seq, lie } = agent;
  const same = known?.boot_id === boot_id && known.seq === seq;
  if (same && lie === null)
    return { kind: "unchanged", boot_id, seq, shards: shards ? fleet.shards(agent) : null };
  const seen = fleet.speak(agent, shards || !same);
  switch (lie) {
    case "wrong cluster":
      tally.hit("an agent of another cluster");
      return { ...seen, key: "some/other" };
    case "wrong node":
      tally.hit("an agent with another node's id");
      return remembered(agent, { ...seen, node_id: `x-${seen.node_id}` });
    case "another genesis":
      tally.hit("an agent with another genesis");
      return remembered(agent, { ...seen, genesis_id: "genesis-of-somebody" });
    case "unchanged since never":
      tally.hit("nothing changed, it said of a state never told");
      return { kind: "unchanged", boot_id, seq: seq + 7, shards: null };
    default:
      return seen;
  }
}

/** In the place of the truth that was to be said. */
function remembered(agent: SimAgent, seen: Seen): Seen {
  agent.said[agent.said.length - 1] = seen;
  return seen;
}
