/** The Discovery Service as its own process: the seed's lines, many at once, kills, and callers that mean no good. */
import { execFile } from "node:child_process";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rollcall } from "../support/commands.ts";
import { type DiscoveryService, PLACES, startDiscoveryService } from "../support/discovery-services.ts";
import { request } from "../support/http.ts";
import { inPath } from "../support/processes.ts";
import { withoutLeaks } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";

type Listed = { created_at: string; disco_id: string; nodes: string[] };
const listed = (body: string): Listed => JSON.parse(body) as Listed;
const post = (body: unknown) => ({
  method: "POST",
  // As rqlite's own client has it.
  headers: { "content-type": "application-type/json" },
  body: JSON.stringify(body),
});
/** A new id. */
async function create(service: DiscoveryService, wish?: unknown): Promise<string> {
  const answer = await service.ask("/", wish === undefined ? { method: "POST" } : post(wish));
  expect(answer.status).toBe(200);
  return listed(answer.body).disco_id;
}

describe.each(PLACES)("the lines of rqlite's documentation, $place", ({ place }) =>
  withoutLeaks(() => {
    let service: DiscoveryService;
    beforeAll(async () => {
      service = await startDiscoveryService([], { place });
    });
    afterAll(() => service.stop());

    /** Runs a line as it stands there, only at another host. */
    async function line(text: string): Promise<Listed> {
      const words = [
        ...text.replaceAll("http://discovery.rqlite.com", service.url).matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
      ];
      const args = words.map(([, single, double, bare]) => single ?? double ?? bare ?? "");
      const { stdout } = await promisify(execFile)("curl", ["-sS", "--noproxy", "*", ...args.slice(1)]);
      return listed(stdout);
    }

    const curl = inPath("curl") === null ? it.skip : it;
    curl.each([
      `curl -XPOST -L -w "\\n" 'http://discovery.rqlite.com'`,
      `curl -XPOST -L -w "\\n" 'http://discovery.rqlite.com/'`,
    ])("%s", async (text) => {
      const answer = await line(text);
      expect(Object.keys(answer)).toEqual(["created_at", "disco_id", "nodes"]);
      expect(answer.created_at).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/);
      expect(answer.disco_id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      expect(answer.nodes).toEqual([]);
      expect((await service.ask(`/${answer.disco_id}`)).body).toBe(JSON.stringify(answer));
    });

    curl("curl -XDELETE of a registered address", async () => {
      const id = await create(service);
      await service.ask(`/${id}`, post({ addr: "http://192.168.0.1:4001" }));
      await service.ask(`/${id}`, post({ addr: "http://192.168.0.2:4001" }));
      const text = `curl -XDELETE http://discovery.rqlite.com/${id} -H "Content-Type: application/json" -d '{"addr": "http://192.168.0.1:4001"}'`;
      expect((await line(text)).nodes).toEqual(["http://192.168.0.2:4001"]);
      // Whoever is gone already is gone.
      expect((await line(text)).nodes).toEqual(["http://192.168.0.2:4001"]);
    });

    it("shows the first node itself alone, and each later one all before it", async () => {
      const id = await create(service);
      for (const at of [1, 2, 3, 2]) {
        const answer = await service.ask(`/${id}`, post({ addr: `http://localhost:400${at}` }));
        expect([answer.status, answer.headers["rollcall-position"]]).toEqual([200, String(at)]);
      }
      expect(listed((await service.ask(`/${id}`)).body).nodes).toEqual(
        [1, 2, 3].map((at) => `http://localhost:400${at}`),
      );
    });

    it("refuses a node beyond the size that was asked for", async () => {
      const id = await create(service, { size: 2 });
      for (const addr of ["a:1", "b:1"])
        expect((await service.ask(`/${id}`, post({ addr }))).status).toBe(200);
      const beyond = await service.ask(`/${id}`, post({ addr: "c:1" }));
      expect([beyond.status, JSON.parse(beyond.body)]).toEqual([
        409,
        {
          error:
            "this id is for 2 voters, and all have registered; remove one that is gone with DELETE, or create another id",
        },
      ]);
      expect((await service.ask(`/${id}`, post({ addr: "b:1" }))).headers["rollcall-position"]).toBe("2");
    });

    it("wants the token of an id that has one, on every path of it", async () => {
      const token = "0123456789abcdef";
      const id = await create(service, { token });
      for (const path of [`/${id}`, `/${id}/view`, `/${id}/registers/genesis`])
        expect((await service.ask(path)).status).toBe(401);
      const headers = { authorization: `Bearer ${token}` };
      expect((await service.ask(`/${id}`, { headers })).status).toBe(200);
      expect((await service.ask(`/${id}/view`, { headers })).status).toBe(200);
    });
  }),
);

