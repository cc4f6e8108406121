/** The configuration of the mode `disco`. */
import * as z from "zod";
import { Timeout } from "../duration.ts";

const SEGMENT = "(?!\\.{1,2}(?:/|$))[a-z0-9._-]{1,128}";

/** The JSON of `-disco-config` for this mode. */
export const Config = z
  .strictObject({
    /** Where the service is, with a path where a proxy wants one. */
    url: z
      .url({ protocol: /^https?$/, error: "must be an http or https URL" })
      .refine((text) => /^[^@?#]*$/.test(text), "must have no user, query or fragment"),
    /** The id at the service; the cluster's key unless given. */
    id: z
      .string()
      .regex(new RegExp(`^${SEGMENT}(?:/${SEGMENT}){0,3}$`), "must be 1 to 4 segments of [a-z0-9._-]")
      .optional(),
    /** The bearer token, or the file that holds it. The file wins unless it is empty. */
    token: z.string().min(1).optional(),
    token_file: z.string().min(1).optional(),
    /** PEM certificates to trust in place of the system's, for https. */
    ca_file: z.string().min(1).optional(),
    /** The certificate and key to show, PEM. */
    cert_file: z.string().min(1).optional(),
    key_file: z.string().min(1).optional(),
    /** How long the service may stay silent, in milliseconds once parsed. */
    timeout: Timeout.prefault("5s"),
  })
  .superRefine((config, context) => {
    const refuse = (key: string, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if (config.cert_file !== undefined && config.key_file === undefined)
      refuse("cert_file", "needs key_file");
    if (config.key_file !== undefined && config.cert_file === undefined)
      refuse("key_file", "needs cert_file");
  });
export type Config = z.infer<typeof Config>;
