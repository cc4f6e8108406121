/**
 * Agents by SRV records (RFC 2782): `_service._tcp.name` names hosts and ports, whose addresses are asked for in
 * turn. Priority and weight choose one server among several; all agents are wanted, so they play no part.
 */
import type { SrvRecord } from "node:dns";
import * as z from "zod";
import type { Provider, ProviderContext } from "../src/core/provider.ts";
import { systemClock } from "../src/lib/clock.ts";
import { decisive, type Lacking, lookupError, shortly } from "./dns/answer.ts";
import { asking, Name } from "./dns/config.ts";
import { atPort, type Host, resolveHost } from "./dns/host.ts";
import { createProvider, type Seen } from "./dns/provider.ts";
import type { Questions } from "./dns/questions.ts";

/** The JSON of `-disco-config` for this mode; `name` and `service` are rqlite's. */
export const Config = z.strictObject({
  name: Name.default("rqlite"),
  service: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9_-]{0,61}$/,
      "must be a service as in rqlite, without the underscore before it",
    )
    .default("rqlite"),
  ...asking,
});
export type Config = z.infer<typeof Config>;

/** Hosts that are asked for side by side. */
const MOST_AT_ONCE = 64;

/** Opens the provider. Asks nobody yet, and throws nothing. `clock` is for tests. */
export async function open(
  config: Config,
  _context: ProviderContext,
  { clock = systemClock } = {},
): Promise<Provider> {
  const name = `_${config.service}._tcp.${config.name}`;
  return createProvider({ mode: "dns-srv", name, config, clock }, async (questions) => {
    const answer = await questions.srv(name);
    if (answer.kind === "lack") throw lookupError(name, answer, questions.servers);
    const targets = targetsOf(answer.records, config.agent_port);
    // A single record with the root as its target says that there is no such service.
    if (targets.size === 0) throw lookupError(name, { kind: "lack", lack: "no_data" }, questions.servers);
    const hosts = await resolveAll(questions, [...targets.keys()], config.family);
    const seen = together(hosts, targets);
    if (seen.addresses.length > 0) return seen;
    const lacks = hosts.flatMap(({ host }) => (host.kind === "lack" ? [host] : []));
    throw lookupError(name, nowhere(lacks, seen.problems), questions.servers);
  });
}

type Targets = ReadonlyMap<string, ReadonlySet<number>>;

/** The ports of each host. */
function targetsOf(records: readonly SrvRecord[], agentPort: number | undefined): Targets {
  const targets = new Map<string, Set<number>>();
  for (const record of records) {
    const host = record.name.toLowerCase().replace(/\.$/, "");
    if (host === "") continue;
    targets.set(host, (targets.get(host) ?? new Set()).add(agentPort ?? record.port));
  }
  return targets;
}

type Named = { readonly target: string; readonly host: Host };

async function resolveAll(
  questions: Questions,
  targets: readonly string[],
  family: 4 | 6 | undefined,
): Promise<readonly Named[]> {
  const hosts: Named[] = [];
  const left = targets.values();
  const work = async () => {
    for (const target of left) hosts.push({ target, host: await resolveHost(questions, target, family) });
  };
  await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, targets.length) }, work));
  return hosts.sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** Every address of every host at every port of it. A port of 0 is what a service without one is given. */
function together(hosts: readonly Named[], targets: Targets): Seen {
  const found = hosts.flatMap(({ target, host }) => (host.kind === "found" ? [{ target, ...host }] : []));
  const portsOf = (target: string) => [...(targets.get(target) ?? [])];
  const portless = hosts.filter(({ target }) => portsOf(target).includes(0));
  return {
    addresses: found.flatMap(({ target, records }) =>
      portsOf(target).flatMap((port) => (port === 0 ? [] : records.map((record) => atPort(record, port)))),
    ),
    records: found.flatMap(({ records }) => records),
    problems: [
      ...hosts.flatMap(({ target, host }) =>
        host.kind === "found" ? host.problems : [`${target}: ${shortly(host)}`],
      ),
      ...portless.map(({ target }) => `${target}: its record has port 0, and there is no agent_port`),
    ],
  };
}

function nowhere(lacks: readonly Lacking[], problems: readonly string[]): Lacking {
  const some = problems.slice(0, 3).join("; ");
  const detail = `none of its targets gives an address: ${some}${problems.length > 3 ? "; …" : ""}`;
  const { lack } = lacks.length === 0 ? ({ lack: "failed" } as const) : decisive(lacks);
  return { kind: "lack", lack, detail };
}
