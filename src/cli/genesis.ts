/**
 * `rollcall genesis show|init|adopt|restore|rebirth`: reads the record, decides, asks for the key as confirmation,
 * and writes with one check-and-set. A write whose outcome is unknown is read back and never repeated.
 */

import type { Settings } from "../config.ts";
import { clusterOf, namedLeader, standing } from "../core/genesis-adoption.ts";
import type { GenesisRecord } from "../core/model.ts";
import type { Lookup, Register, Versioned } from "../core/provider.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import type { GENESIS_COMMANDS } from "./command.ts";
import { checkConfirmation, confirmKey, requireConfirmable } from "./confirm.ts";
import { askDatabase } from "./database.ts";
import { requireStore } from "./discovery.ts";
import { type Plan, planAdopt, planInit, planRebirth, planRestore } from "./genesis-plans.ts";
import type { Io, Run } from "./io.ts";
import { describe, readGenesis, requireGenesis } from "./records.ts";
import { type Store, withStore } from "./store.ts";
import { json } from "./table.ts";
import { usageError } from "./usage.ts";

/** Runs one of the commands, by its full name. Throws a usage error where there is no store. */
export async function run(
  command: (typeof GENESIS_COMMANDS)[number],
  settings: Settings,
  io: Io,
): Promise<number> {
  requireStore(settings);
  return commands[command](settings, io);
}

const commands: Readonly<Record<(typeof GENESIS_COMMANDS)[number], Run<Settings>>> = {
  "genesis show": show,
  "genesis init": (settings, io) => {
    const expect = settings.bootstrap_expect;
    if (expect === null) {
      throw usageError(
        "-bootstrap-expect: is required: how many voters must be there, as every agent has it",
      );
    }
    return change(settings, io, async ({ record, seen }) =>
      planInit({
        record,
        foreign: standing(namedLeader(seen.leader?.value), record),
        forget: settings.forget_leader,
        members: seen.members ?? [],
        expect,
        initId: io.uuid(),
      }),
    );
  },
  "genesis adopt": async (settings, io) => {
    requireConfirmable(settings, io);
    const cluster = clusterOf(await askDatabase(settings, io));
    return change(settings, io, async ({ record, seen }) =>
      planAdopt({
        record,
        cluster,
        foreign: standing(namedLeader(seen.leader?.value), record),
        members: seen.members ?? [],
        initId: io.uuid(),
        genesisId: io.uuid(),
      }),
    );
  },
  "genesis restore": (settings, io) =>
    change(settings, io, async ({ key, record, seen }) => {
      const { readMarker } = await import("../agent/identity.ts");
      const marker = await readMarker(settings.data_dir, key);
      return planRestore({ record, marker, members: seen.members ?? [], freshInitId: io.uuid() });
    }),
  "genesis rebirth": (settings, io) => {
    const oldId = settings.old_genesis;
    if (oldId === null) throw usageError("-genesis: is required: the id of the genesis that is given up");
    if (["auto", "strict", "never"].includes(oldId)) {
      throw usageError(
        `-genesis: takes the old genesis id here, as genesis show prints it; ${oldId} is the agent's`,
      );
    }
    return change(settings, io, async ({ record, seen }) =>
      planRebirth({ record, oldId, members: seen.members ?? [], expect: settings.bootstrap_expect }),
    );
  },
};

async function show(settings: Settings, io: Io): Promise<number> {
  return withStore(settings, io, async (store) => {
    const value = await store.call("read genesis", (signal) => registerOf(store).read(signal));
    const decoded = readGenesis(value);
    if (settings.output === "json") {
      const shown = decoded.ok ? { genesis: decoded.value } : { genesis: null, problem: decoded.problem };
      io.stdout(json({ key: store.disco.key, mode: store.disco.mode, ...shown }));
    } else {
      io.stdout(`${store.disco.key}: ${decoded.ok ? describe(decoded.value) : decoded.problem}\n`);
    }
    return decoded.ok ? 0 : 1;
  });
}

type Seen = { readonly key: string; readonly record: GenesisRecord | null; readonly seen: Lookup };

async function change(settings: Settings, io: Io, plan: (seen: Seen) => Promise<Plan>): Promise<number> {
  // Said before the store is asked: without the flag and without a terminal nothing can come of it.
  requireConfirmable(settings, io);
  return withStore(settings, io, async (store) => {
    const { key } = store.disco;
    if (settings.confirm !== null) checkConfirmation("-confirm", settings.confirm, key);
    const register = registerOf(store);
    // The look-up comes first: the value that the write is checked against is the newest one read.
    const seen = await store.call("look up", (signal) => store.provider.lookup(signal));
    const current = await store.call("read genesis", (signal) => register.read(signal));
    const record = requireGenesis(current);
    const planned = await plan({ key, record, seen });
    io.stdout(`was: ${describe(record)}\n`);
    if (planned.kind === "refuse")
      throw new RollcallError("refused", `${key}: ${planned.why}`, { hint: planned.hint });
    if (planned.kind === "done") {
      io.stdout(`unchanged: ${planned.why}\n`);
      return 0;
    }
    for (const note of planned.notes) io.stdout(`note: ${note}\n`);
    if (settings.confirm === null) {
      io.stdout(`will be: ${describe(planned.next)}\n`);
      await confirmKey(settings, io, key);
    }
    const now = await write({ store, register, current, plan: planned });
    io.stdout(`is: ${describe(now)}\n`);
    return 0;
  });
}

type Write = {
  readonly store: Store;
  readonly register: Register;
  readonly current: Versioned | null;
  readonly plan: Extract<Plan, { kind: "write" }>;
};

/** The record after the write. Throws `lost` when another write came first, `unknown` when nobody can tell. */
async function write({ store, register, current, plan }: Write): Promise<GenesisRecord | null> {
  const swapped = await store.call("write genesis", (signal) =>
    register.swap(current, JSON.stringify(plan.next), signal),
  );
  if (swapped.kind === "won") return plan.next;
  if (swapped.kind === "lost") throw lost(requireGenesis(swapped.current));
  const unknown = (what: string) =>
    new RollcallError("unknown", `write genesis: ${reason(swapped.cause)}; ${what}`, {
      hint: "the write may still arrive: look with `rollcall genesis show` before trying again",
    });
  const now = await store
    .call("read genesis", (signal) => register.read(signal))
    .catch((error: unknown) => {
      throw unknown(`it could not be read back: ${reason(error)}`);
    });
  const record = requireGenesis(now);
  if (plan.landed(record)) return record;
  if (now?.revision === current?.revision && now?.value === current?.value)
    throw unknown("the record is as it was");
  throw lost(record);
}

function lost(record: GenesisRecord | null): RollcallError {
  return new RollcallError("lost", `another write came first; the record is ${describe(record)}`);
}

function registerOf({ provider }: Store): Register {
  if (provider.genesis !== undefined) return provider.genesis;
  throw new RollcallError("no_register", `${provider.mode} keeps no genesis record`);
}