describe("many at once", () =>
  withoutLeaks(() => {
    let service: DiscoveryService;
    beforeAll(async () => {
      service = await startDiscoveryService(["-log-level=error"]);
    });
    afterAll(() => service.stop());

    it("gives 200 nodes 200 positions without a gap, and exactly one sees itself alone", async () => {
      const id = await create(service);
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, at) =>
          service.ask(`/${id}`, { ...post({ addr: `n${at}:1` }), timeoutMs: 15_000 }),
        ),
      );
      const positions = answers.map(({ headers }) => Number(headers["rollcall-position"]));
      expect(positions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, at) => at + 1));
      expect(answers.filter(({ body }) => listed(body).nodes.length === 1)).toHaveLength(1);
      const { nodes } = listed((await service.ask(`/${id}`)).body);
      expect(nodes).toEqual(
        positions
          .map((position, at) => ({ position, at }))
          .sort((a, b) => a.position - b.position)
          .map(({ at }) => `n${at}:1`),
      );
    });

    it("serves 50 clients on one id, each write of theirs once", async () => {
      const id = await create(service);
      const perClient = 20;
      await Promise.all(
        Array.from({ length: 50 }, async (_, client) => {
          for (let at = 0; at < perClient; at++) {
            const addr = `c${client}-${at}:1`;
            const answer = await service.ask(`/${id}`, { ...post({ addr }), timeoutMs: 15_000 });
            expect(listed(answer.body).nodes).toContain(addr);
          }
        }),
      );
      const { nodes } = listed((await service.ask(`/${id}`)).body);
      expect([nodes.length, new Set(nodes).size]).toEqual([1_000, 1_000]);
      const full = await service.ask(`/${id}`, post({ addr: "one-more:1" }));
      expect([full.status, JSON.parse(full.body).error]).toEqual([
        507,
        expect.stringContaining("1000 nodes in one id"),
      ]);
    });
  }));

describe.each(PLACES)("kill -9, $place", ({ place }) =>
  withoutLeaks(() => {
    it("loses no registration and no record that was acknowledged, at whatever point it comes", async () => {
      const service = await startDiscoveryService(["-log-level=error"], { place });
      const id = await create(service);
      const acknowledged = new Map<string, string>();
      try {
        for (let life = 0; life < (place === "alone" ? 8 : 4); life++) {
          let running = true;
          const wanted = acknowledged.size + 5 + life * 9;
          const clients = Array.from({ length: 8 }, async (_, client) => {
            for (let at = 0; running; at++) {
              const addr = `l${life}-c${client}-${at}:1`;
              const [answer, register] = await Promise.all([
                service.ask(`/${id}`, post({ addr })).catch(() => null),
                service
                  .ask(`/k${life}-${client}-${at}/registers/genesis`, {
                    ...{ method: "PUT", headers: { "if-none-match": "*" }, body: addr },
                  })
                  .catch(() => null),
              ]);
              if (answer?.status === 200) acknowledged.set(addr, String(answer.headers["rollcall-position"]));
              if (register?.status === 201)
                acknowledged.set(
                  `/k${life}-${client}-${at}/registers/genesis`,
                  String(register.headers.etag),
                );
              if (answer === null) return;
            }
          });
          await until(() => acknowledged.size >= wanted, { deadlineMs: 30_000, what: "acknowledgements" });
          await service.kill();
          running = false;
          await Promise.all(clients);
          await service.restart();
          const { nodes } = listed((await service.ask(`/${id}`)).body);
          for (const [what, mark] of acknowledged) {
            if (what.startsWith("/")) {
              expect([what, (await service.ask(what)).headers.etag]).toEqual([what, mark]);
            } else {
              expect(nodes).toContain(what);
              const again = await service.ask(`/${id}`, post({ addr: what }));
              expect([what, again.headers["rollcall-position"]]).toEqual([what, mark]);
            }
          }
        }
        expect(acknowledged.size).toBeGreaterThan(place === "alone" ? 100 : 40);
      } finally {
        await service.stop();
      }
    }, 120_000);
  }),
);

