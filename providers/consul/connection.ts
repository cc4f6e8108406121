/**
 * Calls to one Consul agent through the npm package `consul`, which builds the requests. Aborting them, reading the
 * answers and naming the failures is done here. No request is ever repeated.
 */
import { EventEmitter } from "node:events";
import * as z from "zod";
import { formatAddress } from "../../src/core/address.ts";
import type { ProviderContext } from "../../src/core/provider.ts";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";
import { createClients } from "../clients.ts";
import { aborted, closed, type Doing, denied, inWords, oneLine, timedOut, unreachable } from "../failure.ts";
import { type ConsulClass, type ConsulClient, makeClient, readIngredients } from "./client.ts";
import type { Config } from "./config.ts";

/** Options that every call passes on to the package. `timeout` is in milliseconds, for the whole answer. */
export type CallOptions = { readonly ctx: EventEmitter; readonly timeout: number };

/** An answer: 2xx, or 404 (nothing there) or 409 (a transaction was refused), which are for the caller to read. */
export type Answer = {
  readonly status: number;
  /** `X-Consul-Index`, where there is one. */
  readonly index: string | null;
  /** The ACL has hidden rows (told by Consul 1.11 and later). */
  readonly filtered: boolean;
  readonly body: unknown;
};

/** One Consul agent, or whatever balances several. */
export interface Connection {
  /** `extraMs`: how much longer than usual the answer may take. Throws for any other answer, and for none. */
  call(
    what: Doing & { readonly extraMs?: number },
    signal: AbortSignal,
    send: (consul: ConsulClient, options: CallOptions) => Promise<unknown>,
  ): Promise<Answer>;
  close(): void;
}

/** Connects to nothing yet. */
export function createConnection(Class: ConsulClass, config: Config, context: ProviderContext): Connection {
  const where = formatAddress(config.address);
  let open = true;
  const clients = createClients({
    ingredients: () => readIngredients(config, context),
    make: (ingredients) => makeClient(Class, config, ingredients),
    close: (consul) => consul.destroy(),
  });

  return {
    call(what, signal, send) {
      return clients.use(what.doing, async (consul) => {
        if (signal.aborted) throw aborted(what.doing, signal);
        // The package aborts a request when its context, which must be an emitter, says `cancel`.
        const ctx = Object.assign(new EventEmitter(), { includeResponse: true });
        const timeout = config.timeout + (what.extraMs ?? 0);
        const cancel = () => ctx.emit("cancel");
        signal.addEventListener("abort", cancel, { once: true });
        try {
          return answerOf(what, await send(consul, { ctx, timeout }), where);
        } catch (error) {
          if (signal.aborted) throw aborted(what.doing, signal);
          if (!open) throw closed(what.doing);
          if (error instanceof RollcallError) throw error;
          if (Told.isTimeout.safeParse(error).success) throw timedOut(what.doing, timeout, where);
          const answer = Told.response.safeParse(error);
          if (answer.success) return answerOf(what, [answer.data.response], where);
          throw unreachable(what.doing, inWords(codeOf(error), bare(reason(error))), where);
        } finally {
          signal.removeEventListener("abort", cancel);
        }
      });
    },
    close() {
      open = false;
      clients.close();
    },
  };
}

const Response = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.unknown()),
  body: z.unknown().optional(),
});

/** What the package says: with `includeResponse` a list that begins with the response, or one of these errors. */
const Told = {
  answer: z.tuple([Response]).rest(z.unknown()),
  response: z.object({ response: Response }),
  isTimeout: z.object({ isTimeout: z.literal(true) }),
};

/**
 * 2xx, 404 and 409 are answers. 401 and 403 mean that we lack a right; 429 and 5xx (no leader, no quorum) pass by
 * themselves; anything else is a mistake, of ours or of what stands between.
 */
function answerOf({ doing, needs }: Doing, told: unknown, where: string): Answer {
  const parsed = Told.answer.safeParse(told);
  if (!parsed.success)
    throw new RollcallError("store_error", `${doing}: an answer that is not Consul's (${where})`);
  const [{ statusCode: status, headers, body }] = parsed.data;
  if (status === 401 || status === 403) throw denied(doing, says(status, body), lacks(needs));
  if (status === 429 || status >= 500) throw unreachable(doing, says(status, body), where);
  if (status >= 300 && status !== 404 && status !== 409) {
    throw new RollcallError("store_error", `${doing}: ${says(status, body)} (${where})`, {
      facts: { status },
    });
  }
  const index = headers["x-consul-index"];
  const filtered = headers["x-consul-results-filtered-by-acls"] === "true";
  return { status, index: typeof index === "string" ? index : null, filtered, body };
}

/** What a token should have, as the end of an error. */
export function lacks(needs: string): string {
  return `the token lacks ${needs}`;
}

function says(status: number, body: unknown): string {
  return oneLine(typeof body === "string" ? `${status} ${body}` : String(status));
}

/** Without the package's own prefixes: `consul: kv.get: `. */
function bare(text: string): string {
  return text.replace(/^(?:consul: )?(?:[A-Za-z]+\.[A-Za-z]+: )?/, "");
}

/** The body of an answer, as the schema makes it. Throws `store_error` for what no Consul says. */
export function parse<T>(doing: string, schema: z.ZodType<T>, answer: Answer): T {
  const parsed = schema.safeParse(answer.body);
  if (parsed.success) return parsed.data;
  throw notConsul(doing);
}

/** `store_error`: somebody else answers at the address. */
export function notConsul(doing: string): RollcallError {
  return new RollcallError("store_error", `${doing}: an answer that is not Consul's`, {
    hint: "does the address name a Consul agent's HTTP port?",
  });
}
