/** The cluster secret and certificates between real agents. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { makeCertificates } from "../support/certificates.ts";
import { loopbackAddress } from "../support/loopback.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores, oneGenesis, openFleet } from "./stores.ts";

onBothStores("security", (store) => {
  const fleet = openFleet();
  afterEach(() => fleet.end());
  const secretFile = (text: string) => {
    const path = join(tempDir("secret"), "secret");
    writeFileSync(path, `${text}\n`);
    return path;
  };

  it("does not count an agent with another cluster secret, says so on both sides, and forms once the file is right", async () => {
    const key = freshKey();
    const [right, wrong] = [
      secretFile("correct horse battery staple"),
      secretFile("quite another secret text"),
    ];
    const args = (secret: string) => [
      ...store().flags(key),
      "-bootstrap-expect",
      "2",
      "-cluster-secret-file",
      secret,
    ];
    const a = await fleet.one("a", args(right));
    const b = await fleet.one("b", args(wrong));
    for (const [agent, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const row = await until(
        async () =>
          (
            JSON.parse((await agent.get("/v1/peers")).body).peers as { id: string; problem: string | null }[]
          ).find((peer) => peer.id === other.id && peer.problem !== null),
        { deadlineMs: 30_000, what: `${agent.id} to say what is wrong with ${other.id}` },
      );
      expect(row.problem).toContain("secret");
      expect(await agent.outcome()).toBeNull();
      const waiting = await until(
        async () => {
          const now = await agent.explain();
          return now.not_counted.some((peer) => peer.id === other.id && peer.text.includes("secret"))
            ? now
            : null;
        },
        { deadlineMs: 30_000, what: `${agent.id} to explain that the secrets differ` },
      );
      expect(waiting.unblock.join(" ")).toContain("secret");
    }
    writeFileSync(wrong, "correct horse battery staple\n");
    await oneGenesis([a, b]);
    for (const agent of [a, b])
      expect(agent.process().stderr() + agent.process().stdout()).not.toContain("correct horse");
  });

  it("forms over mutual TLS beyond loopback, and keeps strangers out", async () => {
    const key = freshKey();
    const addresses = await Promise.all([loopbackAddress(), loopbackAddress()]);
    const made = await makeCertificates(addresses);
    const dir = tempDir("tls");
    const file = (name: string, text: string) => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    const tls = [
      "-tls-cert",
      file("cert.pem", made.server.cert),
      "-tls-key",
      file("key.pem", made.server.key),
      "-tls-ca",
      file("ca.pem", made.ca.cert),
      "-tls-client-auth",
    ];
    const args = [...store().flags(key), "-bootstrap-expect", "2", ...tls];
    const trusted = { ca: made.ca.cert };
    const [a, b] = await Promise.all(
      addresses.map((address, i) => fleet.one(`n${i}`, args, { address, everywhere: true, tls: trusted })),
    );
    if (a === undefined || b === undefined) throw new Error("two agents");
    await oneGenesis([a, b]);
    const stranger = await a.get("/v1/peer/hello", { method: "POST", body: "{}" });
    expect(stranger.status).toBe(401);
  });
});

describe("a data directory", () => {
  it("of one cluster is refused under another key, before the store is asked", async () => {
    const fleet = openFleet();
    const nowhere = ["-disco-mode", "consul-kv", "-disco-config", '{"address":"127.0.0.1:1"}'];
    const agent = await fleet.one("a", [...nowhere, "-disco-key", "prod/orders"]);
    await agent.waitsFor("store");
    await agent.restart({ args: [...nowhere, "-disco-key", "prod/other"] });
    expect((await agent.process().ended).code).toBe(2);
    expect(agent.process().stderr()).toMatch(/-disco-key: .*prod\/orders, not to prod\/other/);
    await fleet.end();
  });
});
