/** What a coordinator serves, as far as commands show it. Tolerant: what a release does not have is null. */
import * as z from "zod";
import type { ClientConfig } from "../config.ts";
import { decode } from "../core/model.ts";
import { RollcallError } from "../lib/errors.ts";

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? null);
const number = z
  .number()
  .nullish()
  .transform((value) => value ?? null);
const list = <T>(item: z.ZodType<T>) =>
  z
    .array(item)
    .nullish()
    .transform((value): readonly T[] => value ?? []);
/** A node, as its id or as an object that has one. */
const nodeId = z
  .union([z.string(), z.looseObject({ node_id: z.string() })])
  .nullish()
  .transform((value) => (typeof value === "object" ? (value?.node_id ?? null) : (value ?? null)));

/** A gauge with its unit, or just a number. */
const Lag = z
  .union([z.number(), z.looseObject({ value: z.number(), unit: z.string() })])
  .nullish()
  .transform((lag) =>
    typeof lag === "object" ? lag && `${lag.value} ${lag.unit}` : (lag?.toString() ?? null),
  )
  .transform((value) => value ?? null);

export const ServedNode = z.looseObject({
  node_id: text,
  agent_addr: z.string(),
  agent: z.looseObject({ status: z.string(), code: text }),
  /** The report is an old one: the agent is down. */
  stale: z.boolean().default(false),
  /** The inventory lists it. */
  listed: z.boolean().default(true),
  role: text,
  status: text,
  version: text,
  lag: Lag,
  problem: text,
});
export type ServedNode = z.infer<typeof ServedNode>;

export const ServedCluster = z.looseObject({
  cluster_id: z.string(),
  display_name: text,
  health: z.looseObject({
    status: z.string(),
    reasons: list(z.looseObject({ code: text, text: z.string() })),
  }),
  counts: z.looseObject({ expected: number, discovered: number, reached: number, up: number }),
  leader: nodeId,
  discovery: text,
  genesis_id: text,
  last_event: z
    .looseObject({ type: z.string(), time: text })
    .nullish()
    .transform((value) => value ?? null),
  nodes: list(ServedNode),
});
export type ServedCluster = z.infer<typeof ServedCluster>;

/** An event, of any type that there is or will be. */
export const ServedEvent = z.looseObject({
  id: z.string(),
  type: z.string(),
  subject: z.string().default(""),
  time: z.string().default(""),
  data: z.looseObject({ before: z.unknown(), after: z.unknown() }).default({ before: null, after: null }),
});
export type ServedEvent = z.infer<typeof ServedEvent>;

/** Settings of a discovery or a cluster, bare or beside the state of its runs. */
export const ServedObject = z.record(z.string(), z.unknown());
export type ServedObject = z.infer<typeof ServedObject>;

/** One page; `next` is what the next one comes after, null: there is none. */
export const Page = z.looseObject({
  items: z.array(z.unknown()),
  next: z
    .union([z.string(), z.number()])
    .nullish()
    .transform((value) => (value === undefined || value === null || value === "" ? null : String(value))),
});

/** What one answer says, by its schema. Throws one line that says whose answer makes no sense. */
export function read<T>(schema: z.ZodType<T>, body: string, { name }: ClientConfig): T {
  const decoded = decode(schema, body);
  if (decoded.ok) return decoded.value;
  throw senseless(decoded.problem, name);
}

/** As `read`, of a value that was read already. */
export function readValue<T>(schema: z.ZodType<T>, value: unknown, { name }: ClientConfig): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw senseless(`${issue?.path.join(".")}: ${issue?.message}`, name);
}

function senseless(problem: string, name: string): RollcallError {
  return new RollcallError("ask", `ask ${name}: the answer ${problem}; is it a rollcall coordinator?`, {
    hint: "-o=json prints it as it came",
  });
}