describe("its end and its beginning", () =>
  withoutLeaks(() => {
    it.each(PLACES)(
      "ends in order within 2 s of SIGTERM, also with long polls held, $place",
      async (options) => {
        const service = await startDiscoveryService([], options);
        const index = String((await service.ask("/a/view")).headers["rollcall-index"]);
        const polls = Array.from({ length: 20 }, () =>
          request(`${service.url}/a/view?wait=60s&index=${index}`, { timeoutMs: 20_000 }),
        );
        const waiting = async () => (await service.ask("/metrics")).body.includes("waiters 20\n");
        await until(waiting, { deadlineMs: 5_000, what: "the long polls" });
        service.process().signal("SIGTERM");
        const grace = new Promise<string>((resolve) => setTimeout(resolve, 2_000, "late").unref());
        expect(await Promise.race([service.process().ended, grace])).toMatchObject({ code: 0 });
        for (const poll of polls) expect((await poll).status).toBe(503);
      },
    );

    it("is moved out of a coordinator with its file, which two cannot have at once", async () => {
      const coordinator = await startDiscoveryService(["-log-level=error"], { place: "coordinator" });
      const id = await create(coordinator);
      await coordinator.ask(`/${id}`, post({ addr: "http://a:4001" }));
      const store = coordinator.store.replace(/\.db$/, "-discovery.db");
      const early = await rollcall(["discovery", "-http-addr=127.0.0.1:4399", `-store=sqlite:${store}`]);
      await coordinator.stop();
      expect([early.code, early.err]).toEqual([
        1,
        expect.stringContaining("is in use by another Discovery Service"),
      ]);
      const alone = await startDiscoveryService(["-log-level=error"], { store });
      const { body } = await alone.ask(`/${id}`);
      await alone.stop();
      expect(listed(body).nodes).toEqual(["http://a:4001"]);
    });

    it("refuses a second process on the same file in one line", async () => {
      const service = await startDiscoveryService();
      const second = await rollcall([
        "discovery",
        "-http-addr=127.0.0.1:4399",
        `-store=sqlite:${service.store}`,
      ]);
      await service.stop();
      expect(second).toEqual({
        code: 1,
        out: "",
        err: `rollcall: open the store sqlite:${service.store}: it is in use by another Discovery Service; stop the other one, or give this one a file of its own\n`,
      });
    });

    it.each([
      [
        ["-http-addr=0.0.0.0:4300"],
        "is open beyond this machine and needs -token-file with TLS, or -insecure",
      ],
      [["-store=postgres://u:p@h/d"], "-store: must be sqlite:FILE, as in sqlite:./rollcall-discovery.db"],
      [["-store=sqlite:/nowhere/x.db"], "-store: /nowhere: no such directory"],
      [["-forget-unused=1s"], "-forget-unused"],
      [["-apply=x"], "-apply"],
    ])("refuses %s", async (args, why) => {
      const { code, err } = await rollcall(["discovery", ...args]);
      expect([code, err]).toEqual([2, expect.stringContaining(why)]);
      expect(err.split("\n")).toHaveLength(2);
    });
  }));

