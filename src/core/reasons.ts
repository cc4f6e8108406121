/**
 * The words of `explain`: for every wait, refusal and trouble a stable code, one sentence that names what is
 * missing, and what resolves it.
 */
import type { Refusal, Rules, Settled, State, Wait } from "./genesis-state.ts";
import { foreignData, foreignLeader, genesisConflict, membersGone } from "./reasons-adoption.ts";
import { turnText, votersWords } from "./reasons-count.ts";
import { ruledOutHints } from "./reasons-lost.ts";
import { type Discovery, discoveryHints, settledHints, votersWait } from "./reasons-voters.ts";

type Unregistered = { readonly problem: string; readonly hint: string | null };

/** What is known beside the protocol's own state. */
export type Facts = {
  readonly rules: Rules;
  readonly state: State;
  /** Entries in the members directory, or agents known where there is none; and those that answered this agent's last round of asking. */
  readonly seen: number;
  readonly reachable: number;
  /** The agent that holds this node's id in the directory, and whether it is alive. */
  readonly idTaken: { readonly by: string; readonly alive: boolean } | null;
  /** How -on-init last failed, or null. */
  readonly initFailure: { readonly problem: string; readonly tries: number } | null;
  /** This agent advertises loopback, and others are elsewhere. */
  readonly loopbackAmongOthers: boolean;
  /** Why this node cannot register, and what the store says helps; or null. */
  readonly registrationProblem: Unregistered | null;
  /** How the peers are found where no store lists them; null: a store does. */
  readonly discovery: Discovery | null;
  readonly overdue: boolean;
  readonly nextTryMs: number | null;
};

/** `code` is a stable word, `unblock` what resolves it, most likely first; empty when nothing needs to be done. */
export type Reason = { readonly code: string; readonly summary: string; readonly unblock: readonly string[] };

/** Why the node is where it is. */
export function reasonOf(facts: Facts): Reason {
  const { state, idTaken, rules } = facts;
  const { phase } = state;
  if (state.settled !== null) return settledReason(facts, state.settled);
  if (phase.at !== "refused" && idTaken !== null) return takenReason(rules, idTaken);
  switch (phase.at) {
    case "waiting":
      return waitReason(facts, phase.wait);
    case "refused":
      return refusalReason(facts, phase.refusal);
    default:
      return facts.initFailure === null ? busyReason(state) : initReason(facts.initFailure);
  }
}

function initReason({ problem, tries }: { problem: string; tries: number }): Reason {
  return {
    code: "on_init_failing",
    summary: `This node's claim stands, but its database cannot be initialised: -on-init failed ${tries} time${tries === 1 ? "" : "s"}, last with: ${problem}.`,
    unblock: [
      "Repair what the command needs; it is run again by itself, each time on an empty directory.",
      "Or stop this agent: after its lease and 15 s of silence another voter takes over.",
    ],
  };
}

function settledReason(facts: Facts, { kind, record }: Settled): Reason {
  if (facts.idTaken?.alive) return takenReason(facts.rules, facts.idTaken);
  const { trouble } = facts.state;
  if (trouble !== null && trouble.code !== "store") return refusalReason(facts, trouble);
  if (trouble?.of === "database") return directoryReason(trouble.problem);
  if (trouble !== null)
    return {
      code: "store",
      summary: `Settled. The store cannot be read: ${trouble.problem}.`,
      unblock: ["Make the store reachable; the database is left alone, and the agent tries again by itself."],
    };
  const what = {
    bootstrap: "this node creates the cluster",
    join: "this node joins the cluster",
    existing: "this node is part of the cluster",
  };
  return {
    code: "settled",
    summary: `Settled: ${what[kind]}, genesis ${record.genesis_id}.`,
    unblock: facts.discovery === null ? [] : settledHints(facts.discovery),
  };
}

function directoryReason(problem: string): Reason {
  return {
    code: "database_directory",
    summary: `Cannot tell whether the database has data: ${problem}.`,
    unblock: [
      "Let the agent list -db-data-dir; it tries again by itself, and neither creates nor joins before that.",
    ],
  };
}

function busyReason({ phase, seen }: State): Reason {
  const doing: Record<string, string> = {
    reading: "Reading the genesis record.",
    asking: "Asking every known agent what it has on disk.",
    saving: "Saving to the data directory.",
    swapping: "Writing the genesis record.",
    initialising: "This node's claim stands: its database is being initialised (-on-init), closed.",
    parking: "Setting aside a database that was initialised for a lost claim.",
    voting: "Asking the others for their votes.",
  };
  const first = seen === undefined && phase.at === "reading";
  return { code: first ? "starting" : phase.at, summary: doing[phase.at] ?? phase.at, unblock: [] };
}

function takenReason({ nodeId }: Rules, { by, alive }: { by: string; alive: boolean }): Reason {
  return alive
    ? {
        code: "duplicate_node_id",
        summary: `Another live agent at ${by} uses the node id ${nodeId}; neither is counted.`,
        unblock: [
          `Give one of the two another -node-id (and its own -data-dir).`,
          `Or stop the agent at ${by}: this one goes on once its registration has lapsed.`,
        ],
      }
    : {
        code: "registration_lapsing",
        summary: `The directory still names an earlier life of ${nodeId} at ${by}, which does not answer.`,
        unblock: ["Nothing to do: its lease lapses by itself within 20 s."],
      };
}

