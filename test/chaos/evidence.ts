/** What a formation has come to, by everything that agents said and left on disk. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { Outcome, Sealed } from "../../src/core/model.ts";
import { codeOf } from "../../src/lib/errors.ts";
import type { Plan } from "./plan.ts";

/** What one agent said and left. */
export type Traces = {
  readonly id: string;
  /** Every outcome it ever gave. */
  readonly outcomes: readonly Outcome[];
  /** Every genesis that its data directory names: the marker, markers given up, the outcome kept. */
  readonly kept: readonly { readonly file: string; readonly genesisId: string }[];
  readonly marker: Pick<Sealed, "genesis_id" | "node" | "members"> | null;
  /** How its database was started, each time. */
  readonly starts: readonly string[];
};

const Named = z.looseObject({ genesis_id: z.string() });
const Marker = z.looseObject({
  genesis_id: z.string(),
  node: z.string(),
  members: z.array(z.looseObject({ id: z.string() })),
});
const Identity = z.looseObject({ marker: Marker.nullable() });

/** Reads what an agent left in its data directory, and how its stand-in was started. */
export function tracesOf(
  id: string,
  dir: string,
  outcomes: readonly Outcome[],
  starts: readonly string[],
): Traces {
  const data = join(dir, "data");
  const read = (file: string): unknown => JSON.parse(readFileSync(join(data, file), "utf8"));
  const files = readdirSync(data);
  const marker = files.includes("identity.json") ? Identity.parse(read("identity.json")).marker : null;
  const others = files.filter((file) => file === "outcome.json" || /^marker\..*\.json$/.test(file));
  return {
    id,
    outcomes,
    kept: [
      ...(marker === null ? [] : [{ file: "identity.json", genesisId: marker.genesis_id }]),
      ...others.map((file) => ({ file, genesisId: Named.parse(read(file)).genesis_id })),
    ],
    marker: marker as Traces["marker"],
    starts,
  };
}

/** The lines of a file, none where it is missing. */
export function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(0, -1);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Everything that must not be: more than one genesis, or more than the one creator or the founders that created. */
export function violationsIn(plan: Plan, traces: readonly Traces[]): readonly string[] {
  const found = traces.flatMap(({ id, outcomes, kept }) => [
    ...outcomes.map(({ genesis_id }) => ({ by: `${id} says`, genesis_id })),
    ...kept.map(({ file, genesisId }) => ({ by: `${file} of ${id} has`, genesis_id: genesisId })),
  ]);
  const ids = [...new Set(found.map(({ genesis_id }) => genesis_id))];
  const two =
    ids.length > 1
      ? [`${ids.length} geneses: ${found.map(({ by, genesis_id }) => `${by} ${genesis_id}`).join(", ")}`]
      : [];
  const creators = traces.filter(({ starts }) => starts.includes("bootstrap")).map(({ id }) => id);
  const record = traces.find(({ marker }) => marker !== null)?.marker;
  const may = plan.formation === "symmetric" ? (record?.members.map((m) => m.id) ?? []) : [record?.node];
  const wrong = creators.filter((id) => !may.includes(id));
  return [...two, ...(wrong.length > 0 ? [`${wrong.join()} created, and only ${may.join()} may have`] : [])];
}
