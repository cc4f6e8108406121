/** Agents as a service in real Consuls: registered, tagged, failing, hidden by the ACL. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as consulService from "../../providers/consul-service.ts";
import { ofOneCluster } from "../../providers/one-cluster.ts";
import { freshKey, patient } from "../contract/stage.ts";
import { checked, deregister, type Instance, register } from "../support/consul-services.ts";
import { type Consul, describeWith, startConsul } from "../support/servers/index.ts";
import { soon, until } from "../support/wait.ts";
import { inventoryContext, lackOf, lookOf, plainNode } from "./inventory-stage.ts";
import { opener, problemOf } from "./opener.ts";

const SLOW = 30_000;
const open = opener(consulService);

/** What one look gives, or `code: message` of what it throws. */
async function looked(config: object): Promise<unknown> {
  const provider = await open(config);
  return provider
    .lookup(patient())
    .catch((error: { code: string; message: string }) => `${error.code}: ${error.message}`);
}

describe("the configuration of consul-service", () => {
  it("is the connection of consul-kv, and a service whose checks pass", () => {
    expect(consulService.Config.parse({})).toMatchObject({
      address: { host: "127.0.0.1", port: 8500 },
      service: "rollcall",
      tags: [],
      passing: true,
    });
  });

  it.each([
    [{ service: "" }, "service: must be the name of a service"],
    [{ service: "a b" }, "service: must be the name of a service"],
    [{ service: "a/../b" }, "service: must be the name of a service"],
    [{ tags: [""] }, "tags.0: must be a tag"],
    [{ tags: "a" }, "tags: Invalid input: expected array, received string"],
    [{ passing: "no" }, "passing: Invalid input: expected boolean, received string"],
    [{ agent_port: 0 }, "agent_port: must be from 1 to 65535"],
    [{ address: "http://a" }, 'address: "http://a" must be host:port; "scheme" chooses https'],
    [{ prefix: "a" }, ': Unrecognized key: "prefix"'],
  ])("refuses %j", (config, problem) => {
    expect(problemOf(consulService.Config, config)).toBe(problem);
  });
});

