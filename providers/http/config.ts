/** The configuration of `http`, the inventory's and the agents': Replicante's keys, and header values from files. */
import * as z from "zod";
import { parseDuration } from "../../src/lib/duration.ts";
import { Labels } from "../agents.ts";

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be the name of a header");
const headerValue = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, "must be one line of text");
const file = z.string().min(1, "must be the path of a file");
const MOST_TIMEOUT_MS = 300_000;

/** Text as in `"3s"`, or whole milliseconds, as Replicante has them. */
const Timeout = z
  .union([z.string(), z.int()], { error: 'must be a duration such as "3s", or whole milliseconds' })
  .transform((given) => (typeof given === "string" ? parseDuration(given) : given))
  .refine((ms) => ms !== null && ms >= 1 && ms <= MOST_TIMEOUT_MS, {
    error: 'must be a duration from 1 ms to 5 minutes such as "3s", or whole milliseconds',
  })
  .transform((ms) => ms ?? 0);

/** The keys that say how one server is asked. */
export const asking = {
  url: z
    .url({ protocol: /^https?$/, error: "must be an http or https URL" })
    .refine((text) => /^[^@#]*$/.test(text), "must have no user and no fragment"),
  headers: z.record(headerName, headerValue).default({}),
  /** Headers whose values are in files, read again when they change: where a token belongs. */
  headers_file: z.record(headerName, file).default({}),
  /** For each page. Gives milliseconds. */
  timeout: Timeout.prefault(3_000),
  tls: z
    .strictObject({
      /** PEM certificates to trust in place of the system's. */
      ca_cert: file.nullish(),
      /** One PEM file with the certificate to show and its key. */
      client_cert: file.nullish(),
    })
    .nullable()
    .default(null),
} as const;

/** Those keys, parsed. */
export type Asking = z.infer<z.ZodObject<typeof asking>>;

const body = z.record(z.string(), z.unknown()).nullable().default(null);

/** The `config` of the inventory. */
export const Config = z
  .strictObject({
    ...asking,
    /** GET sends no body and so no cursor: everything has to be on one page. */
    method: z.enum(["GET", "POST"]).default("POST"),
    /** Sent with POST; `cursor` is put into it. */
    body,
  })
  .superRefine(fitting);
export type Config = z.infer<typeof Config>;

/** The JSON of `-disco-config` for agents, who ask for one list of one cluster. */
export const AgentsConfig = z
  .strictObject({ ...asking, method: z.enum(["GET", "POST"]).default("GET"), body, labels: Labels })
  .superRefine(fitting);
export type AgentsConfig = z.infer<typeof AgentsConfig>;

function fitting(
  config: Asking & { readonly method: string; readonly body: unknown },
  context: z.RefinementCtx,
): void {
  const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  if (config.method === "GET" && config.body !== null) refuse("body", "is not sent with GET");
  if (config.tls !== null && !/^https:/i.test(config.url)) refuse("tls", "needs https:// in url");
}
