import { describe, expect, it } from "vitest";
import type { Verdict } from "../../src/agent/access.ts";
import { agentApp } from "../../src/agent/http.ts";
import { HELLO_PATH } from "../../src/agent/peer-client.ts";
import { answerHolds, type Call, signCall } from "../../src/agent/signature.ts";
import type { Caller } from "../../src/lib/http-server.ts";
import { accessOf, BOOT_ID, KEY, viewOf } from "./support/view.ts";

const SECRET = "the secret of this cluster";
const TOKEN = "the token for reading";
const here: Caller = { loopback: true, certified: false };
const remote: Caller = { loopback: false, certified: false };
const certified: Caller = { loopback: false, certified: true };

const OPEN = ["/livez", "/startupz", "/readyz"] as const;
const READ = ["/v1/state", "/v1/agent", "/v1/explain", "/v1/peers", "/v1/outcome", "/metrics"] as const;

const body = JSON.stringify({
  v: 1,
  key: KEY,
  from: { id: "n2", incarnation: "n2-1", agent_addr: "n2.test:4100" },
});
const callOf = (more: Partial<Call> = {}): Call => ({
  method: "POST",
  path: HELLO_PATH,
  key: KEY,
  nodeId: "n2",
  incarnation: "n2-1",
  bootId: BOOT_ID,
  counter: 1,
  nonce: "0123456789abcdef",
  body,
  ...more,
});

/** The routes of an agent that listens everywhere, with a token, as one caller sees them. */
function agent(options: Parameters<typeof accessOf>[0] = {}) {
  const access = accessOf({ private: false, token: async () => TOKEN, ...options });
  const { view, shown } = viewOf({ access, secret: options.secret ?? (async () => null) });
  let caller = remote;
  const app = agentApp(view, () => caller);
  return {
    shown,
    async ask(who: Caller, path: string, headers: Record<string, string> = {}) {
      caller = who;
      return await app.request(path, { headers });
    },
    async hello(who: Caller, header?: string, text = body) {
      caller = who;
      const headers = header === undefined ? {} : { "rollcall-call": header };
      const answer = await app.request(HELLO_PATH, { method: "POST", body: text, headers });
      const said = await answer.text();
      return { status: answer.status, body: said, signature: answer.headers.get("rollcall-answer") };
    },
  };
}

describe("who may read", () => {
  const callers: readonly [string, Caller, Record<string, string>, boolean][] = [
    ["loopback", here, {}, true],
    ["loopback with a wrong token", here, { authorization: "Bearer wrong" }, true],
    ["remote without anything", remote, {}, false],
    ["remote with the token", remote, { authorization: `Bearer ${TOKEN}` }, true],
    ["remote with the token, lower case", remote, { authorization: `bearer ${TOKEN}` }, true],
    ["remote with a wrong token", remote, { authorization: "Bearer wrong" }, false],
    ["remote with a part of the token", remote, { authorization: `Bearer ${TOKEN.slice(0, -1)}` }, false],
    ["remote with an empty token", remote, { authorization: "Bearer " }, false],
    ["remote with another scheme", remote, { authorization: `Basic ${TOKEN}` }, false],
    ["remote with a client certificate", certified, {}, true],
  ];

  for (const [name, caller, headers, allowed] of callers) {
    it(`${name}: health always, the rest ${allowed ? "too" : "not"}`, async () => {
      const { ask } = agent();
      for (const path of OPEN) expect([path, (await ask(caller, path, headers)).status]).not.toContain(401);
      for (const path of READ) {
        const answer = await ask(caller, path, headers);
        if (allowed) expect([path, answer.status]).toEqual([path, path === "/v1/outcome" ? 204 : 200]);
        else {
          expect([path, answer.status]).toEqual([path, 401]);
          const { error } = JSON.parse(await answer.text());
          expect(error).toEqual({
            code: "unauthorized",
            message: expect.any(String),
            hint: expect.stringContaining("-token-file"),
          });
        }
      }
    });
  }

  it("nobody from another machine when there is no token, and everybody with -insecure", async () => {
    const closed = agent({ token: async () => null });
    expect((await closed.ask(remote, "/v1/state")).status).toBe(401);
    expect((await closed.ask(remote, "/v1/state", { authorization: "Bearer " })).status).toBe(401);
    const open = agent({ token: async () => null, insecure: true });
    for (const path of READ) expect((await open.ask(remote, path)).status).toBeLessThan(300);
  });

  it("tells a stranger nothing of what exists", async () => {
    const { ask } = agent();
    expect((await ask(remote, "/v1/no-such-path")).status).toBe(401);
    expect((await ask(here, "/v1/no-such-path")).status).toBe(404);
  });

  it("does not let anybody in when the token cannot be read", async () => {
    const { ask } = agent({ token: () => Promise.reject(new Error("read /token: ENOENT")) });
    expect((await ask(remote, "/v1/state", { authorization: "Bearer x" })).status).toBe(500);
    expect((await ask(here, "/v1/state")).status).toBe(200);
  });

  it("is not widened by a path that begins like the agents' own", async () => {
    const { ask } = agent();
    for (const path of ["/v1/peer/../state", "/v1/peer/%2e%2e/state", "/v1//state", "//v1/state"])
      expect([path, (await ask(remote, path)).status]).toEqual([path, 401]);
  });
});

