/**
 * The legacy API, as rqlite's clients up to 6.10 speak it. Every answer has exactly the three keys `created_at`,
 * `disco_id` and `nodes`; bodies are JSON whatever their Content-Type says, since those clients misspell it.
 *
 *     POST    /       makes an id; the body, if any, is {"size":N,"token":"…"}, both optional
 *     GET     /<id>   who has registered, in order of arrival
 *     POST    /<id>   registers {"addr":"…"}; the header Rollcall-Position has its place in that order, from 1
 *     DELETE  /<id>   removes {"addr":"…"}
 *
 * Who gets position 1 creates the cluster: it is given once in the life of an id.
 */
import type { Context, Hono } from "hono";
import * as z from "zod";
import type { Clock } from "../lib/clock.ts";
import { RollcallError } from "../lib/errors.ts";
import { hashOf } from "./access.ts";
import type { List } from "./keep.ts";
import type { Lists } from "./lists.ts";
import { idFromPath } from "./names.ts";
import type { Seats } from "./seats.ts";
import * as wire from "./wire.ts";

/** What an id is created with. A token is sent by whoever creates it, so that no answer holds a secret. */
export const Wish = z.strictObject({
  size: z.int().min(1).max(1_000).optional(),
  token: z
    .string()
    .regex(/^[\x21-\x7e]{16,255}$/)
    .optional(),
});

/** What registers or removes a node. */
export const Node = z.looseObject({ addr: z.string().min(1) });

/** What the paths need. `created` is called after each new id. */
export type Legacy = {
  readonly lists: Lists;
  readonly seats: Seats;
  readonly created?: () => void;
  readonly clock: Pick<Clock, "now" | "wall">;
  readonly uuid: () => string;
};

/** Adds the legacy paths. */
export function addLegacy(app: Hono, { lists, seats, created, clock, uuid }: Legacy): void {
  app.post("/", async (c) => {
    const { size = null, token } = wishIn(await wire.textOf(c));
    const id = uuid();
    const tokenHash = token === undefined ? null : hashOf(token);
    const list = lists.create(id, { size, tokenHash }, clock.wall());
    created?.();
    return answer(c, id, list);
  });
  app.get("/:id", (c) => {
    const id = idOf(c);
    return answer(c, id, lists.get(id));
  });
  app.post("/:id", async (c) => {
    const id = idOf(c);
    const text = await wire.textOf(c);
    lists.get(id);
    const addr = addrIn(text);
    seats.node(id, addr, clock.now());
    c.header("rollcall-position", String(lists.register(id, addr)));
    return answer(c, id, lists.get(id));
  });
  app.delete("/:id", async (c) => {
    const id = idOf(c);
    const text = await wire.textOf(c);
    lists.get(id);
    lists.remove(id, addrIn(text));
    return answer(c, id, lists.get(id));
  });
}

function idOf(c: Context): string {
  return idFromPath(c.req.param("id") ?? "");
}

function answer(c: Context, id: string, { createdMs, nodes }: List): Response {
  return c.json({ created_at: timeOf(createdMs), disco_id: id, nodes: [...nodes.keys()] });
}

/** As `2017-02-20 01:25:45.589277`: UTC, with microseconds. */
function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace("T", " ").replace("Z", "000");
}

function wishIn(text: string): z.infer<typeof Wish> {
  if (text.trim() === "") return {};
  const wish = Wish.safeParse(jsonIn(text));
  if (wish.success) return wish.data;
  throw new RollcallError("bad_json", "bad request body", {
    hint: 'send nothing, or {"size":N} with N from 1 to 1000 and {"token":"…"} with 16 to 255 printable ASCII characters',
  });
}

function addrIn(text: string): string {
  const node = Node.safeParse(jsonIn(text));
  if (node.success) return node.data.addr;
  throw new RollcallError("bad_json", "address not specified", {
    hint: 'send {"addr":"<node address>"}',
  });
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RollcallError("bad_json", "bad request body", { hint: "it is not JSON" });
  }
}
