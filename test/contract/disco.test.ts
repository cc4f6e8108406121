import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect } from "vitest";
import { Config, open } from "../../providers/disco.ts";
import { createRegisters, type Registers } from "../../src/discovery-service/registers.ts";
import { type Discovery, serve } from "../../src/discovery-service/serve.ts";
import { manualClock } from "../lib/manual-clock.ts";
import { membersContract } from "./members.ts";
import { providerContract } from "./provider.ts";
import { realStage } from "./real-stage.ts";
import { registerContract } from "./register.ts";
import { contextFor, type Stage } from "./stage.ts";

const TTL_MS = 1_000;
const clock = manualClock();
let current = createRegisters({ uuid: randomUUID });
// Whatever is asked, the store of the moment answers.
const registers = new Proxy(current, { get: (_, name) => Reflect.get(current, name) });
const failures: unknown[] = [];
let service: Discovery;

beforeAll(async () => {
  const options = { host: "127.0.0.1", port: 0, token: null, registers };
  const log = { error: (what: unknown) => failures.push(what) };
  service = await serve(options, { clock, log, uuid: randomUUID });
});
afterAll(async () => {
  const closed = service.close();
  clock.advance(1_000);
  await closed;
  expect(failures).toEqual([]);
});

/** Puts an empty store in place of the old one. Long polls on the old one are answered from the new one. */
async function wipe(key: string): Promise<void> {
  const old: Registers = current;
  current = createRegisters({ uuid: randomUUID });
  old.put({ id: key, name: "wiped", value: "", expected: null });
}

async function stage(): Promise<Stage> {
  const real = await realStage({
    target: { address: "127.0.0.1", port: service.port },
    swaps: /^PUT \/[^ /]+\/registers\//,
    open: (endpoint, key) =>
      open(Config.parse({ url: `http://${endpoint}` }), contextFor(key), { ttlMs: TTL_MS }),
    empty: wipe,
  });
  return { ...real, elapse: () => clock.advance(TTL_MS * 0.4) };
}

registerContract("Discovery Service", "genesis", stage);
registerContract("Discovery Service", "leaderKey", stage);
membersContract("Discovery Service", stage);
providerContract("Discovery Service", stage);
