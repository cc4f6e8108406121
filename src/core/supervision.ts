/**
 * When a supervised database is started, signalled and given up: `(rules, state, input) → (state, effects)`,
 * without a clock or a process. The shell (agent/supervise.ts) performs the effects in their order and tells
 * what came of them. src/DESIGN.md, "Supervision", has the states.
 */

/** What the operator said, fixed for the life of the process. */
export type SupervisionRules = {
  readonly restart: "on-failure" | "always" | "never";
  /** Between SIGTERM and SIGKILL; 0: SIGKILL at once. */
  readonly stopTimeoutMs: number;
};

/** How the database ended; both are null where that is not known, as of one that was no child of this agent. */
export type LastExit = { readonly code: number | null; readonly signal: string | null };

export type SupervisionPhase =
  /** For a plan. */
  | { readonly at: "waiting" }
  /** `stop`: it was told to stop meanwhile. */
  | { readonly at: "starting"; readonly stop: boolean }
  | { readonly at: "running"; readonly pid: number }
  | { readonly at: "backing_off" }
  | { readonly at: "stopping"; readonly pid: number; readonly killed: boolean }
  | { readonly at: "ended" };

export type SupervisionState = {
  readonly phase: SupervisionPhase;
  /** The database has run under this agent. */
  readonly begun: boolean;
  /** The one that runs, or ran last, was started by an agent before this one. */
  readonly takenBack: boolean;
  /** Starts after another one ended. */
  readonly restarts: number;
  /** Ends and failed starts in a row, none of which lasted. */
  readonly failures: number;
  readonly lastExit: LastExit | null;
  /** What a shell reports for the last end: the code, or 128 and the number of the signal. */
  readonly lastStatus: number | null;
  /** Why it does not run, in one line; null while it does, or where nothing is wrong. */
  readonly problem: string | null;
};

/** What the shell tells. */
export type SupervisionInput =
  | { readonly is: "begin" }
  /** Instead of `begin`: a database of an earlier agent runs. */
  | { readonly is: "found"; readonly pid: number }
  /** The plan may be another now. */
  | { readonly is: "woken" }
  /** The answer to `look`. `why` it is not ready; null: there is no outcome yet. */
  | { readonly is: "planned"; readonly ready: true }
  | { readonly is: "planned"; readonly ready: false; readonly why: string | null }
  /** The answers to `spawn`. `lasting`: trying again will not help. */
  | { readonly is: "started"; readonly pid: number }
  | { readonly is: "not_started"; readonly problem: string; readonly lasting: boolean }
  | {
      readonly is: "exited";
      readonly exit: LastExit;
      /** See `lastStatus`. */
      readonly status: number;
      readonly ranMs: number;
    }
  /** The time that the last `timer` set is over. */
  | { readonly is: "timer" }
  | { readonly is: "stop" };

/** What the shell does. */
export type SupervisionEffect =
  /** Ask for the plan; answered by `planned` at once. */
  | { readonly do: "look" }
  /** Start by the plan just looked at; answered by `started` or `not_started`. */
  | { readonly do: "spawn" }
  | { readonly do: "signal"; readonly name: "SIGTERM" | "SIGCONT" }
  /** SIGKILL to everything that is left of the process group. */
  | { readonly do: "kill_group" }
  /** Sets the only timer there is, or, with null, takes it away. */
  | { readonly do: "timer"; readonly ms: number | null }
  /** Supervision is over. `code`: what the agent ends with; null: no database ever ran. `left`: it could not be killed. */
  | { readonly do: "end"; readonly code: number | null; readonly left: boolean }
  /** Supervision is over because the command cannot be started. */
  | { readonly do: "fail"; readonly problem: string };

export type SupervisionStep = {
  readonly state: SupervisionState;
  readonly effects: readonly SupervisionEffect[];
};

/** The wait before another start, which doubles from the first to the most, and how long a start must last to be none of a row. */
export const FIRST_BACKOFF_MS = 250;
export const MOST_BACKOFF_MS = 10_000;
export const LASTED_MS = 10_000;
/** A plan that is not ready is looked at again by itself this often, should nobody say that it is. */
export const LOOK_AGAIN_MS = 1_000;
/** A process that is not gone this long after SIGKILL, or a disk that holds up a start, hangs: nobody can wait for it. */
export const GIVE_UP_MS = 2_000;
/** What a shell reports for SIGKILL. */
const KILLED = 137;

export const initialSupervision: SupervisionState = {
  phase: { at: "waiting" },
  begun: false,
  takenBack: false,
  restarts: 0,
  failures: 0,
  lastExit: null,
  lastStatus: null,
  problem: null,
};

/** One step. An input that does not fit the phase, such as the timer of one that is over, changes nothing. */
export function superviseStep(
  rules: SupervisionRules,
  state: SupervisionState,
  input: SupervisionInput,
): SupervisionStep {
  const { phase } = state;
  switch (phase.at) {
    case "waiting":
      return waiting(state, input);
    case "starting":
      return starting(rules, state, phase.stop, input);
    case "running":
      return running(rules, state, phase.pid, input);
    case "backing_off":
      if (input.is === "timer") return look(state);
      return input.is === "stop" ? end(state, state.lastStatus) : stay(state);
    case "stopping":
      return stopping(state, phase, input);
    case "ended":
      // Given up while it was being started.
      return input.is === "started" ? { state, effects: [killGroup] } : stay(state);
    default:
      return phase satisfies never;
  }
}

