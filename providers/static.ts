/**
 * A list of agents that was given, as the flag `-join` makes it. There is no register behind it: the agents
 * agree among themselves.
 */
import * as z from "zod";
import { formatAddress, parseAddress } from "../src/core/address.ts";
import type { Provider } from "../src/core/provider.ts";
import { aborted, closed } from "./failure.ts";

/** Where an agent listens that is named without a port. */
const AGENT_PORT = 4100;

const agent = z.string().transform((text, context) => {
  const parsed = parseAddress(text, AGENT_PORT);
  if (parsed.ok) return formatAddress(parsed.value);
  context.addIssue({ code: "custom", message: parsed.problem });
  return z.NEVER;
});

/** Agents as `host:port`, 4100 where the port is missing; names are resolved by whoever connects. Empty: a single node. */
export const Config = z.strictObject({ addresses: z.array(agent).max(1000) });
export type Config = z.infer<typeof Config>;

/** The same as a coordinator's inventory: there somebody has to be named. */
export const Inventoried = Config.refine(({ addresses }) => addresses.length > 0, {
  path: ["addresses"],
  error: "must name at least one agent",
});

/** Opens the provider. Throws nothing, and asks nobody, now or later. */
export async function open(config: Config): Promise<Provider> {
  const addresses = [...new Set(config.addresses)];
  let open = true;
  return {
    mode: "static",
    async lookup(signal) {
      if (!open) throw closed("look up");
      if (signal.aborted) throw aborted("look up", signal);
      return { kind: "complete", addresses };
    },
    async close() {
      open = false;
    },
  };
}
