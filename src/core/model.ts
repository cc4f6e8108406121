/**
 * The records that agents keep in a store and the messages they exchange: shapes, versions and the few
 * pure functions on them. Everything read from outside is tolerant: unknown fields are kept, and only a
 * higher `v` is refused. Source of the shapes: src/DESIGN.md, "Records".
 */
import { createHash } from "node:crypto";
import * as z from "zod";

/** The version this program writes, and the highest it reads, in every record and message. */
export const VERSION = 1;

const version = z
  .int()
  .min(1)
  .refine((v) => v <= VERSION, {
    error: (issue) => `has v ${issue.input}; this rollcall reads v ${VERSION}`,
  });
const id = z.string().min(1);

/** One node in a member set. Identity is (id, incarnation); the addresses are those at the time of writing. */
export const MemberRef = z.looseObject({
  id,
  incarnation: id,
  agent_addr: z.string(),
  api_addr: z.string(),
  addr: z.string(),
});
export type MemberRef = z.infer<typeof MemberRef>;

/** How a database starts: one node creates and the others join, or all start with the identical list. */
export const Formation = z.enum(["single", "symmetric"]);
export type Formation = z.infer<typeof Formation>;

const born = {
  v: version,
  /** Names this creation of the record; a wiped and re-created record has another one. */
  init_id: id,
  /** 1, raised only by `rollcall genesis rebirth`. */
  birth: z.int().min(1),
  /** Voters that must be there before anyone may claim. */
  expect: z.int().min(1),
  /** The raw leader record of a database that is gone for good, as an operator said: it forbids nothing any more. */
  forgets: z.string().optional(),
};

const claim = {
  ...born,
  /** Counts claims of one birth, from 1; a take-over raises it. */
  gen: z.int().min(1),
  claim_id: id,
  node: id,
  incarnation: id,
  formation: Formation,
  members: z.array(MemberRef),
  /** SHA-256 over the sorted (id, incarnation) of `members`, hexadecimal. */
  hash: id,
};

/** Nobody has claimed yet. */
export const Unborn = z.looseObject({ ...born, state: z.literal("unborn") });
export type Unborn = z.infer<typeof Unborn>;
/** One node is about to create the cluster; its database is still closed. */
export const Claimed = z.looseObject({ ...claim, state: z.literal("claimed") });
export type Claimed = z.infer<typeof Claimed>;

/** One node of a cluster that its database made itself, as that database lists it. */
export const AdoptedNode = z.looseObject({
  id,
  /** The database's own peer address. */
  addr: z.string(),
  /** The address for clients. */
  api_addr: z.string(),
  voter: z.boolean().nullable(),
});
export type AdoptedNode = z.infer<typeof AdoptedNode>;

/** A cluster that ran before its genesis was sealed: nobody creates it. */
export const Adopted = z.looseObject({
  /** The node whose agent wrote the record; `operator`: `rollcall genesis adopt` did. */
  by: id,
  leader: z.looseObject({ id, addr: z.string(), api_addr: z.string() }),
  nodes: z.array(AdoptedNode),
});
export type Adopted = z.infer<typeof Adopted>;

/**
 * The cluster exists. `genesis_id` is the claim id that won. Where it was adopted, `incarnation` is nobody's, so
 * that nobody takes itself for its creator, and `members` are the agents that were beside its databases then.
 */
export const Sealed = z.looseObject({
  ...claim,
  state: z.literal("sealed"),
  genesis_id: id,
  adopted: Adopted.optional(),
});
export type Sealed = z.infer<typeof Sealed>;

/** The permanent record at `<key>/genesis`: unborn, then claimed, then sealed. */
export const GenesisRecord = z.discriminatedUnion("state", [Unborn, Claimed, Sealed]);
export type GenesisRecord = z.infer<typeof GenesisRecord>;

/** What a node says of itself at `<key>/members/<node-id>`, for as long as its lease lasts. */
export const Member = z.looseObject({
  v: version,
  id,
  incarnation: id,
  boot_id: id,
  agent_addr: z.string(),
  api_addr: z.string(),
  addr: z.string(),
  voter: z.boolean(),
  expect: z.int().min(0),
  status: z.string(),
  genesis_id: z.string().nullable(),
});
export type Member = z.infer<typeof Member>;

/**
 * The part of `<key>/leader` that native rqlite nodes write too, with the fields rollcall adds. A record
 * without `genesis_id` was written by a database itself and is called foreign.
 */
