/** Agents as instances of a service in Consul's catalog. */
import type { Consul } from "./servers/index.ts";

/** What of an instance differs from the rest; `check` has the state that a TTL check begins with. */
export type Instance = {
  readonly id: string;
  readonly address?: string;
  readonly port?: number;
  readonly tags?: readonly string[];
  readonly check?: "passing" | "warning" | "critical";
  readonly service?: string;
};

/** Registers an instance, or replaces it. Throws when Consul refuses. */
export async function register(
  consul: Consul,
  { id, address, port, tags = [], check, service = "rollcall" }: Instance,
): Promise<void> {
  const body = JSON.stringify({
    ID: id,
    Name: service,
    Tags: tags,
    ...(address === undefined ? {} : { Address: address }),
    ...(port === undefined ? {} : { Port: port }),
    ...(check === undefined ? {} : { Check: { CheckID: `check-${id}`, TTL: "10m", Status: check } }),
  });
  await put(consul, "/v1/agent/service/register", body);
}

/** Removes an instance. */
export function deregister(consul: Consul, id: string): Promise<void> {
  return put(consul, `/v1/agent/service/deregister/${id}`);
}

/** Gives an instance's check another state. */
export function checked(consul: Consul, id: string, state: "pass" | "warn" | "fail"): Promise<void> {
  return put(consul, `/v1/agent/check/${state}/check-${id}`);
}

/** Gives what makes these agents, as `10.0.0.1:4100`, all instances of the service. */
export function serviceOf(consul: () => Consul) {
  let registered: readonly string[] = [];
  return async (agents: readonly string[]): Promise<void> => {
    for (const agent of agents) {
      const [address = "", port] = agent.split(":");
      await register(consul(), { id: agent, address, port: Number(port) });
    }
    for (const agent of registered.filter((one) => !agents.includes(one))) await deregister(consul(), agent);
    registered = agents;
  };
}

async function put(consul: Consul, path: string, body = ""): Promise<void> {
  const reply = await consul.request(path, { method: "PUT", body });
  if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.body}`);
}
