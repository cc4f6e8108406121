import { afterAll, beforeAll } from "vitest";
import { Config, open } from "../../providers/etcd-kv.ts";
import { base64, describeWith, type Etcd, startEtcd } from "../support/servers/index.ts";
import { membersContract } from "./members.ts";
import { providerContract } from "./provider.ts";
import { realStage } from "./real-stage.ts";
import { registerContract } from "./register.ts";
import { contextFor } from "./stage.ts";

describeWith("etcd", "etcd", () => {
  let etcd: Etcd;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.stop());

  const stage = () =>
    realStage({
      target: { address: etcd.address, port: etcd.ports.client },
      swaps: /init_id/,
      open: (endpoint, key) =>
        open(Config.parse({ endpoints: [endpoint] }), contextFor(key), { ttlMs: 1_000 }),
      async empty(key) {
        await etcd.call("/v3/kv/deleterange", { key: base64(`/${key}/`), range_end: base64(`/${key}0`) });
      },
    });

  registerContract("etcd", "genesis", stage);
  registerContract("etcd", "leaderKey", stage);
  membersContract("etcd", stage);
  providerContract("etcd", stage);
});
