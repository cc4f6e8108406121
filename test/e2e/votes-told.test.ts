/** Agents that are told of each other by a list that somebody else keeps, and that changes while they run. */
import { renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { checked, register } from "../support/consul-services.ts";
import { describeWith, startConsul } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { type Seat, seated, seatsFor } from "./lists.ts";
import { freshKey, oneGenesis, openFleet } from "./stores.ts";

/** Waits until something that it says is like this. */
async function says(agent: Agent, text: RegExp): Promise<void> {
  await until(
    async () => {
      const { summary, unblock } = await agent.explain();
      return text.test([summary, ...unblock].join("\n"));
    },
    { deadlineMs: 30_000, what: `${agent.id} to say ${text}` },
  );
}

const flags = (mode: string, config: object, key: string, expectVoters = 3) => [
  ...[`-disco-mode=${mode}`, `-disco-key=${key}`, `-bootstrap-expect=${expectVoters}`],
  `-disco-config=${JSON.stringify(config)}`,
];

describe("agents that are told of each other", () => {
  const fleet = openFleet();
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    await fleet.end();
    for (const end of ends.splice(0)) await end();
  });

  it("by a file form one cluster once it is whole, and take in one who is listed later", async () => {
    const seats = await seatsFor(["a", "b", "c", "d"]);
    const path = join(tempDir("list"), "agents.yaml");
    const listing = (listed: readonly Seat[]) => listed.map(({ at }) => `- ${at}\n`).join("");
    writeFileSync(path, listing(seats.slice(0, 3)).slice(0, -3));
    const args = flags("file", { path }, freshKey());
    const agents = await seated(fleet, seats.slice(0, 3), args);
    for (const agent of agents) await says(agent, /it is being written, or lacks the last newline/);
    writeFileSync(`${path}.new`, listing(seats.slice(0, 3)));
    renameSync(`${path}.new`, path);
    const genesis = await oneGenesis(agents);
    writeFileSync(path, listing(seats));
    const [late] = await seated(fleet, seats.slice(3), args);
    expect(await late?.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    // What is not believed removes nobody.
    writeFileSync(path, "");
    await Promise.all(agents.map((agent) => agent.kill()));
    await Promise.all(agents.map((agent) => agent.restart()));
    expect(await oneGenesis(agents)).toBe(genesis);
  }, 60_000);

  it("by a URL form one cluster, in Prometheus's form and in Replicante's", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b", "c", "d"]);
    let listed: readonly Seat[] = seats.slice(0, 1);
    const server = createServer((request, response) => {
      request.resume();
      const agents = listed.map(({ at }) => at);
      const isPages = request.method === "POST";
      const clusters = [
        { cluster_id: "another", nodes: ["http://127.0.0.1:9/"] },
        { cluster_id: key, nodes: agents.map((at) => `http://${at}/`) },
      ];
      response.end(JSON.stringify(isPages ? { clusters, cursor: null } : [{ targets: agents, labels: {} }]));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ends.push(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/agents`;
    const agents = await seated(fleet, seats.slice(0, 2), flags("http", { url }, key));
    const [first, second] = agents;
    if (first === undefined || second === undefined) throw new Error("two agents");
    await says(first, /list names this agent alone/);
    await says(second, new RegExp(`list does not name this agent \\(${seats[1]?.at}\\)`));
    listed = seats;
    agents.push(...(await seated(fleet, seats.slice(2, 3), flags("http", { url }, key))));
    const genesis = await oneGenesis(agents);
    const [late] = await seated(fleet, seats.slice(3), flags("http", { url, method: "POST" }, key));
    expect(await late?.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
  }, 60_000);
});

describeWith("consul", "agents that are a service in Consul", () => {
  const fleet = openFleet();
  afterEach(() => fleet.end());

  it("form one cluster once their checks pass, and keep it when the checks fail and Consul is gone", async () => {
    const consul = await startConsul();
    try {
      const seats = await seatsFor(["a", "b", "c", "d"]);
      const put = ({ id, address, port }: Seat) => register(consul, { id, address, port, check: "critical" });
      for (const seat of seats) await put(seat);
      const config = { address: `${consul.address}:${consul.ports.http}` };
      const args = flags("consul-service", config, freshKey());
      const agents = await seated(fleet, seats.slice(0, 3), args);
      for (const agent of agents) await says(agent, /no instance of rollcall passes its checks in Consul/);
      for (const { id } of seats) await checked(consul, id, "pass");
      const genesis = await oneGenesis(agents);
      const [late] = await seated(fleet, seats.slice(3), args);
      expect(await late?.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
      for (const { id } of seats) await checked(consul, id, "fail");
      await consul.stop();
      await Promise.all(agents.map((agent) => agent.kill()));
      await Promise.all(agents.map((agent) => agent.restart()));
      expect(await oneGenesis(agents)).toBe(genesis);
    } finally {
      await consul.stop();
    }
  }, 60_000);
});
