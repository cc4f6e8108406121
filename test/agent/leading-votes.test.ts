/** Who leads, where no store has a leader key: agents in this process, each beside a database that says what the test says. */
import { createServer } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { open as openStatic } from "../../providers/static.ts";
import { freePort } from "../support/loopback.ts";
import { createMemory } from "../support/memory.ts";
import { until } from "../support/wait.ts";
import { type Agent, databaseOf, startAgent } from "./support/agents.ts";

/** Less than a settled agent waits before it asks the others by itself. */
const SOON = { deadlineMs: 6_000 };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** A database that says what `says` holds at the moment it is asked. */
async function database(says: Record<string, unknown>) {
  const server = createServer((_, response) => response.end(JSON.stringify(says)));
  const port = await freePort("127.0.0.1");
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const addresses = { advAddr: `127.0.0.1:${port}`, peerAddr: `127.0.0.1:${port}` };
  return databaseOf({ kind: "http", addr: `http://127.0.0.1:${port}/`, ...addresses, probeIntervalMs: 50 });
}

/** a and b beside databases, c beside none, all settled. */
async function three(a: Record<string, unknown>, b: Record<string, unknown>) {
  const ports = await Promise.all(["a", "b", "c"].map(() => freePort("127.0.0.1")));
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const databases = [await database(a), await database(b), databaseOf({})];
  const start = async (at: number, dir?: string): Promise<Agent> => {
    const agent = await startAgent(createMemory(), {
      id: ["a", "b", "c"][at] ?? "",
      port: ports[at] ?? 0,
      ...(dir === undefined ? {} : { dir }),
      openProvider: () => openStatic({ addresses }),
      config: {
        disco: { mode: "static", key: "rollcall", provider: { addresses } },
        bootstrapExpect: 3,
        db: databases[at] ?? databaseOf({}),
      },
    });
    closing.push(() => agent.stop());
    return agent;
  };
  const agents = await Promise.all([start(0), start(1), start(2)]);
  await Promise.all(agents.map((agent) => agent.settled()));
  return { agents, start };
}

const leaderOf = async (agent: Agent | undefined) =>
  JSON.parse((await agent?.get("/v1/leader"))?.body ?? "{}");

describe("the leader without a store", () => {
  it("is heard of at once by an agent without a database, and kept for the next one", async () => {
    const a = { role: "leader", term: 1 };
    const b = { role: "replica", term: 1, leader: { id: "a" } };
    const { agents, start } = await three(a, b);
    const c = agents[2];
    const named = (id: string) => async () => {
      const outcome = JSON.parse((await c?.get("/v1/outcome"))?.body ?? "{}");
      return outcome.leader?.id === id && (await leaderOf(c)).record?.id === id;
    };
    await until(named("a"), { ...SOON, what: "c to name a" });
    expect(await leaderOf(c)).toMatchObject({ source: "peers", record: { term: 1 } });
    Object.assign(a, { role: "replica", term: 2, leader: { id: "b" } });
    Object.assign(b, { role: "leader", term: 2, leader: { id: "b" } });
    await until(named("b"), { ...SOON, what: "c to name b" });
    // Another one may say so before b does, whose own word is the proof.
    const proven = async () => (await leaderOf(c)).verified === true;
    await until(proven, { ...SOON, what: "b to say so itself" });
    expect(await leaderOf(c)).toMatchObject({ source: "peers", record: { id: "b" }, stale_for: 0 });
    // Before its own database has told a of the new term, b has.
    const own = async () => (await leaderOf(agents[0])).source === "database";
    await until(own, { ...SOON, what: "a's own database to say so" });
    expect(await leaderOf(agents[0])).toMatchObject({ record: { id: "b", term: 2 } });
    await Promise.all(agents.map((agent) => agent.stop()));
    const again = await start(2, c?.dir);
    await again.settled();
    expect(await leaderOf(again)).toMatchObject({
      source: "peers",
      verified: false,
      stale_for: null,
      record: { id: "b", term: 2 },
    });
  });

  it("is nobody, and said to be in trouble, while two databases without terms lead", async () => {
    const a = { role: "leader" };
    const b: Record<string, unknown> = { role: "replica" };
    const { agents } = await three(a, b);
    const c = agents[2];
    await until(async () => (await leaderOf(c)).record?.id === "a", { ...SOON, what: "c to name a" });
    b.role = "leader";
    const trouble = async () => (await leaderOf(c)).trouble?.code === "leader_conflict";
    await until(trouble, { ...SOON, what: "c to see the conflict" });
    expect(await leaderOf(c)).toMatchObject({ record: null, source: null });
    expect(JSON.parse((await c?.get("/v1/outcome"))?.body ?? "{}").leader).toBeNull();
    expect(c?.lines().filter(({ msg }) => msg === "nobody is named as the leader")).toHaveLength(1);
    Object.assign(a, { role: "replica" });
    // a says so no more, and says that at once too.
    await until(async () => (await leaderOf(c)).record?.id === "b", {
      ...SOON,
      what: "c to name b",
    });
  });
});
