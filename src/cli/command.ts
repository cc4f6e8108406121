/** What a command is, and the names of all. */

/** One subcommand. `name` is what is typed after `rollcall`. */
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

const NAMES = [
  "agent",
  "discover",
  "provider list",
  "validate",
  "status",
  "explain",
  "leave",
  "genesis show",
  "genesis init",
  "genesis adopt",
  "genesis restore",
  "genesis rebirth",
  "genesis assume-lost",
  "coordinator",
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
  "discovery",
  "version",
  "help",
] as const;
export type CommandName = (typeof NAMES)[number];
