/** Three real rqlited that form one cluster through a Discovery Service, which is killed in the middle and started again. */
import { afterEach, expect, it } from "vitest";
import { type DiscoveryService, startDiscoveryService } from "../support/discovery-services.ts";
import { describeWith } from "../support/servers/index.ts";
import { openNodes, untilLed } from "../support/supervised.ts";
import { until } from "../support/wait.ts";
import { genesisOf, writeAndRead } from "./rqlited-by.ts";
import { freshKey } from "./stores.ts";

describeWith("rqlited", "rqlite through a Discovery Service", () => {
  const fleet = openNodes();
  const services: DiscoveryService[] = [];
  afterEach(async () => {
    await fleet.end();
    for (const service of services.splice(0)) await service.stop();
  });

  it("forms one cluster over a kill -9 of the service, and names its leader there once it is back", {
    timeout: 120_000,
  }, async () => {
    const service = await startDiscoveryService(["-log-level=error"]);
    services.push(service);
    const key = freshKey();
    const path = key.replaceAll("/", "~");
    const args = [
      "-disco-mode=disco",
      `-disco-url=${service.url}`,
      `-disco-id=${key}`,
      "-bootstrap-expect=3",
    ];
    const early = await fleet.start(["a", "b"], args);
    const members = async () => JSON.parse((await service.ask(`/${path}/members`)).body).members.length;
    await until(async () => (await members()) === 2, { deadlineMs: 30_000, what: "two members" });
    await service.kill();
    const [last] = await fleet.start(["c"], args);
    await service.restart();
    const nodes = [...early, ...(last === undefined ? [] : [last])];
    const leader = await untilLed(nodes, 60_000);
    const genesis = await genesisOf(nodes);
    await writeAndRead(leader, nodes);
    const named = async () => {
      const { status, body } = await service.ask(`/${path}/registers/leader`);
      return status === 200 ? JSON.parse(body) : null;
    };
    await until(async () => (await named())?.id === leader.id, {
      deadlineMs: 30_000,
      what: "the leader in the service",
    });
    expect(await named()).toMatchObject({ id: leader.id, genesis_id: genesis });
  });
});
