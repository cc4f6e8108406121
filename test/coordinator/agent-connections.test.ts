import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { codeOf, reason } from "../../src/lib/errors.ts";
import { serveView, viewOf } from "../agent/support/view.ts";
import { manualClock, turns } from "../lib/manual-clock.ts";
import { makeCertificates } from "../support/certificates.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { at, client, never, opened, pollOf, strange, within } from "./polling.ts";
import { answer, likeAnAgent, stateOf } from "./strange-server.ts";

afterEach(() => opened.close());

const noDatabase = likeAnAgent(stateOf({ node: { node_id: "n1", incarnation: "i1", kind: "none" } }));

describe("a kept connection", () => {
  it("that the agent closes just when it is asked is made anew, once", async () => {
    let asked = 0;
    const server = await strange((socket, head) => {
      asked += 1;
      // The second and third request find their connection closed without a word.
      if (asked === 2 || asked === 4 || asked === 5) socket.destroy();
      else noDatabase(socket, head);
    });
    const { poll } = client();
    expect(await poll(at(server), never)).toMatchObject({ kind: "state" });
    expect(await poll(at(server), never)).toMatchObject({ kind: "state" });
    expect([asked, server.connections()]).toEqual([3, 2]);
    expect(await poll(at(server), never)).toMatchObject({ code: "unreachable" });
    expect([asked, server.connections()]).toEqual([5, 3]);
  });

  it.each([0, 1, 2, 3, 5])(
    "that the agent has closed is made anew, however late it is noticed (%d)",
    async (count) => {
      const server = await strange(noDatabase);
      const { poll } = client();
      await poll(at(server), never);
      server.cut();
      await turns(count);
      expect(await poll(at(server), never)).toMatchObject({ kind: "state" });
      expect(server.connections()).toBe(2);
    },
  );

  it("that broke off in the middle of an answer is not asked again", async () => {
    let asked = 0;
    const server = await strange((socket, head) => {
      asked += 1;
      if (asked === 1) noDatabase(socket, head);
      else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", () => socket.resetAndDestroy());
    });
    const { poll } = client();
    await poll(at(server), never);
    expect(await poll(at(server), never)).toMatchObject({ code: "unreachable" });
    expect(asked).toBe(2);
  });

  it("is closed when the agent says so, or says something that was not asked", async () => {
    const server = await strange((socket, head) => {
      if (server.requests.length === 1)
        socket.write(
          answer(200, JSON.stringify(stateOf({ node: { node_id: "n1", incarnation: "i1", kind: "none" } })), [
            "connection: close",
          ]),
        );
      else noDatabase(socket, head);
      if (server.requests.length === 2) setTimeout(() => socket.write(answer(200, "{}")), 20);
    });
    const { poll, counts } = client();
    expect(await poll(at(server), never)).toMatchObject({ kind: "state" });
    expect(counts().kept).toBe(0);
    expect(await poll(at(server), never)).toMatchObject({ kind: "state" });
    await until(() => counts().kept === 0, within("the talkative connection to be closed"));
    expect(await poll(at(server), never)).toMatchObject({ kind: "state" });
    expect(server.connections()).toBe(3);
  });

  it("serves only polls of the allow-list that it was made under", async () => {
    const server = await strange(noDatabase);
    const { poll } = client();
    await poll(at(server), never);
    const allow = { cidrs: ["10.0.0.0/8"], ports: [server.port] };
    expect(await poll(at(server, { settings: { allow } }), never)).toMatchObject({
      code: "not_allowed",
      problem: `${server.address} is not in the allow-list`,
    });
    const ports = { cidrs: ["127.0.0.0/8"], ports: [1] };
    expect(await poll(at(server, { settings: { allow: ports } }), never)).toMatchObject({
      code: "not_allowed",
      problem: `port ${server.port} is not in the allow-list`,
    });
    expect(server.requests).toHaveLength(1);
    await until(() => server.standing() === 0, within("the connection to be closed"));
    // The same list as another object is the same list.
    for (let i = 0; i < 3; i++) await poll(at(server), never);
    expect(server.connections()).toBe(2);
  });

  it("gives way when there are too many, and all end with the client", async () => {
    const servers = await Promise.all([1, 2, 3].map(() => strange(noDatabase)));
    const { poll, counts, close } = client({ mostKept: 2 });
    for (const server of servers) await poll(at(server), never);
    expect(counts().kept).toBe(2);
    await until(() => servers[0]?.standing() === 0, within("the oldest to be closed"));
    expect(servers.map((server) => server.standing())).toEqual([0, 1, 1]);
    close();
    close();
    await until(() => servers.every((server) => server.standing() === 0), within("all to be closed"));
    expect(counts().kept).toBe(0);
    await expect(poll(pollOf({ port: 1 }, "127.0.0.1:1"), never)).rejects.toMatchObject({ code: "closed" });
  });
});

