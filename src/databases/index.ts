/** The kinds of `-db`, each in a file that is loaded when it is chosen. */
import type { DatabaseModule } from "./database.ts";

export type { DatabaseModule } from "./database.ts";

/** One line a kind. */
export const databases: Readonly<Record<"rqlite" | "http" | "none", () => Promise<DatabaseModule>>> = {
  rqlite: () => import("./rqlite.ts"),
  http: () => import("./http.ts"),
  none: () => import("./none.ts"),
};