describeWith("consul", "a service in Consul", () => {
  let consul: Consul;
  let service: string;
  beforeAll(async () => {
    consul = await startConsul();
  }, SLOW);
  afterAll(() => consul.stop(), SLOW);
  beforeEach(() => {
    service = freshKey();
  });

  const at = (more: object = {}) => ({
    address: `${consul.address}:${consul.ports.http}`,
    service,
    ...more,
  });
  /** Registers instances by the last byte of their addresses. */
  const put = async (...instances: readonly (Partial<Instance> & { readonly n: number })[]) => {
    for (const { n, ...more } of instances)
      await register(consul, { id: `${service}-${n}`, service, address: `10.0.0.${n}`, port: 4100, ...more });
  };
  const agents = (...ns: readonly number[]) => ns.map((n) => `10.0.0.${n}:4100`);
  const complete = (...ns: readonly number[]) => ({ kind: "complete", addresses: agents(...ns) });

  it("gives the instances whose checks pass, those without a check too, and all where it is told to", async () => {
    await put({ n: 1 }, { n: 2, check: "passing" }, { n: 3, check: "warning" }, { n: 4, check: "critical" });
    expect(await looked(at())).toEqual(complete(1, 2));
    expect(await looked(at({ passing: false }))).toEqual(complete(1, 2, 3, 4));
  });

  it("gives those that have every tag", async () => {
    await put({ n: 1, tags: ["blue", "db"] }, { n: 2, tags: ["db"] }, { n: 3 });
    expect(await looked(at({ tags: ["db"] }))).toEqual(complete(1, 2));
    expect(await looked(at({ tags: ["db", "blue"] }))).toEqual(complete(1));
  });

  it("takes the node's address for one without, and agent_port for another port", async () => {
    await register(consul, { id: `${service}-1`, service });
    const node = `${service}-1 on ${await nameOf(consul)}`;
    expect(await looked(at())).toBe(
      `bad_record: look for agents: ${node}: is registered without a port, and there is no agent_port`,
    );
    expect(await looked(at({ agent_port: 4200 }))).toEqual({
      kind: "complete",
      addresses: [`${consul.address}:4200`],
    });
    await put({ n: 2 }, { n: 3, address: "fd00::3" }, { n: 4, address: "a b" });
    expect(await looked(at())).toEqual({
      kind: "partial",
      addresses: ["10.0.0.2:4100", "[fd00::3]:4100"],
      problems: [
        `${node}: is registered without a port, and there is no agent_port`,
        expect.stringMatching(/-4 on .*: must begin with an IP address or a host name$/),
      ],
    });
  });

  it("says in one line that there is nobody", async () => {
    const rights = `or the token lacks service "${service}" read and node_prefix "" read`;
    expect(await looked(at())).toBe(
      `not_listed: look for agents: no instance of ${service} passes its checks in Consul, ${rights}`,
    );
    expect(await looked(at({ passing: false, tags: ["a", "b"] }))).toBe(
      `not_listed: look for agents: no instance of ${service} with a, b is registered in Consul, ${rights}`,
    );
    expect(await looked(at({ datacenter: "dc9" }))).toMatch(
      /^store_unreachable: look for agents: 500 No path to datacenter/,
    );
  });

  it("wakes a watch when an instance comes, fails, passes again and goes, and for nobody else", async () => {
    await put({ n: 1, check: "passing" });
    const provider = await open(at());
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { addresses } of provider.watch?.(stop.signal) ?? []) seen.push(addresses.join());
    })().catch((error: unknown) => error);
    const untilSeen = (...ns: readonly number[]) =>
      until(() => seen.at(-1) === agents(...ns).join(), { deadlineMs: 5_000, what: `agents ${ns}` });
    await untilSeen(1);
    await put({ n: 2, check: "passing" });
    await untilSeen(1, 2);
    await register(consul, {
      id: `${service}-other`,
      service: `${service}-other`,
      address: "10.9.9.9",
      port: 1,
    });
    await checked(consul, `${service}-1`, "fail");
    await untilSeen(2);
    await checked(consul, `${service}-1`, "pass");
    await untilSeen(1, 2);
    await deregister(consul, `${service}-2`);
    await untilSeen(1);
    await deregister(consul, `${service}-1`);
    await untilSeen();
    stop.abort();
    expect(await soon(watching)).toMatchObject({ code: "aborted" });
    expect(seen).toHaveLength(6);
  });

  it("is one cluster of a coordinator, which cannot tell when nobody is there", async () => {
    await put({ n: 2 }, { n: 1 });
    const { Config, open } = ofOneCluster(consulService as Parameters<typeof ofOneCluster>[0]);
    const inventory = await open(Config.parse(at()), inventoryContext("orders"));
    expect(await lookOf(inventory)).toMatchObject({
      kind: "complete",
      lacking: [],
      leased: false,
      clusters: [{ cluster_id: "orders", nodes: [plainNode("10.0.0.1:4100"), plainNode("10.0.0.2:4100")] }],
    });
    for (const n of [1, 2]) await deregister(consul, `${service}-${n}`);
    expect(await lackOf(inventory)).toMatch(/^not_listed: /);
    await inventory.close();
  });
});

describeWith("consul", "a service in a Consul with ACLs", () => {
  let consul: Consul;
  beforeAll(async () => {
    consul = await startConsul({ acl: true });
    await register(consul, { id: "n1", address: "10.0.0.1", port: 4100 });
  }, SLOW);
  afterAll(() => consul.stop(), SLOW);

  it("is given with its rights, and an instance that is hidden is no instance that is gone", async () => {
    const address = `${consul.address}:${consul.ports.http}`;
    const token = await tokenFor(
      consul,
      'service "rollcall" { policy = "read" }\nnode_prefix "" { policy = "read" }',
    );
    expect(await looked({ address, token })).toEqual({ kind: "complete", addresses: ["10.0.0.1:4100"] });
    const other = await tokenFor(consul, 'service "other" { policy = "read" }');
    // Consul 1.11 and later say that they hide something, older ones do not: neither is taken for "nobody".
    for (const less of [{}, { token: other }])
      expect(await looked({ address, ...less })).toMatch(
        /^(store_denied|not_listed): .* the token lacks service "rollcall" read and node_prefix "" read$/,
      );
    const wrong = String(await looked({ address, token: "6cef7de5-f515-4917-aeb9-f53f5b262096" }));
    expect(wrong).toMatch(/^store_denied: look for agents: 403 .* — the token lacks /);
    expect(wrong).not.toContain("6cef7de5");
  });
});

async function nameOf(consul: Consul): Promise<string> {
  const { Config } = JSON.parse((await consul.request("/v1/agent/self")).body) as {
    Config: { NodeName: string };
  };
  return Config.NodeName;
}

async function tokenFor(consul: Consul, rules: string): Promise<string> {
  const put = async (path: string, body: object) =>
    JSON.parse((await consul.request(path, { method: "PUT", body: JSON.stringify(body) })).body);
  const { ID } = await put("/v1/acl/policy", { Name: freshKey(), Rules: rules });
  return (await put("/v1/acl/token", { Policies: [{ ID }] })).SecretID;
}
