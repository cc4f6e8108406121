/** A coordinator over agents on hosts of their own: packets that get lost, and agents that read their callers' credentials. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { makeCertificates } from "../support/certificates.ts";
import { type Coordinator, discovery, settings, startCoordinator } from "../support/coordinators.ts";
import { type Network, openNetwork } from "../support/network.ts";
import { describeAsRoot } from "../support/root.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { listing } from "./lists.ts";
import { freshKey, oneGenesis, openFleet } from "./stores.ts";
import { teller } from "./told.ts";

const PORT = 4100;

describeAsRoot(["ip", "openssl"], "a coordinator on another host than its agents", () => {
  const fleet = openFleet();
  let network: Network;
  let coordinator: Coordinator;
  afterEach(async () => {
    await coordinator?.kill();
    await fleet.end();
    await network?.end();
  });

  /** An agent at each host, in one cluster. */
  const agents = async (key: string, args: readonly string[]) => {
    const known = network.hosts.map(({ address }) => ({ at: address }));
    return Promise.all(
      network.hosts.map(({ address, inside }, at) =>
        fleet.one(`n${at + 1}`, [...listing(known, key, known.length), ...args], {
          ...{ address, port: PORT, inside },
        }),
      ),
    );
  };
  const list = (key: string, spec: object = {}) =>
    discovery("list", {
      ...{ mode: "static", cluster_id: key },
      config: { addresses: network.hosts.map(({ address }) => address) },
      ...spec,
    });

  it("tells of agents whose packets get lost, one way only, and of their return", async () => {
    network = await openNetwork(2);
    const [, far] = network.hosts;
    const key = freshKey();
    await oneGenesis(await agents(key, ["-insecure"]));
    coordinator = await startCoordinator();
    await coordinator.apply(list(key), settings(key, { node_timeout: "500ms" }));
    await coordinator.found(key);
    const told = teller(() => coordinator, key);
    expect(await told()).toEqual(["CLUSTER_NEW"]);
    await far?.cut(network.here);
    expect(await told()).toEqual(["AGENT_DOWN n2", "NODE_STALE n2"]);
    await far?.heal(network.here);
    expect(await told()).toEqual(["AGENT_UP n2"]);
  });

  it("is let in by agents with a client certificate, or with their token, and else says that it was not", async () => {
    network = await openNetwork(1);
    const key = freshKey();
    const { ca, server, client } = await makeCertificates(network.hosts.map(({ address }) => address));
    const token = join(tempDir("token"), "token");
    writeFileSync(token, "a-token-for-agents\n");
    const tls = ["-tls-cert", server.certFile, "-tls-key", server.keyFile, "-tls-ca", ca.certFile];
    const [agent] = await agents(key, [...tls, "-tls-client-auth", "-token-file", token]);
    await until(async () => agent?.process().stderr().includes("settled"), {
      deadlineMs: 30_000,
      what: "the agent to settle",
    });
    coordinator = await startCoordinator();
    const code = async (spec: object) => {
      await coordinator.apply(list(key, spec), settings(key));
      await coordinator.found(key);
      await coordinator.refreshed(key);
      const [node] = await coordinator.nodes(key);
      return node?.agent?.code;
    };
    const trusting = { ca_file: ca.certFile };
    expect(await code({ tls: trusting })).toBe("unauthorized");
    expect(await code({ tls: trusting, token_file: token })).toBe("ok");
    expect(await code({ tls: trusting })).toBe("unauthorized");
    const shown = { cert_file: client.certFile, key_file: client.keyFile };
    expect(await code({ tls: { ...trusting, ...shown } })).toBe("ok");
    expect(coordinator.process().stderr()).not.toContain("a-token-for-agents");
  });
});
