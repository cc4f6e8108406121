/** What one flag is. */
import type { CommandName } from "./command.ts";

export type Kind = "string" | "bool" | "int" | "duration" | "enum" | "list" | "json" | "address";

export type Section =
  | "node"
  | "discovery"
  | "bootstrap"
  | "database"
  | "supervision"
  | "hooks"
  | "security"
  | "log"
  | "coordinator"
  | "discovery-service"
  | "command";

/** One flag. */
export type Flag = {
  /** As typed, without the dash. */
  readonly name: string;
  /** Its key in Settings and, unless `lineOnly`, in a `-config` file. No command uses two flags of one key. */
  readonly key: string;
  readonly kind: Kind;
  /** What stands for the value in help: `HOST:PORT`. Empty for booleans. */
  readonly word: string;
  /** The default as it would be typed; null: none. */
  readonly default: string | null;
  /** What help says of the default, where that is not the value itself. */
  readonly defaultText?: string;
  /** What an enum may be. */
  readonly values?: readonly string[];
  /** The least and the most of an int or a duration (in milliseconds). */
  readonly range?: readonly [number, number];
  /** Its value may hold secrets: no message repeats it. */
  readonly secret?: boolean;
  /** Has no environment variable and no key in a file. */
  readonly lineOnly?: boolean;
  /** The commands that use it. */
  readonly commands: readonly CommandName[];
  readonly section: Section;
  /** One line, without a full stop. */
  readonly meaning: string;
};

type Row = Pick<Flag, "word" | "meaning"> & Partial<Flag>;

/** Flags from a table of what is particular to each: of one section of help, and used by these commands unless a row says otherwise. */
export function rows(section: Section, commands: readonly CommandName[], table: Record<string, Row>): Flag[] {
  return Object.entries(table).map(([name, row]) => ({
    name,
    key: name.replaceAll("-", "_"),
    kind: "string",
    default: row.kind === "bool" ? "false" : null,
    commands,
    section,
    ...row,
  }));
}
