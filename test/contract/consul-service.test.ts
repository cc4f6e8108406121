import { afterAll, beforeAll } from "vitest";
import { Config, open } from "../../providers/consul-service.ts";
import { serviceOf } from "../support/consul-services.ts";
import { type Consul, describeWith, startConsul } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { addressContract } from "./addresses.ts";
import { contextFor, patient } from "./stage.ts";

const SLOW = 30_000;

describeWith("consul", "Consul", () => {
  let consul: Consul;
  beforeAll(async () => {
    consul = await startConsul();
  }, SLOW);
  afterAll(() => consul.stop(), SLOW);

  const put = serviceOf(() => consul);
  const openHere = () =>
    open(Config.parse({ address: `${consul.address}:${consul.ports.http}` }), contextFor("k"));

  addressContract(
    "consul-service",
    () => ({
      live: true,
      // Consul's servers hear of it from the agent.
      async set(agents) {
        await put(agents);
        const provider = await openHere();
        await until(async () => (await provider.lookup(patient())).addresses.join() === agents.join(), {
          deadlineMs: 5_000,
          what: agents.join(),
        });
        await provider.close();
      },
      open: openHere,
    }),
    { watches: true },
  );
});
