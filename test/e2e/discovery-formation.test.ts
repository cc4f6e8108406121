/** Agents that form one cluster through a Discovery Service that is killed in the middle and started again. */
import { afterEach, describe, expect, it } from "vitest";
import { type Agent, startAgent } from "../support/agents.ts";
import { type DiscoveryService, PLACES, startDiscoveryService } from "../support/discovery-services.ts";
import { withoutLeaks } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { freshKey } from "./stores.ts";

describe.each(PLACES)("three agents and a Discovery Service, $place", ({ place }) =>
  withoutLeaks(() => {
    let service: DiscoveryService | null = null;
    const agents: Agent[] = [];
    afterEach(async () => {
      await Promise.all(agents.splice(0).map((agent) => agent.stop()));
      await service?.stop();
    });

    const join = async (id: string, key: string, more: readonly string[] = []) => {
      const args = [
        `-disco-mode=disco`,
        `-disco-url=${service?.url}`,
        `-disco-id=${key}`,
        ...["-bootstrap-expect=3", "-log-level=error", ...more],
      ];
      const agent = await startAgent({ id, args });
      agents.push(agent);
      return agent;
    };

    it("form one cluster over a kill -9 before the last of them comes, and keep it over another", async () => {
      service = await startDiscoveryService(["-log-level=error"], { place });
      const one = service;
      const key = freshKey();
      const path = key.replaceAll("/", "~");
      const first = await Promise.all(["a", "b"].map((id) => join(id, key)));
      const members = async () =>
        JSON.parse((await one.ask(`/${path}/members`)).body).members as { id: string }[];
      await until(async () => (await members()).length === 2, { deadlineMs: 30_000, what: "two members" });
      await one.kill();
      await one.restart();
      // Nobody had the time to renew: what was acknowledged is there.
      expect((await members()).map(({ id }) => id)).toEqual(["a", "b"]);
      await join("c", key);
      const outcomes = await Promise.all(agents.map((agent) => agent.settled()));
      expect(new Set(outcomes.map(({ genesis_id }) => genesis_id)).size).toBe(1);
      expect(outcomes.filter(({ kind }) => kind === "bootstrap")).toHaveLength(1);
      const record = (await one.ask(`/${path}/registers/genesis`)).body;
      await one.kill();
      await one.restart();
      expect((await one.ask(`/${path}/registers/genesis`)).body).toBe(record);
      const late = await (await join("d", key)).settled();
      expect([late.kind, late.genesis_id]).toEqual(["join", outcomes[0]?.genesis_id]);
      expect(first.every((agent) => agent.process().exit() === null)).toBe(true);
    }, 120_000);

    it("take no voter beyond the size of their id, which says so, and one that does not vote", async () => {
      service = await startDiscoveryService(["-log-level=error"], { place });
      const created = await service.ask("/", { method: "POST", body: '{"size":3}' });
      const id = String((JSON.parse(created.body) as { disco_id: string }).disco_id);
      const three = await Promise.all(["a", "b", "c"].map((name) => join(name, id)));
      const genesis = (await Promise.all(three.map((agent) => agent.settled())))[0]?.genesis_id;
      const fourth = await join("d", id);
      const why = "409, this id is for 3 voters, and all have registered";
      await until(async () => JSON.stringify(await fourth.explain()).includes(why), {
        deadlineMs: 30_000,
        what: "the fourth voter to say that it is one too many",
      });
      expect(await fourth.outcome()).toBeNull();
      const reader = await (await join("e", id, ["-non-voter"])).settled();
      expect([reader.kind, reader.genesis_id]).toEqual(["join", genesis]);
      // The place of one that leaves is free.
      await three[2]?.stop();
      expect((await fourth.settled()).genesis_id).toBe(genesis);
    }, 120_000);
  }),
);

describe("an agent whose node already has a cluster", () =>
  withoutLeaks(() => {
    const services: DiscoveryService[] = [];
    const agents: Agent[] = [];
    afterEach(async () => {
      await Promise.all(agents.splice(0).map((agent) => agent.kill()));
      await Promise.all(services.splice(0).map((service) => service.stop()));
    });
    const serve = async () => {
      const service = await startDiscoveryService(["-log-level=error"]);
      services.push(service);
      return service;
    };
    const by = ({ url }: DiscoveryService, id: string, key: string) => [
      ...[`-disco-mode=disco`, `-disco-url=${url}`, `-disco-id=${id}`, `-disco-key=${key}`],
      ...["-bootstrap-expect=1", "-log-level=error"],
    ];
    const start = async (id: string, args: readonly string[]) => {
      const agent = await startAgent({ id, args });
      agents.push(agent);
      return agent;
    };

    it("ignores the addresses that a service lists", async () => {
      const key = freshKey();
      const agent = await start("a", by(await serve(), key, key));
      const { genesis_id } = await agent.settled();
      await agent.kill();
      const other = await serve();
      const created = await other.ask("/", { method: "POST" });
      const id = String((JSON.parse(created.body) as { disco_id: string }).disco_id);
      for (const addr of ["http://10.0.0.8:4001", "http://10.0.0.9:4001"])
        await other.ask(`/${id}`, { method: "POST", body: JSON.stringify({ addr }) });
      await agent.restart({ args: by(other, id, key) });
      const outcome = await agent.settled();
      expect(outcome).toMatchObject({ kind: "existing", genesis_id });
      expect(outcome.members.map((member) => member.id)).toEqual(["a"]);
      // The service has the genesis from it, not the other way round.
      const record = JSON.parse((await other.ask(`/${id}/registers/genesis`)).body);
      expect(record).toMatchObject({ state: "sealed", genesis_id });
    });

    it("joins no other cluster that a service has, and says so", async () => {
      const key = freshKey();
      const agent = await start("a", by(await serve(), key, key));
      const { genesis_id } = await agent.settled();
      await agent.kill();
      const other = await serve();
      const stranger = await start("b", by(other, "others", key));
      const theirs = (await stranger.settled()).genesis_id;
      await agent.restart({ args: by(other, "others", key) });
      const { summary } = await agent.waitsFor("genesis_conflict");
      expect(summary).toContain(theirs);
      expect((await agent.outcome())?.genesis_id ?? genesis_id).toBe(genesis_id);
    });
  }));