export const LeaderRecord = z.looseObject({
  id: z.string().default(""),
  api_addr: z.string().default(""),
  addr: z.string().default(""),
  v: version.optional(),
  genesis_id: z.string().optional(),
  /** In which it leads; absent where the database writes the record itself. */
  term: z.int().min(0).optional(),
  /** Of the leading node's disk. */
  incarnation: z.string().optional(),
  /** Counts the writes of this record, from 1. */
  seq: z.int().min(0).optional(),
});
export type LeaderRecord = z.infer<typeof LeaderRecord>;

/** How to reach one agent, as its peers pass it on. */
export const PeerRef = z.looseObject({ id, incarnation: id, agent_addr: z.string().min(1) });
export type PeerRef = z.infer<typeof PeerRef>;

/** The genesis of a cluster whose agents had no store: its id, and the incarnation that creates it. */
export const Founding = z.looseObject({ genesis_id: id, owner: id });
export type Founding = z.infer<typeof Founding>;

/** The answer to `POST /v1/peer/hello`: what an agent's disk and memory say. Asking changes nothing. */
export const Hello = z.looseObject({
  v: version,
  key: z.string(),
  node_id: id,
  incarnation: id,
  boot_id: id,
  voter: z.boolean(),
  expect: z.int().min(0),
  /** Birth of the marker, else of the record last read, else 0. */
  birth: z.int().min(0),
  agent_addr: z.string(),
  api_addr: z.string(),
  addr: z.string(),
  /** The genesis on this node's disk; whole where the agents have no store to read it in. */
  marker: z.looseObject({ genesis_id: id, birth: z.int().min(1), record: Sealed.optional() }).nullable(),
  /** Without a store: the highest round this node has seen of both decrees, and what it knows to be decided. */
  votes: z
    .looseObject({
      round: z.int().min(0),
      members: z.array(MemberRef).nullable(),
      founding: Founding.nullable(),
      /** Incarnations that an operator has said to it are gone for good; for people only. */
      lost: z.array(id).optional(),
    })
    .optional(),
  /** A claim id on this node's disk that no read has yet shown to be dead, and the record it was to replace. */
  pending: z.looseObject({ claim_id: id, init_id: id, revision: id }).nullable(),
  /** True when this node's database already has data that rollcall did not make. */
  used: z.boolean().default(false),
  /** Who leads as this node's database sees it, and in which term; null: it knows of nobody, or was not asked. */
  leader: z.looseObject({ id: z.string(), term: z.int().nullable() }).nullish(),
  peers: z.array(PeerRef),
});
export type Hello = z.infer<typeof Hello>;

/** What travels with a hello: who asks, so that the asked agent learns of a newcomer. */
export const HelloRequest = z.looseObject({
  v: version,
  key: z.string(),
  from: PeerRef,
  /** The genesis it belongs to. */
  genesis_id: id.nullish(),
  /** Who leads as its database sees it. */
  leader: z.looseObject({ id: z.string(), term: z.int().nullable() }).nullish(),
  /** It leaves that cluster for good. */
  leaving: z.boolean().optional(),
});
export type HelloRequest = z.infer<typeof HelloRequest>;

/** What the agent tells its database to do, and with whom. `revision` rises with every change, from 1. */
export const Outcome = z.looseObject({
  kind: z.enum(["bootstrap", "join", "existing"]),
  genesis_id: id,
  formation: Formation,
  members: z.array(MemberRef),
  leader: LeaderRecord.nullable(),
  revision: z.int().min(1),
});
export type Outcome = z.infer<typeof Outcome>;

/** A decoded value, or one line that says why it could not be decoded (never the raw text: it may be large). */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

/** Decodes JSON text by a schema. Never throws. */
export function decode<T>(schema: z.ZodType<T>, text: string): Decoded<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, problem: "is not JSON" };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issue = parsed.error.issues[0];
  const path = issue?.path.join(".") ?? "";
  const message = issue?.message ?? "has the wrong shape";
  return { ok: false, problem: path === "" || path === "v" ? message : `${path}: ${message}` };
}

/** Orders nodes by (id, incarnation), by code unit, the same on every machine. */
export function byIdentity(
  a: { id: string; incarnation: string },
  b: { id: string; incarnation: string },
): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  if (a.incarnation !== b.incarnation) return a.incarnation < b.incarnation ? -1 : 1;
  return 0;
}

/** SHA-256, hexadecimal, over the sorted (id, incarnation) pairs. Addresses take no part: they may change. */
export function memberHash(members: readonly { id: string; incarnation: string }[]): string {
  const pairs = [...members].sort(byIdentity).map((m) => [m.id, m.incarnation]);
  return createHash("sha256").update(JSON.stringify(pairs)).digest("hex");
}
