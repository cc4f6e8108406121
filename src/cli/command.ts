/** What a command is, and the names of all, by what they have in common. */

/** One subcommand. */
export type Command = {
  readonly name: CommandName;
  /** One line, without a full stop. */
  readonly summary: string;
  /** What help adds to the summary, in sentences. */
  readonly about: string;
  readonly examples: readonly string[];
  /** The flag whose value may stand alone. */
  readonly argument?: string;
};

/** Commands that work on the genesis record. */
export const GENESIS_COMMANDS = [
  "genesis show",
  "genesis init",
  "genesis adopt",
  "genesis restore",
  "genesis rebirth",
] as const;

/** Commands that take an agent's flags, that ask a running agent, and that look for peers. */
export const AGENT = ["agent", "validate"] as const;
export const CLIENT = ["status", "explain", "leave", "genesis assume-lost"] as const;
export const STORE = [...AGENT, "discover", ...GENESIS_COMMANDS] as const;

/** The commands that are the coordinator, and that ask a running one. */
export const COORDINATOR = ["coordinator"] as const;
export const COORDINATOR_CLIENT = [
  "apply",
  "get discoveries",
  "get clusters",
  "get settings",
  "delete discovery",
  "delete cluster",
  "clusters",
  "nodes",
  "events",
  "cluster show",
  "cluster refresh",
  "discovery accept",
] as const;

/** The command that is the Discovery Service. */
export const DISCOVERY_SERVICE = ["discovery"] as const;

/** The commands that ask nobody. */
const ALONE = ["provider list", "version", "help"] as const;

/** What is typed after `rollcall`. */
export type CommandName = (
  | typeof STORE
  | typeof CLIENT
  | typeof COORDINATOR
  | typeof COORDINATOR_CLIENT
  | typeof DISCOVERY_SERVICE
  | typeof ALONE
)[number];