describe("a name", () => {
  it("is looked up for each new connection, which goes to an address that was checked", async () => {
    const server = await strange(noDatabase);
    const answers: string[][] = [
      [server.address],
      ["169.254.169.254"],
      ["10.9.9.9", "::ffff:10.9.9.9"],
      ["10.9.9.9", server.address],
      [`::ffff:${server.address}`],
      [],
    ];
    const asked: string[] = [];
    const lookUp = async (host: string) => {
      asked.push(host);
      return answers.shift() ?? [];
    };
    const { poll } = client({}, { lookUp });
    const ask = async () => {
      const seen = await poll(pollOf(server, `db.example:${server.port}`), never);
      server.cut();
      await until(() => server.standing() === 0, within("the connection to be cut"));
      return seen.kind === "failed" ? `${seen.code}: ${seen.problem}` : seen.kind;
    };
    expect(await ask()).toBe("state");
    expect(await ask()).toBe("not_allowed: db.example is 169.254.169.254, which is link-local");
    expect(await ask()).toBe("not_allowed: db.example is 10.9.9.9, which is not in the allow-list");
    expect(await ask()).toBe("state");
    expect(await ask()).toBe("state");
    expect(await ask()).toBe("unreachable: db.example has no address");
    expect(new Set(asked)).toEqual(new Set(["db.example"]));
    expect(server.connections()).toBe(3);
  });

  it("that cannot be looked up, or not in time, is an unreachable agent", async () => {
    const failing = client(
      {},
      { lookUp: async () => Promise.reject(new Error("getaddrinfo ENOTFOUND db.example")) },
    );
    expect(await failing.poll(pollOf({ port: 1 }, "db.example:1"), never)).toMatchObject({
      code: "unreachable",
      problem: "look up db.example: getaddrinfo ENOTFOUND db.example",
    });
    const hanging = client({ connectMs: 50 }, { lookUp: () => new Promise(() => {}) });
    expect(await hanging.poll(pollOf({ port: 1 }, "db.example:1"), never)).toMatchObject({
      code: "unreachable",
      problem: "no connection in 0.05 s",
    });
  });

  it("that is none is not connected to", async () => {
    const { poll } = client();
    for (const addr of ["127.1:80", "0x7f.0.0.1:80", "http://127.0.0.1:80", "[fe80::1%lo]:80", "127.0.0.1"])
      expect([addr, await poll(pollOf({ port: 80 }, addr), never)]).toMatchObject([
        addr,
        { code: "not_allowed" },
      ]);
    expect(await poll(pollOf({ port: 80 }, "[::ffff:169.254.169.254]:80"), never)).toMatchObject({
      code: "not_allowed",
      problem: expect.stringContaining("is link-local"),
    });
  });
});

