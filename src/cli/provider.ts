/** `rollcall provider list`: the modes, and what each has. Contacts nobody. */
import { DiscoMode, hasStore, type ProviderMode, type Settings } from "../config.ts";
import type { Io } from "./io.ts";
import { columns, json } from "./table.ts";

/** What a mode has besides its look-ups. */
export type Abilities = {
  /** It gives agents' addresses. */
  readonly addresses: boolean;
  /** It tells of changes, so that nobody has to look again. */
  readonly watch: boolean;
  /** Agents keep an entry each, under a lease. */
  readonly members: boolean;
  /** One genesis record, and one leader key, under check-and-set. */
  readonly register: boolean;
  readonly leader_key: boolean;
};

const STORE: Abilities = { addresses: true, watch: true, members: true, register: true, leader_key: true };
const ADDRESSES: Abilities = {
  addresses: true,
  watch: false,
  members: false,
  register: false,
  leader_key: false,
};

/** Every mode; `static` is that of -join. */
export const ABILITIES: Readonly<Record<ProviderMode, Abilities>> = {
  "consul-kv": STORE,
  "etcd-kv": STORE,
  disco: STORE,
  dns: ADDRESSES,
  "dns-srv": ADDRESSES,
  "consul-service": { ...ADDRESSES, watch: true },
  file: { ...ADDRESSES, watch: true },
  http: ADDRESSES,
  static: ADDRESSES,
};

const COLUMNS = ["addresses", "watch", "members", "register", "leader_key", "store"] as const;

/** Prints one line a mode, or a JSON list of `{mode, flag, addresses, …, store}`. */
export async function run(settings: Settings, io: Io): Promise<number> {
  const all: readonly ProviderMode[] = [...DiscoMode.options, "static"];
  const modes = all.map((mode) => ({
    mode,
    flag: mode === "static" ? "-join" : `-disco-mode=${mode}`,
    ...ABILITIES[mode],
    store: hasStore(mode),
  }));
  if (settings.output === "json") {
    io.stdout(json(modes));
    return 0;
  }
  const head = ["MODE", ...COLUMNS.map((name) => name.replace("_", " ").toUpperCase())];
  const rows = modes.map((mode) => [mode.mode, ...COLUMNS.map((name) => (mode[name] ? "yes" : "-"))]);
  io.stdout(columns([head, ...rows]));
  return 0;
}