describe("callers that mean no good", () =>
  withoutLeaks(() => {
    let service: DiscoveryService;
    beforeAll(async () => {
      service = await startDiscoveryService(["-log-level=error"]);
    });
    afterAll(() => service.stop());
    const held = async () =>
      (await service.ask("/metrics")).body
        .split("\n")
        .filter((one) => /^rollcall_discovery_service_(ids|bytes|created_ids|nodes) /.test(one));

    it("get the right status and a JSON error 10,000 times, and nothing is stored", async () => {
      const id = await create(service);
      const before = await held();
      const big = "x".repeat(70_000);
      const cases: readonly (readonly [string, string, number, string?])[] = [
        ["POST", `/${id}`, 400, ""],
        ["POST", `/${id}`, 400, "{"],
        ["POST", `/${id}`, 400, "[]"],
        ["POST", `/${id}`, 400, "null"],
        ["POST", `/${id}`, 400, '{"addr":7}'],
        ["POST", `/${id}`, 400, '{"addr":""}'],
        ["POST", `/${id}`, 400, '{"addr":"a b"}'],
        ["POST", `/${id}`, 400, `{"addr":"${"a".repeat(256)}"}`],
        ["POST", `/${id}`, 413, big],
        ["DELETE", `/${id}`, 400, '{"address":"a"}'],
        ["DELETE", "/nobody", 404, '{"addr":"a:1"}'],
        ["GET", "/nobody", 404],
        ["POST", "/nobody", 404, '{"addr":"a:1"}'],
        ["POST", "/NO~BODY!", 400, '{"addr":"a:1"}'],
        ["PUT", `/${id}`, 405, "{}"],
        ["PATCH", "/", 405, "{}"],
        ["GET", "/", 405],
        ["POST", "/", 400, '{"size":0}'],
        ["POST", "/", 400, '{"size":"3"}'],
        ["POST", "/", 400, '{"token":"short"}'],
        ["POST", "/", 400, '{"sise":3}'],
        ["POST", "/", 413, big],
        ["PUT", "/a/registers/genesis", 428, "x"],
        ["PUT", "/a/members/n", 400, "{"],
        ["GET", "/a/nothing", 404],
        ["GET", "/%E0%A4%A", 400],
      ];
      let at = 0;
      const agent = new (await import("node:http")).Agent({ keepAlive: true, maxSockets: 16 });
      const ask = ([method, path, , body]: (typeof cases)[number]) =>
        new Promise<{ status: number; body: string }>((resolve, reject) => {
          const headers =
            body === undefined
              ? {}
              : { "content-type": "text/plain", "content-length": Buffer.byteLength(body) };
          const sent = httpRequest(`${service.url}${path}`, { method, agent, headers }, (answer) => {
            let text = "";
            answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
            answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: text }));
          });
          sent.on("error", reject).end(body);
        });
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          while (at < 10_000) {
            const one = cases[at++ % cases.length] as (typeof cases)[number];
            // Who is refused while still sending may find the connection closed.
            const answer = await ask(one).catch((error: NodeJS.ErrnoException) => {
              if (one[2] === 413 && (error.code === "EPIPE" || error.code === "ECONNRESET")) return null;
              throw new Error(`${one.slice(0, 2).join(" ")}: ${error.message}`);
            });
            if (answer === null) continue;
            expect([one.slice(0, 2), answer.status]).toEqual([one.slice(0, 2), one[2]]);
            expect(JSON.parse(answer.body)).toHaveProperty("error");
          }
        }),
      );
      agent.destroy();
      expect(await held()).toEqual(before);
    }, 60_000);

    it("are cut off when they send slowly, while others are served", async () => {
      const sockets = Array.from({ length: 50 }, () => connect(service.port, service.addr.split(":")[0]));
      let ended = 0;
      for (const socket of sockets) {
        socket.on("error", () => {});
        socket.on("close", () => ended++);
        socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n");
      }
      expect((await service.ask("/readyz")).status).toBe(200);
      for (const socket of sockets) socket.resume();
      await until(() => ended === sockets.length, { deadlineMs: 60_000, what: "slow senders to be cut off" });
    }, 90_000);
  }));