describe("over TLS", () => {
  it("an agent is trusted by the discovery's authority only, and shown our certificate", async () => {
    const [ours, theirs] = await Promise.all([makeCertificates([]), makeCertificates([])]);
    const shown = { cert: ours.server.cert, key: ours.server.key, ca: ours.ca.cert };
    const open = await strange(noDatabase, { tls: shown, address: "127.0.0.1" });
    const closed = await strange(noDatabase, {
      tls: { ...shown, requestCert: true, rejectUnauthorized: true },
      address: "127.0.0.1",
    });
    const plain = await serveView(viewOf().view);
    opened.push(() => plain.close(0));
    const { poll } = client();
    const files = (ca: typeof ours | null, own: typeof ours | null) => ({
      tls: {
        ca_file: ca?.ca.certFile ?? null,
        cert_file: own?.client.certFile ?? null,
        key_file: own?.client.keyFile ?? null,
      },
    });
    const ask = async (server: typeof open, settings: ReturnType<typeof files>) => {
      const seen = await poll(at(server, { settings }), never);
      return seen.kind === "failed" ? seen.code : seen.kind;
    };
    expect(await ask(open, files(ours, null))).toBe("state");
    expect(await ask(open, files(ours, null))).toBe("state");
    expect(open.connections()).toBe(1);
    // Another trust never uses the connection that an earlier one has made.
    expect(await ask(open, files(theirs, null))).toBe("unauthorized");
    expect(await ask(open, files(null, null))).toBe("unauthorized");
    expect(await ask(closed, files(ours, ours))).toBe("state");
    expect(await poll(at(closed, { settings: files(ours, null) }), never)).toMatchObject({
      code: "unauthorized",
      problem: "TLS: tlsv13 alert certificate required",
    });
    // It hangs up without an alert, which may mean anything.
    expect(await ask(closed, files(ours, theirs))).toBe("unreachable");
    expect(await poll(pollOf(plain, plain.addr, { settings: files(ours, null) }), never)).toMatchObject({
      code: "not_an_agent",
    });
    const wrongName = await poll(
      pollOf(open, `localtest:${open.port}`, { settings: files(ours, null) }),
      never,
    );
    expect(wrongName).toMatchObject({ code: "unreachable" });
    const named = client({}, { lookUp: async () => ["127.0.0.1"] });
    expect(
      await named.poll(pollOf(open, `db.example:${open.port}`, { settings: files(ours, null) }), never),
    ).toMatchObject({
      code: "unauthorized",
      problem: expect.stringMatching(/not trusted: .*db\.example/),
    });
    expect(
      await named.poll(
        pollOf(open, `localhost:${open.port}`, { secure: true, settings: files(ours, null) }),
        never,
      ),
    ).toMatchObject({ kind: "state" });
    expect(await poll(at(open, { secure: true }), never)).toMatchObject({ code: "unauthorized" });
  });
});

describe("credentials", () => {
  /** A failure of ours is no agent's: nothing is observed. */
  const ownOf = (error: unknown) => `${codeOf(error)}: ${reason(error)}`;

  it("are read again when their files change, and never shown", async () => {
    const file = join(tempDir(), "token");
    const clock = manualClock();
    const server = await strange((socket, head) =>
      head.includes("Authorization: Bearer second")
        ? noDatabase(socket, head)
        : socket.write(answer(401, "no")),
    );
    const { poll } = client({}, { clock });
    const ask = async () => {
      clock.advance(2_000);
      const seen = await poll(at(server, { settings: { token_file: file } }), never).catch(ownOf);
      if (typeof seen === "string") return seen;
      return seen.kind === "failed" ? `${seen.code}: ${seen.problem}` : seen.kind;
    };
    expect(await ask()).toMatch(/^own: our own credentials: read .*token: ENOENT/);
    writeFileSync(file, "\n");
    expect(await ask()).toBe(`own: our own credentials: ${file} is empty`);
    writeFileSync(file, "first");
    expect(await ask()).toBe("unauthorized: answers 401: our token is not the one it takes");
    writeFileSync(file, "two\nlines");
    expect(await ask()).toBe(`own: our own credentials: ${file} must hold one token, in one line of ASCII`);
    // As an agent's own -token-file may have it.
    writeFileSync(file, "second, of two words\n");
    expect(await ask()).toBe("state");
    expect(clock.pending()).toBe(0);
  });

  it("of TLS too, and a connection under the old ones is not used", async () => {
    const [ours, theirs] = await Promise.all([makeCertificates([]), makeCertificates([])]);
    const ca_file = join(tempDir(), "ca.pem");
    writeFileSync(ca_file, ours.ca.cert);
    const clock = manualClock();
    const server = await strange(noDatabase, { tls: ours.server, address: "127.0.0.1" });
    const { poll } = client({}, { clock });
    const settings = { tls: { ca_file, cert_file: null, key_file: null } };
    const ask = async () => {
      clock.advance(2_000);
      return poll(at(server, { settings }), never).catch(ownOf);
    };
    expect(await ask()).toMatchObject({ kind: "state" });
    expect(await ask()).toMatchObject({ kind: "state" });
    expect(server.connections()).toBe(1);
    writeFileSync(ca_file, theirs.ca.cert);
    expect(await ask()).toMatchObject({ code: "unauthorized" });
    writeFileSync(ca_file, "no certificate");
    expect(await ask()).toBe(`own: our own credentials: ${ca_file} holds no certificate`);
    writeFileSync(ca_file, ours.ca.cert);
    expect(await ask()).toMatchObject({ kind: "state" });
  });
});
