/** Agents that find each other by real name servers, whose records change while they run. */
import { afterEach, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { describeWith, type Knot, startConsul, startKnot } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { pods, type Seat, seated } from "./lists.ts";
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

const recordsOf = (seats: readonly Seat[]) => seats.map(({ address }) => `nodes 0 A ${address}`);

describeWith("knotd", "agents in DNS", () => {
  const fleet = openFleet();
  const servers: Knot[] = [];
  afterEach(async () => {
    await fleet.end();
    await Promise.all(servers.splice(0).map((server) => server.kill()));
  });

  async function zone(records: readonly string[]) {
    const knot = await startKnot(records);
    servers.push(knot);
    return knot;
  }
  const named = (knot: Knot, key: string, port: number, ...more: string[]) => [
    ...["-disco-mode", "dns", "-disco-key", key, ...more],
    "-disco-config",
    JSON.stringify({ name: "nodes.test", port, resolvers: [knot.endpoint] }),
  ];

  /** Waits until its outcome has these ids at these addresses. */
  const untilAt = (agent: Agent, addresses: Readonly<Record<string, string>>) =>
    until(
      async () => {
        const { members } = await agent.settled();
        return Object.entries(addresses).every(
          ([id, address]) => members.find((m) => m.id === id)?.agent_addr === address,
        );
      },
      { deadlineMs: 30_000, what: `${agent.id} to have ${JSON.stringify(addresses)}` },
    );

  it("form one cluster once their name is there, though one is missing in it, and lose nobody as records go", async () => {
    const key = freshKey();
    const seats = await pods(["a", "b", "c", "d"]);
    const port = seats[0]?.port ?? 0;
    const knot = await zone([]);
    const args = named(knot, key, port, "-bootstrap-expect", "3");
    const [a, b, c] = await seated(fleet, seats.slice(0, 3), args);
    if (a === undefined || b === undefined || c === undefined) throw new Error("three agents");
    for (const agent of [a, b, c]) await says(agent, /does not exist|NXDOMAIN/i);
    await says(a, /publishNotReadyAddresses: true/);
    // The third is up and not ready: nobody finds it, and it finds the others.
    await knot.setRecords(recordsOf(seats.slice(0, 2)));
    const genesis = await oneGenesis([a, b, c]);
    // All records go, and everybody restarts: who belongs to it is on disk.
    await knot.setRecords([]);
    await Promise.all([a, b, c].map((agent) => agent.kill()));
    await Promise.all([a, b, c].map((agent) => agent.restart()));
    expect(await oneGenesis([a, b, c])).toBe(genesis);
    await until(async () => (await a.outcome())?.members.length === 3, {
      deadlineMs: 30_000,
      what: "three members",
    });
    const [d] = await seated(fleet, seats.slice(3), args);
    if (d === undefined) throw new Error("a fourth agent");
    await d.waitsFor("voters");
    await knot.setRecords(recordsOf(seats.slice(0, 1)));
    expect(await d.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
  }, 60_000);

  it("follow a node whose record has another address now, and nodes that change places", async () => {
    const key = freshKey();
    const seats = await pods(["a", "b", "c", "later"]);
    const knot = await zone(recordsOf(seats.slice(0, 3)));
    const args = named(knot, key, seats[0]?.port ?? 0, "-bootstrap-expect", "3");
    const [a, b, c] = await seated(fleet, seats.slice(0, 3), args);
    if (a === undefined || b === undefined || c === undefined) throw new Error("three agents");
    const genesis = await oneGenesis([a, b, c]);
    await b.kill();
    await knot.setRecords(recordsOf(seats.filter(({ id }) => id !== "b")));
    const at = seats[3] as Seat;
    const moved = await fleet.one("b", args, { dir: b.dir, address: at.address, port: at.port });
    expect(await moved.settled()).toMatchObject({ kind: "existing", genesis_id: genesis });
    for (const agent of [a, c, moved]) await untilAt(agent, { b: at.at });
    // An address is no node: two of them change places.
    await Promise.all([a.kill(), c.kill()]);
    const placed = (agent: Agent, { address, port }: Seat = at) =>
      fleet.one(agent.id, args, { dir: agent.dir, address, port });
    const changed = [await placed(a, seats[2]), await placed(c, seats[0]), moved];
    expect(await oneGenesis(changed)).toBe(genesis);
    for (const agent of changed)
      await untilAt(agent, { a: seats[2]?.at ?? "", b: at.at, c: seats[0]?.at ?? "" });
  }, 60_000);

  it("keep two clusters under two keys in one name apart, and say so", async () => {
    const seats = await pods(["a", "b", "c", "d"]);
    const [x, y] = [freshKey(), freshKey()];
    const knot = await zone(recordsOf(seats));
    const port = seats[0]?.port ?? 0;
    const left = await seated(fleet, seats.slice(0, 2), named(knot, x, port, "-bootstrap-expect", "2"));
    const right = await seated(fleet, seats.slice(2, 3), named(knot, y, port, "-bootstrap-expect", "2"));
    const one = await oneGenesis(left);
    for (const agent of right) await says(agent, new RegExp(`a belongs to another cluster, ${x}`));
    right.push(...(await seated(fleet, seats.slice(3), named(knot, y, port, "-bootstrap-expect", "2"))));
    expect(await oneGenesis(right)).not.toBe(one);
    for (const agent of [...left, ...right]) expect((await agent.settled()).members).toHaveLength(2);
  });

  it("say that the answer leaves them out, or others, and end on SIGTERM while a server is silent", async () => {
    const key = freshKey();
    const seats = await pods(["a", "b", "c"]);
    const [a, b, c] = seats;
    const port = a?.port ?? 0;
    const knot = await zone(recordsOf(seats.slice(0, 1)));
    const expectFour = ["-bootstrap-expect", "4"];
    const [first] = await seated(fleet, seats.slice(0, 1), named(knot, key, port, ...expectFour));
    const [reader] = await seated(fleet, seats.slice(2), named(knot, key, port, "-non-voter"));
    if (first === undefined || reader === undefined) throw new Error("two agents");
    await says(first, /names this agent alone/);
    await says(reader, new RegExp(`does not name this agent \\(${c?.at}\\)`));
    // Another resolver's answer is of another time: these two hear of each other through the third.
    const stale = await zone(recordsOf(seats.slice(1)));
    const [second] = await seated(fleet, seats.slice(1, 2), named(stale, key, port, ...expectFour));
    if (second === undefined) throw new Error(`no agent at ${b?.at}`);
    await says(first, /leaves out.* b\b.*different answers/);
    await says(second, /leaves out a\b.*different answers/);
    await knot.pause();
    for (const agent of [first, reader]) {
      agent.process().signal("SIGTERM");
      await until(() => agent.process().exit(), { deadlineMs: 5_000, what: `${agent.id} to end` });
      expect(agent.process().exit()).toEqual({ code: 0, signal: null });
    }
    knot.resume();
  });
});

describeWith("consul", "agents in Consul's DNS", () => {
  const fleet = openFleet();
  afterEach(() => fleet.end());

  it("form one cluster by the service's SRV records, and take in one that is registered later", async () => {
    const consul = await startConsul();
    try {
      const key = freshKey();
      const seats = await pods(["a", "b", "c"]);
      const register = ({ id, address, port }: Seat) =>
        consul.request("/v1/agent/service/register", {
          method: "PUT",
          body: JSON.stringify({ Name: "rollcall", ID: id, Address: address, Port: port }),
        });
      const config = {
        name: "service.consul",
        service: "rollcall",
        resolvers: [`${consul.address}:${consul.ports.dns}`],
      };
      const args = ["-disco-mode", "dns-srv", "-disco-key", key, "-disco-config", JSON.stringify(config)];
      const agents = await seated(fleet, seats.slice(0, 2), [...args, "-bootstrap-expect", "2"]);
      for (const agent of agents) await says(agent, /does not exist|NXDOMAIN/i);
      for (const seat of seats.slice(0, 2)) await register(seat);
      const genesis = await oneGenesis(agents);
      const [late] = await seated(fleet, seats.slice(2), [...args, "-bootstrap-expect", "2"]);
      expect(await late?.settled()).toMatchObject({ kind: "join", genesis_id: genesis });
    } finally {
      await consul.stop();
    }
  });
});
