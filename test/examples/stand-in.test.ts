import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { request } from "../support/http.ts";
import { freePort } from "../support/loopback.ts";
import { type Process, start } from "../support/processes.ts";
import { withoutLeaks } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";

const DATABASE = fileURLToPath(new URL("../../examples/stand-in/database.ts", import.meta.url));
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Answer = { kind?: string; genesis_id?: string; members?: { api_addr: string }[]; revision?: number };

/** An agent that answers `/v1/outcome` with what it is told, and holds the request while that is nothing new. */
async function agent() {
  let outcome: Answer | null = null;
  let asked = 0;
  const held = new Set<() => void>();
  const server = createServer((incoming, response) => {
    asked += 1;
    const revision = Number(new URL(incoming.url ?? "", "http://a").searchParams.get("revision"));
    const answer = () => {
      if (outcome === null || (outcome.revision ?? 0) <= revision) return held.add(answer);
      held.delete(answer);
      response.end(JSON.stringify(outcome));
    };
    answer();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const bound = server.address();
  return {
    addr: `127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`,
    asked: () => asked,
    says(next: Answer) {
      outcome = next;
      for (const answer of [...held]) answer();
    },
  };
}

async function database(agentAddr: string, addr: string, dir: string): Promise<Process> {
  const child = await start({
    name: "stand-in",
    program: process.execPath,
    args: [DATABASE, "-agent", agentAddr, "-addr", addr, "-data-dir", dir],
    env: { NODE_EXTRA_CA_CERTS: undefined },
  });
  ends.push(() => child.kill());
  return child;
}

const address = async () => `127.0.0.1:${await freePort("127.0.0.1")}`;
const show = async (addr: string) => JSON.parse((await request(`http://${addr}/`)).body);
const shows = (addr: string, wanted: object) =>
  until(
    async () => {
      expect(await show(addr)).toEqual(wanted);
      return true;
    },
    { deadlineMs: 30_000, what: `${addr} to show ${JSON.stringify(wanted)}`, everyMs: 20 },
  );

/** A primary and what is needed to talk of it. */
async function primary() {
  const [its, addr, dir] = [await agent(), await address(), join(tempDir("p"), "data")];
  const child = await database(its.addr, addr, dir);
  its.says({ kind: "bootstrap", genesis_id: "g", members: [{ api_addr: addr }], revision: 1 });
  await shows(addr, { role: "primary", peers: [addr], genesis_id: "g" });
  return { agent: its, addr, dir, child };
}

describe("the stand-in database", () => {
  withoutLeaks(() => {
    it("does not start before there is an outcome, then creates, and follows newer ones", async () => {
      const [its, addr] = [await agent(), await address()];
      const child = await database(its.addr, addr, join(tempDir("p"), "data"));
      await until(() => its.asked() > 0, { deadlineMs: 30_000, what: "the question" });
      await expect(show(addr)).rejects.toThrow();
      its.says({ kind: "bootstrap", genesis_id: "g", members: [{ api_addr: addr }], revision: 1 });
      await shows(addr, { role: "primary", peers: [addr], genesis_id: "g" });
      const health = JSON.parse((await request(`http://${addr}/health`)).body);
      expect(health).toEqual({ kind: "stand-in", status: "healthy", role: "leader" });
      const members = [{ api_addr: addr }, { api_addr: "127.0.0.1:1" }, { api_addr: "" }];
      its.says({ kind: "bootstrap", genesis_id: "g", members, revision: 2 });
      await shows(addr, { role: "primary", peers: ["127.0.0.1:1", addr].sort(), genesis_id: "g" });
      expect((await child.stop()).code).toBe(0);
    });

    it("joins whichever member takes it, however long none does", async () => {
      const { addr: first } = await primary();
      const [its, addr, dead] = [await agent(), await address(), await address()];
      await database(its.addr, addr, join(tempDir("r"), "data"));
      its.says({ kind: "join", genesis_id: "g", members: [{ api_addr: dead }], revision: 1 });
      await expect(show(addr)).rejects.toThrow();
      const members = [{ api_addr: dead }, { api_addr: addr }, { api_addr: first }];
      its.says({ kind: "join", genesis_id: "g", members, revision: 2 });
      await until(async () => (await show(addr)).role === "replica", { deadlineMs: 30_000, what: "to join" });
      await shows(first, { role: "primary", peers: [first, addr].sort(), genesis_id: "g" });
    });

    it("takes no replica of another genesis", async () => {
      const { addr } = await primary();
      const ask = (body: object) =>
        request(`http://${addr}/replicas`, { method: "POST", body: JSON.stringify(body) });
      expect((await ask({ addr: "127.0.0.1:1", genesis_id: "other" })).status).toBe(409);
      expect((await ask({})).status).toBe(409);
      expect((await ask({ addr: "127.0.0.1:1", genesis_id: "g" })).status).toBe(200);
    });

    it("goes on with its data, whatever kind the agent names, and never with another genesis", async () => {
      const { agent: its, addr, dir, child } = await primary();
      await child.kill();
      const again = await database(its.addr, addr, dir);
      await shows(addr, { role: "primary", peers: [addr], genesis_id: "g" });
      await again.kill();
      its.says({ kind: "join", genesis_id: "other", members: [{ api_addr: addr }], revision: 3 });
      const refused = await database(its.addr, addr, dir);
      expect((await refused.ended).code).toBe(1);
      expect(refused.stderr()).toContain("the data is of genesis g");
    });
  });
});