describe("who may call", () => {
  it("without a secret: anybody where the agent is private, else a client certificate or -insecure", async () => {
    const table: readonly [string, Parameters<typeof agent>[0], Caller, number][] = [
      ["private, loopback", { private: true }, here, 200],
      ["open, loopback", {}, here, 401],
      ["open, remote", {}, remote, 401],
      ["open, certified", {}, certified, 200],
      ["insecure, remote", { insecure: true }, remote, 200],
    ];
    for (const [name, options, caller, status] of table)
      expect([name, (await agent(options).hello(caller)).status]).toEqual([name, status]);
  });

  it("is not helped by the token for reading", async () => {
    const { ask } = agent();
    const answer = await ask(remote, HELLO_PATH, { authorization: `Bearer ${TOKEN}` });
    // There is no GET; and the POST above took no token.
    expect(answer.status).toBe(404);
  });

  const withSecret = (more: Parameters<typeof agent>[0] = {}) =>
    agent({ secret: async () => SECRET, ...more });

  it("with a secret: whoever signs with it, from anywhere, and the answer is signed", async () => {
    for (const caller of [here, remote, certified]) {
      const { hello, shown } = withSecret();
      const call = callOf();
      const answer = await hello(caller, signCall(SECRET, call));
      expect(answer.status).toBe(200);
      expect(answerHolds(SECRET, call.nonce, { ...answer, signature: answer.signature ?? "" })).toBe(true);
      expect(shown.met.map((m) => m.id)).toEqual(["n2"]);
    }
  });

  it.each([
    ["nothing", undefined, "unauthorized"],
    ["garbage", "a;b;c", "unauthorized"],
    ["another secret", signCall("another secret!!", callOf()), "wrong_secret"],
    ["another key", signCall(SECRET, callOf({ key: "another" })), "wrong_secret"],
    ["another method", signCall(SECRET, callOf({ method: "GET" })), "wrong_secret"],
    ["another path", signCall(SECRET, callOf({ path: "/v1/peer/x" })), "wrong_secret"],
    ["another body", signCall(SECRET, callOf({ body: "{}" })), "wrong_secret"],
  ])("refuses a call with %s, unsigned, whoever calls", async (_, header, code) => {
    for (const caller of [here, remote, certified]) {
      const { hello, shown } = withSecret();
      const answer = await hello(caller, header);
      expect([answer.status, answer.signature]).toEqual([401, null]);
      const { error } = JSON.parse(answer.body);
      expect(error.code).toBe(code);
      expect(error.hint).toContain("-cluster-secret-file");
      expect(error).not.toHaveProperty("boot_id");
      expect(shown.met).toEqual([]);
    }
  });

  it("answers another boot id with its own, signed, and takes the call that names it", async () => {
    const { hello, shown } = withSecret();
    for (const bootId of ["", "boot-0"]) {
      const call = callOf({ bootId });
      const answer = await hello(remote, signCall(SECRET, call));
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body).error).toMatchObject({ code: "boot_id", boot_id: BOOT_ID, counter: 0 });
      expect(answerHolds(SECRET, call.nonce, { ...answer, signature: answer.signature ?? "" })).toBe(true);
    }
    expect(shown.met).toEqual([]);
    // Neither spent its counter.
    expect((await hello(remote, signCall(SECRET, callOf()))).status).toBe(200);
  });

  it("refuses a call that was made before, and says up to where this sender has counted", async () => {
    const { hello, shown } = withSecret();
    const first = signCall(SECRET, callOf({ counter: 70 }));
    expect((await hello(remote, first)).status).toBe(200);
    for (const header of [first, signCall(SECRET, callOf({ counter: 6 }))]) {
      const again = await hello(remote, header);
      expect(again.status).toBe(401);
      expect(JSON.parse(again.body).error).toMatchObject({ code: "replayed", counter: 70 });
      expect(again.signature).not.toBeNull();
    }
    expect((await hello(remote, signCall(SECRET, callOf({ counter: 7 })))).status).toBe(200);
    expect(shown.met).toHaveLength(2);
  });

  it("takes no call while the secret cannot be read", async () => {
    const { hello } = agent({ secret: () => Promise.reject(new Error("read /secret: ENOENT")) });
    for (const caller of [here, remote, certified]) expect((await hello(caller)).status).toBe(500);
  });

  it("uses the secret of this moment", async () => {
    let secret = SECRET;
    const { hello } = withSecret({ secret: async () => secret });
    expect((await hello(remote, signCall(SECRET, callOf()))).status).toBe(200);
    secret = "a secret that replaced it";
    expect((await hello(remote, signCall(SECRET, callOf({ counter: 2 })))).status).toBe(401);
    expect((await hello(remote, signCall(secret, callOf({ counter: 3 })))).status).toBe(200);
  });

  it("keeps 4096 senders and then says so", async () => {
    const access = accessOf({ private: false, secret: async () => SECRET });
    const request = { method: "POST", path: HELLO_PATH, body };
    const take = (i: number): Promise<Verdict> =>
      access.peer(remote, signCall(SECRET, callOf({ incarnation: `i${i}` })), request);
    for (let i = 0; i < 4096; i++) if (!(await take(i)).ok) throw new Error(`refused ${i}`);
    expect(await take(4096)).toMatchObject({ ok: false, code: "too_many_callers" });
    expect(await take(0)).toMatchObject({ ok: false, code: "replayed" });
  });
});
