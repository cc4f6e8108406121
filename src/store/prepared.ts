/** Queries that are compiled once: Kysely takes longer to build most of them than the database to run them. */
import type { Compilable } from "kysely";
import type { Db } from "./schema.ts";

/** Runs a query with its values on the database, or on a connection of it; gives its rows. */
export type Prepared<V, R> = (on: Db, values: V) => Promise<readonly R[]>;

/** Where a value goes. */
class Place {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** `build` is called once, with a stand-in for each value: it may hand them on as parameters, and never look at them. */
export function prepared<V extends object, R>(build: (values: V) => Compilable<R>): Prepared<V, R> {
  const places = new Proxy({}, { get: (_, name) => new Place(String(name)) }) as V;
  const query = build(places).compile();
  return async (on, values) => {
    const of = values as Readonly<Record<string, unknown>>;
    const parameters = query.parameters.map((one) => (one instanceof Place ? of[one.name] : one));
    return (await on.executeQuery<R>({ ...query, parameters })).rows;
  };
}