function waiting(state: SupervisionState, input: SupervisionInput): SupervisionStep {
  switch (input.is) {
    case "found":
      return { state: started({ ...state, takenBack: true }, input.pid), effects: [untimed] };
    case "begin":
    case "woken":
    case "timer":
      return look(state);
    case "planned":
      if (input.ready)
        return { state: { ...state, phase: { at: "starting", stop: false } }, effects: [untimed, spawn] };
      return {
        state: state.problem === input.why ? state : { ...state, problem: input.why },
        effects: [timer(LOOK_AGAIN_MS)],
      };
    case "stop":
      return end(state, state.lastStatus);
    default:
      return stay(state);
  }
}

function starting(
  rules: SupervisionRules,
  state: SupervisionState,
  stop: boolean,
  input: SupervisionInput,
): SupervisionStep {
  switch (input.is) {
    case "stop":
      return { state: { ...state, phase: { at: "starting", stop: true } }, effects: [timer(GIVE_UP_MS)] };
    case "timer":
      return stop ? end(state, state.lastStatus) : stay(state);
    case "started": {
      const next = started(
        { ...state, takenBack: false, restarts: state.restarts + (state.begun ? 1 : 0) },
        input.pid,
      );
      return stop ? stopIt(rules, next, input.pid) : { state: next, effects: [] };
    }
    case "not_started": {
      if (stop) return end(state, state.lastStatus);
      const next = { ...state, problem: input.problem };
      // One that has run will run again: its program is just being replaced, or memory is short.
      if (!state.begun && (input.lasting || rules.restart === "never"))
        return {
          state: { ...next, phase: { at: "ended" } },
          effects: [untimed, { do: "fail", problem: input.problem }],
        };
      return backOff(next);
    }
    default:
      return stay(state);
  }
}

function running(
  rules: SupervisionRules,
  state: SupervisionState,
  pid: number,
  input: SupervisionInput,
): SupervisionStep {
  if (input.is === "stop") return stopIt(rules, state, pid);
  if (input.is !== "exited") return stay(state);
  const after: SupervisionState = {
    ...state,
    lastExit: input.exit,
    lastStatus: input.status,
    failures: input.ranMs >= LASTED_MS ? 0 : state.failures,
  };
  const again = rules.restart === "always" || (rules.restart === "on-failure" && input.status !== 0);
  const next = again ? backOff({ ...after, problem: endedBy(input.exit) }) : end(after, input.status);
  // What it leaves would hold its ports and files against the next start, and nothing is to be left after the end.
  return { state: next.state, effects: [killGroup, ...next.effects] };
}

function stopping(
  state: SupervisionState,
  { pid, killed }: { pid: number; killed: boolean },
  input: SupervisionInput,
): SupervisionStep {
  switch (input.is) {
    case "exited": {
      const next = end(
        { ...state, lastExit: input.exit, lastStatus: input.status },
        stopCode(killed, input.exit, input.status),
      );
      return { state: next.state, effects: [killGroup, ...next.effects] };
    }
    case "timer":
      if (!killed) return kill(state, pid);
      return {
        state: { ...state, phase: { at: "ended" }, problem: "still there after SIGKILL" },
        effects: [untimed, { do: "end", code: KILLED, left: true }],
      };
    default:
      return stay(state);
  }
}

/** To end by the very SIGTERM that asked for it is a clean end. */
function stopCode(killed: boolean, { code, signal }: LastExit, status: number): number {
  if (code === null && signal === null) return killed ? KILLED : 0;
  return !killed && signal === "SIGTERM" ? 0 : status;
}

function stopIt(rules: SupervisionRules, state: SupervisionState, pid: number): SupervisionStep {
  if (rules.stopTimeoutMs === 0) return kill(state, pid);
  return {
    state: { ...state, phase: { at: "stopping", pid, killed: false } },
    // A paused process takes no SIGTERM before it continues.
    effects: [
      { do: "signal", name: "SIGTERM" },
      { do: "signal", name: "SIGCONT" },
      timer(rules.stopTimeoutMs),
    ],
  };
}

function kill(state: SupervisionState, pid: number): SupervisionStep {
  return {
    state: { ...state, phase: { at: "stopping", pid, killed: true } },
    effects: [killGroup, timer(GIVE_UP_MS)],
  };
}

function started(state: SupervisionState, pid: number): SupervisionState {
  return { ...state, phase: { at: "running", pid }, begun: true, problem: null };
}

function look(state: SupervisionState): SupervisionStep {
  const next = state.phase.at === "waiting" ? state : ({ ...state, phase: { at: "waiting" } } as const);
  return { state: next, effects: [{ do: "look" }] };
}

function backOff(state: SupervisionState): SupervisionStep {
  const ms = Math.min(FIRST_BACKOFF_MS * 2 ** state.failures, MOST_BACKOFF_MS);
  return {
    state: { ...state, phase: { at: "backing_off" }, failures: Math.min(state.failures + 1, 16) },
    effects: [timer(ms)],
  };
}

function end(state: SupervisionState, code: number | null): SupervisionStep {
  return {
    state: { ...state, phase: { at: "ended" } },
    effects: [untimed, { do: "end", code, left: false }],
  };
}

function endedBy({ code, signal }: LastExit): string {
  if (signal !== null) return `ended by ${signal}`;
  return code === null ? "ended" : `ended with exit ${code}`;
}

function stay(state: SupervisionState): SupervisionStep {
  return { state, effects: [] };
}

function timer(ms: number): SupervisionEffect {
  return { do: "timer", ms };
}

const untimed: SupervisionEffect = { do: "timer", ms: null };
const spawn: SupervisionEffect = { do: "spawn" };
const killGroup: SupervisionEffect = { do: "kill_group" };
