/**
 * Agents by a service in Consul's catalog, as far as its health checks pass. Who is registered may be there, and no more:
 * the agents agree among themselves. Takes the connection of consul-kv.
 */
import * as z from "zod";
import { formatAddress, parseAddress } from "../src/core/address.ts";
import type { Lookup, Provider, ProviderContext } from "../src/core/provider.ts";
import { RollcallError } from "../src/lib/errors.ts";
import { changesOf, held, type Wait } from "./consul/blocking.ts";
import * as consul from "./consul/config.ts";
import { type Connection, createConnection, lacks, notConsul, parse } from "./consul/connection.ts";
import { Port } from "./dns/config.ts";
import { aborted, closed, denied } from "./failure.ts";

/** The JSON of `-disco-config` for this mode. */
export const Config = consul.Config.extend({
  service: z
    .string()
    .regex(/^[^\s/?#]{1,253}$/, "must be the name of a service")
    .default("rollcall"),
  /** Only instances that have all of them. */
  tags: z.array(z.string().min(1, "must be a tag")).max(16, "must have at most 16").default([]),
  /** Only instances of which every check passes; false: all that are registered. */
  passing: z.boolean().default(true),
  /** The agents' port, in place of the one that is registered. */
  agent_port: Port.optional(),
});
export type Config = z.infer<typeof Config>;

const DOING = "look for agents";

/** `/v1/health/service/NAME` (https://developer.hashicorp.com/consul/api-docs/health#list-service-instances-for-service). */
const Instances = z.array(
  z.object({
    Node: z.object({ Node: z.string(), Address: z.string() }),
    Service: z.object({ ID: z.string(), Address: z.string(), Port: z.int() }),
  }),
);
type Instances = z.infer<typeof Instances>;

/** Opens the provider. Connects to nothing yet. */
export async function open(config: Config, context: ProviderContext): Promise<Provider> {
  const { default: Consul } = await import("consul");
  const connection = createConnection(Consul, config, context);
  let open = true;
  const ask = (wait: Wait, signal: AbortSignal) => {
    if (!open) throw closed(DOING);
    if (signal.aborted) throw aborted(DOING, signal);
    return instances(connection, config, wait, signal);
  };
  return {
    mode: "consul-service",
    async lookup(signal) {
      const { found } = await ask(null, signal);
      const lookup = toLookup(found, config);
      if (lookup.addresses.length > 0) return lookup;
      const code = found.length === 0 ? "not_listed" : "bad_record";
      throw new RollcallError(code, `${DOING}: ${lookup.problems?.[0]}`);
    },
    async *watch(signal) {
      const answers = changesOf(
        async (wait) => {
          const { index, found } = await ask(wait, signal);
          return { index, lookup: toLookup(found, config) };
        },
        ({ lookup }) => JSON.stringify(lookup),
      );
      for await (const { lookup } of answers) yield lookup;
    },
    async close() {
      open = false;
      connection.close();
    },
  };
}

async function instances(connection: Connection, config: Config, wait: Wait, signal: AbortSignal) {
  const { service, tags, passing } = config;
  const needs = rightsTo(service);
  const { options: waiting, extraMs } = held(wait);
  const answer = await connection.call({ doing: DOING, needs, extraMs }, signal, (client, options) =>
    client.health.service({ ...options, ...waiting, service, tag: tags, passing, consistent: true }),
  );
  // Instances that a token may not read are left out, and the answer is none or fewer.
  if (answer.filtered) throw denied(DOING, "instances are hidden", lacks(needs));
  if (answer.status !== 200 || answer.index === null) throw notConsul(DOING);
  return { index: answer.index, found: parse(DOING, Instances, answer) };
}

/** An instance without an address of its own is at its node's. Nobody at all is never all that there is. */
function toLookup(found: Instances, config: Config): Lookup {
  const { agent_port: agentPort } = config;
  if (found.length === 0) return { kind: "partial", addresses: [], problems: [nobody(config)] };
  const addresses: string[] = [];
  const problems: string[] = [];
  for (const { Node, Service } of found) {
    const host = Service.Address || Node.Address;
    const address = parseAddress(formatAddress({ host, port: agentPort ?? Service.Port }), 0);
    if (address.ok) addresses.push(formatAddress(address.value));
    else if (agentPort === undefined && Service.Port === 0)
      problems.push(
        `${Service.ID} on ${Node.Node}: is registered without a port, and there is no agent_port`,
      );
    else problems.push(`${Service.ID} on ${Node.Node}: ${address.problem}`);
  }
  const each = [...new Set(addresses)].sort();
  return problems.length === 0
    ? { kind: "complete", addresses: each }
    : { kind: "partial", addresses: each, problems: problems.sort() };
}

/** Where there is nothing, a right may be missing: Consul 1.10 and older leave out without a word what a token may not read. */
function nobody({ service, tags, passing }: Config): string {
  const tagged = tags.length === 0 ? "" : ` with ${tags.join(", ")}`;
  const what = passing ? "passes its checks" : "is registered";
  return `no instance of ${service}${tagged} ${what} in Consul, or the token lacks ${rightsTo(service)}`;
}

function rightsTo(service: string): string {
  return `service "${service}" read and node_prefix "" read`;
}