function waitReason(facts: Facts, wait: Wait): Reason {
  const { rules, state, overdue, registrationProblem, discovery } = facts;
  const late = overdue ? " This takes longer than -bootstrap-expect-timeout." : "";
  const of = (code: string, summary: string, ...unblock: string[]): Reason => ({
    code,
    summary: summary + late,
    unblock,
  });
  const told = discovery?.told ?? [];
  const ruled = discovery === null ? [] : ruledOutHints({ rules, state, told });
  switch (wait.on) {
    case "store":
      if (wait.of === "database") return directoryReason(wait.problem);
      return of(
        "store",
        `Waiting for the store: ${wait.problem}.`,
        "Let the agent read and write there (address, credentials and their rights, the store's own health); it tries again by itself.",
      );
    case "no_record":
      return noRecord(rules, of);
    case "registration":
      if (registrationProblem !== null) return cannotRegister(rules, registrationProblem, of);
      return of(
        "registration",
        "The cluster is there; this node joins once its entry in the members directory stands.",
        "Nothing to do: the agent registers by itself.",
      );
    case "foreign_leader":
      return of("foreign_leader", ...foreignLeader(rules, wait));
    case "members_gone":
      return of("members_gone", ...membersGone(rules, wait));
    case "holder":
      return heldBy(wait, of);
    case "expect_mismatch":
      return expectMismatch(rules, wait.recordExpect, of);
    case "voters": {
      if (registrationProblem !== null) return cannotRegister(rules, registrationProblem, of);
      const { code, summary, unblock } = votersWords(facts, ruled);
      return of(code, summary, ...unblock);
    }
    case "claimant":
      return of(
        "claimant",
        `${wait.claimant} has a claim on disk that it has not yet given up; it reads the record and answers again.`,
        `Nothing to do while ${wait.claimant} can reach the store.`,
      );
    case "turn":
      return of("turn", ...turnText(facts, ruled));
    case "others":
      return others(rules, discovery, of);
    case "claimer":
      return of(
        "claimer",
        `${wait.claimer} has claimed and is creating the cluster.`,
        `Nothing to do: it seals, or once it has been silent for 15 s another voter takes over.`,
      );
    default: {
      const { code, summary, unblock } = votersWait({ rules, state, told }, wait);
      // Whoever is waited for may be out of reach.
      return of(
        code,
        summary,
        ...(facts.discovery === null ? [] : discoveryHints(facts.discovery, rules.key)),
        ...unblock,
      );
    }
  }
}

type Make = (code: string, summary: string, ...unblock: string[]) => Reason;

function others({ voter, genesis, key }: Rules, discovery: Discovery | null, of: Make): Reason {
  return of(
    "others",
    voter && genesis !== "never"
      ? "Other voters create the cluster; this node joins it."
      : "Waiting for voters to create the cluster; this node only joins.",
    ...(discovery === null ? [] : discoveryHints(discovery, key)),
    "Start the voters, or look at what they wait for: `rollcall explain` beside each.",
  );
}

function heldBy({ holder, genesisId }: Extract<Wait, { on: "holder" }>, of: Make): Reason {
  return of(
    "holder",
    `${holder} belongs to genesis ${genesisId}, which the record does not show; nothing is created beside it.`,
    `Nothing to do while ${holder} runs: its agent restores the record.`,
    "Otherwise run `rollcall genesis restore` with that node's flags.",
  );
}

function noRecord({ genesis, voter, key }: Rules, of: Make): Reason {
  const init = `Run \`rollcall genesis init -disco-key ${key} -bootstrap-expect N -confirm ${key}\` with the agents' flags, once.`;
  if (voter && genesis === "strict")
    return of(
      "no_record",
      "There is no genesis record, and -genesis=strict leaves its creation to the operator.",
      init,
      "If the cluster exists already: run `rollcall genesis restore` beside one of its nodes.",
    );
  return of(
    "no_record",
    `There is no genesis record yet, and this node only joins (${voter ? "-genesis=never" : "-non-voter"}).`,
    "Start the voters.",
    init,
  );
}

function expectMismatch({ expect, key }: Rules, recordExpect: number, of: Make): Reason {
  return of(
    "expect_mismatch",
    `This node was started with -bootstrap-expect ${expect}, but the record says ${recordExpect}; it never claims, and joins once the cluster is there.`,
    "Give every voter the same -bootstrap-expect.",
    `To change the record while it is unborn: \`rollcall genesis init -disco-key ${key} -bootstrap-expect ${expect} -confirm ${key}\` with the agents' flags.`,
  );
}

function cannotRegister({ key, nodeId }: Rules, { problem, hint }: Unregistered, of: Make): Reason {
  return of(
    "registration_failing",
    `This node cannot register: ${problem}. Who is not in the members directory is neither counted nor joins.`,
    hint ??
      `Let the agent write ${key}/members/${nodeId}, leased: look at the store's permissions. It tries again by itself.`,
  );
}

function refusalReason({ rules, state, discovery }: Facts, refusal: Refusal): Reason {
  const mine = state.kept.marker?.genesis_id ?? "";
  switch (refusal.code) {
    case "foreign_data":
      return { code: "foreign_data", ...foreignData(rules, state, refusal.doubt, discovery === null) };
    case "genesis_conflict":
      return { code: "genesis_conflict", ...genesisConflict(rules, state, refusal, discovery === null) };
    case "reborn":
      return {
        code: "reborn",
        summary: `The cluster was reborn (birth ${refusal.birth}); this node belongs to genesis ${mine} of birth ${state.kept.marker?.birth ?? 0}, which never opens again.`,
        unblock: [
          "Wipe this node to join: stop it, move its -data-dir and its database's directory away, start again.",
        ],
      };
    case "park_failed":
      return {
        code: "park_failed",
        summary: `What was initialised for a lost claim could not be set aside: ${refusal.problem}.`,
        unblock: refusal.commands.map((command) => `Run: ${command}`),
      };
    default:
      return refusal satisfies never;
  }
}
