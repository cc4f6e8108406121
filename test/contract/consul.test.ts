import { afterAll, beforeAll } from "vitest";
import { Config, open } from "../../providers/consul-kv.ts";
import { type Consul, describeWith, startConsul } from "../support/servers/index.ts";
import { membersContract } from "./members.ts";
import { providerContract } from "./provider.ts";
import { realStage } from "./real-stage.ts";
import { registerContract } from "./register.ts";
import { contextFor } from "./stage.ts";

describeWith("consul", "Consul", () => {
  let consul: Consul;
  beforeAll(async () => {
    // Sessions end between one and two times their time to live; the real minimum of 10 s would make that 20 s.
    consul = await startConsul({ sessionTtlMin: "1s" });
  });
  afterAll(() => consul.stop());

  const stage = () =>
    realStage({
      target: { address: consul.address, port: consul.ports.http },
      swaps: /^PUT \/v1\/txn/,
      open: (address, key) => open(Config.parse({ address }), contextFor(key), { ttlMs: 1_000 }),
      async empty(key) {
        await consul.request(`/v1/kv/${key}/?recurse`, { method: "DELETE" });
      },
    });

  registerContract("Consul", "genesis", stage);
  registerContract("Consul", "leaderKey", stage);
  membersContract("Consul", stage);
  providerContract("Consul", stage);
});
