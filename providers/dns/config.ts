/** What the modes `dns` and `dns-srv` have in common in their configuration. */
import { isIP } from "node:net";
import * as z from "zod";
import { formatAddress, parseAddress } from "../../src/core/address.ts";
import { Timeout } from "../duration.ts";

/** Longer is no look-up any more, in milliseconds. */
const MOST_TIMEOUT_MS = 60_000;

const resolver = z.string().transform((text, context) => {
  const parsed = parseAddress(text, 53);
  if (parsed.ok && isIP(parsed.value.host) !== 0) return formatAddress(parsed.value);
  const message = "must be ip:port or [ipv6]:port, as in 10.0.0.2:53, and no name";
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});

const LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})";

/** A domain name, whole: search domains are not applied. A dot at the end is allowed and means nothing. */
export const Name = z
  .string()
  .max(253, "must have at most 253 characters")
  .regex(new RegExp(`^${LABEL}(?:\\.${LABEL})*\\.?$`), "must be a domain name, as in agents.example.com")
  .refine((text) => isIP(text) === 0, "is an IP address; give agents by address with -join");

/** A port of the agents. */
export const Port = z.int().min(1, "must be from 1 to 65535").max(65_535, "must be from 1 to 65535");

/** The keys of both modes. */
export const asking = {
  /** Who is asked, in this order; port 53 unless given. The system's (resolv.conf) when left out. */
  resolvers: z.array(resolver).min(1, "must have at least one").max(8, "must have at most 8").optional(),
  /** 4: A records only; 6: AAAA records only. Both when left out. */
  family: z.literal([4, 6], "must be 4 or 6, or left out for both").optional(),
  /** How long one look-up may take as a whole; milliseconds once parsed. */
  timeout: Timeout.refine((ms) => ms <= MOST_TIMEOUT_MS, "must be at most 1m").default(5_000),
  /** The agents' port, in place of the one that the records or `port` give. */
  agent_port: Port.optional(),
} as const;

/** Those keys, parsed. */
export type Asking = z.infer<z.ZodObject<typeof asking>>;
