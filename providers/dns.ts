/**
 * Agents by the A and AAAA records of one name, all at one port. A record says that somebody may be there, and no
 * more: the agents agree among themselves.
 */
import * as z from "zod";
import type { Provider, ProviderContext } from "../src/core/provider.ts";
import { systemClock } from "../src/lib/clock.ts";
import { lookupError } from "./dns/answer.ts";
import { asking, Name, Port } from "./dns/config.ts";
import { atPort, resolveHost } from "./dns/host.ts";
import { createProvider } from "./dns/provider.ts";

/** The JSON of `-disco-config` for this mode; `name` and `port` are rqlite's. */
export const Config = z.strictObject({
  name: Name.default("rqlite"),
  /** The agents' port. Where it was made for a database, `agent_port` replaces it. */
  port: Port.default(4100),
  ...asking,
});
export type Config = z.infer<typeof Config>;

/** Opens the provider. Asks nobody yet, and throws nothing. `clock` is for tests. */
export async function open(
  config: Config,
  _context: ProviderContext,
  { clock = systemClock } = {},
): Promise<Provider> {
  const { name, family } = config;
  const port = config.agent_port ?? config.port;
  return createProvider({ mode: "dns", name, config, clock }, async (questions) => {
    const host = await resolveHost(questions, name, family);
    if (host.kind === "lack") throw lookupError(name, host, questions.servers);
    return { ...host, addresses: host.records.map((record) => atPort(record, port)) };
  });
}
