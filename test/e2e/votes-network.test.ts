/** Agents without a store on hosts of their own, with packets that are lost between them. */
import { afterEach, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { type Host, type Network, openNetwork } from "../support/network.ts";
import { describeAsRoot } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { identityOf, listing } from "./lists.ts";
import { freshKey, oneGenesis, openFleet } from "./stores.ts";

const PORT = 4100;

describeAsRoot(["ip"], "agents on hosts of their own", () => {
  const fleet = openFleet();
  const networks: Network[] = [];
  afterEach(async () => {
    await fleet.end();
    await Promise.all(networks.splice(0).map((network) => network.end()));
  });

  /** A network of so many hosts, and how an agent is started at each, told of those addresses. */
  async function hosts(size: number) {
    const network = await openNetwork(size);
    networks.push(network);
    const key = freshKey();
    const at = (host: Host | undefined, id: string, known: readonly string[], expectVoters: number) =>
      fleet.one(
        id,
        [
          ...listing(
            known.map((address) => ({ at: address })),
            key,
            expectVoters,
          ),
          "-insecure",
        ],
        {
          address: host?.address ?? "",
          port: PORT,
          ...(host === undefined ? {} : { inside: host.inside }),
        },
      );
    const [a, b, c, d, e] = network.hosts as [Host, Host, Host, Host, Host];
    return { network, at, a, b, c, d, e, all: network.hosts.map(({ address }) => address) };
  }
  const apart = async (left: readonly Host[], right: readonly Host[], how: "cut" | "heal") => {
    for (const one of left)
      for (const other of right) await Promise.all([one[how](other.address), other[how](one.address)]);
  };
  const says = (agent: Agent, text: string) =>
    until(
      async () => {
        const { summary, unblock } = await agent.explain();
        return [summary, ...unblock].join("\n").includes(text);
      },
      { deadlineMs: 30_000, what: `${agent.id} to say ${text}` },
    );
  const untilMembers = (agent: Agent, count: number) =>
    until(async () => (await agent.outcome())?.members.length === count, {
      deadlineMs: 30_000,
      what: `${agent.id} to have ${count} members`,
    });

  it("form with an address in the list where packets get lost, and say so only where it is waited for", async () => {
    const { network, at, a, b, c, all } = await hosts(3);
    for (const host of [a, b, c]) await host.cut(network.nowhere);
    const known = [network.nowhere, ...all];
    const lonely = await at(a, "a", known, 3);
    await says(lonely, `hello to ${network.nowhere}:${PORT}`);
    const rest = [await at(b, "b", known, 3), await at(c, "c", known, 3)];
    await oneGenesis([lonely, ...rest]);
    for (const agent of [lonely, ...rest]) expect((await agent.explain()).unblock).toEqual([]);
  });

  it("wait for each other while two are cut off from the third, name it, and form one cluster when they meet", async () => {
    const { at, a, b, c, all } = await hosts(3);
    await apart([a, b], [c], "cut");
    const agents = [await at(a, "a", all, 3), await at(b, "b", all, 3), await at(c, "c", all, 3)];
    const [first, second, third] = agents as [Agent, Agent, Agent];
    for (const agent of [first, second]) {
      await says(agent, "2 of 3 voters are there: a");
      await says(agent, `hello to ${c.address}:${PORT}`);
    }
    await says(third, "1 of 3 voters are there: c (this node)");
    await says(third, `hello to ${a.address}:${PORT}`);
    await apart([a, b], [c], "heal");
    await oneGenesis(agents);
    for (const agent of agents) await untilMembers(agent, 3);
  }, 60_000);

  it("form one cluster through the third where what one sends to another is lost", async () => {
    const { at, a, b, c, all } = await hosts(3);
    await a.cut(b.address);
    const agents = [await at(a, "a", all, 3), await at(b, "b", all, 3), await at(c, "c", all, 3)];
    // The first two each see two of three; the third sees all, and asks for their votes.
    await oneGenesis(agents);
    const kinds = await Promise.all(agents.map(async (agent) => (await agent.settled()).kind));
    expect(kinds.sort()).toEqual(["bootstrap", "join", "join"]);
  }, 60_000);

  it("stay one cluster when cut in two after it was made: both sides go on, take others in, and know each other again", async () => {
    const { at, a, b, c, d, e, all } = await hosts(5);
    const known = all.slice(0, 3);
    const agents = [await at(a, "a", known, 3), await at(b, "b", known, 3), await at(c, "c", known, 3)];
    const genesis = await oneGenesis(agents);
    await apart([a, b, d], [c, e], "cut");
    const late = [await at(d, "d", known, 3), await at(e, "e", known, 3)];
    expect(await oneGenesis(late)).toBe(genesis);
    // One that restarts while it sees nobody of the others opens by what is on its disk.
    await agents[2]?.restart();
    expect(await agents[2]?.settled()).toMatchObject({ kind: "existing", genesis_id: genesis });
    await apart([a, b, d], [c, e], "heal");
    for (const agent of [...agents, ...late]) await untilMembers(agent, 5);
    for (const agent of agents) expect(identityOf(agent).marker?.genesis_id).toBe(genesis);
  }, 60_000);
});
