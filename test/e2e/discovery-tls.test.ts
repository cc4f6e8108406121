/** The Discovery Service over TLS, by itself and in a coordinator: who is let in, and what those say who are not. */
import { afterEach, expect, it } from "vitest";
import { type Agent, startAgent } from "../support/agents.ts";
import { makeCertificates } from "../support/certificates.ts";
import { rollcall } from "../support/commands.ts";
import { startCoordinator } from "../support/coordinators.ts";
import { type DiscoveryService, PLACES, startDiscoveryService } from "../support/discovery-services.ts";
import { request } from "../support/http.ts";
import { loopbackAddress } from "../support/loopback.ts";
import { describeWith } from "../support/servers/index.ts";
import { until } from "../support/wait.ts";
import { freshKey } from "./stores.ts";

for (const { place } of PLACES)
  describeWith("openssl", `the Discovery Service over TLS, ${place}`, () => {
    let service: DiscoveryService | null = null;
    const agents: Agent[] = [];
    afterEach(async () => {
      await Promise.all(agents.splice(0).map((agent) => agent.stop()));
      await service?.stop();
      service = null;
    });

    /** One that wants client certificates of `right`; `wrong` is another authority's. */
    async function start() {
      const address = await loopbackAddress();
      const [right, wrong] = await Promise.all([makeCertificates([address]), makeCertificates([address])]);
      const { ca, server, client } = right;
      const flags = ["-tls-cert", server.certFile, "-tls-key", server.keyFile, "-tls-ca", ca.certFile];
      const tls = { ca: ca.cert, cert: client.cert, key: client.key };
      service = await startDiscoveryService([...flags, "-tls-client-auth", "-log-level=error"], {
        ...{ place, address, tls },
      });
      return { one: service, right, wrong };
    }

    /** The flags of agents, with these files beside the URL. */
    const disco = (url: string, key: string, config: object) => [
      ...["-disco-mode=disco", `-disco-url=${url}`, `-disco-id=${key}`],
      `-disco-config=${JSON.stringify(config)}`,
    ];

    it("lets in who shows a certificate of its authority, and others only to see whether it lives", async () => {
      const { one, right, wrong } = await start();
      expect((await one.ask("/", { method: "POST" })).status).toBe(200);
      const ca = right.ca.cert;
      const strangers = [{ ca }, { ca, cert: wrong.client.cert, key: wrong.client.key }];
      for (const tls of strangers) {
        const legacy = await one.ask("/", { method: "POST", tls });
        expect([legacy.status, JSON.parse(legacy.body)]).toEqual([
          401,
          { error: "the client certificate is missing or wrong" },
        ]);
        const view = await one.ask("/a/view", { tls });
        expect([view.status, JSON.parse(view.body).error.code]).toEqual([401, "certificate_required"]);
        expect((await one.ask("/metrics", { tls })).status).toBe(401);
        expect((await one.ask("/livez", { tls })).status).toBe(200);
      }
      await expect(one.ask("/livez", { tls: { ca: wrong.ca.cert } })).rejects.toThrow("certificate");
    });

    it("forms a cluster of agents that have a certificate, and those that lack one say so in one line", async () => {
      const { one, right, wrong } = await start();
      const key = freshKey();
      const { ca, client } = right;
      const shown = { ca_file: ca.certFile, cert_file: client.certFile, key_file: client.keyFile };
      const join = async (id: string, config: object) => {
        const args = [...disco(one.url, key, config), "-bootstrap-expect=3", "-log-level=error"];
        const agent = await startAgent({ id, args });
        agents.push(agent);
        return agent;
      };
      const three = await Promise.all(["a", "b", "c"].map((id) => join(id, shown)));
      const outcomes = await Promise.all(three.map((agent) => agent.settled()));
      expect(new Set(outcomes.map(({ genesis_id }) => genesis_id)).size).toBe(1);

      const says: readonly (readonly [config: object, line: string])[] = [
        [{ ca_file: ca.certFile }, "wants a certificate that it trusts, in cert_file and key_file"],
        [
          { ...shown, cert_file: wrong.client.certFile, key_file: wrong.client.keyFile },
          "wants a certificate",
        ],
        [{ ...shown, ca_file: wrong.ca.certFile }, "look up: self-signed certificate in certificate chain"],
      ];
      for (const [config, line] of says) {
        const { code, err } = await rollcall(["discover", ...disco(one.url, key, config)]);
        expect([code, err]).toEqual([1, expect.stringContaining(line)]);
        expect(err).toContain(one.addr);
        expect(err.split("\n")).toHaveLength(2);
      }
      expect((await rollcall(["discover", ...disco(one.url, key, shown)])).code).toBe(0);

      const late = await join("d", { ca_file: ca.certFile });
      await until(async () => JSON.stringify(await late.explain()).includes("in cert_file and key_file"), {
        deadlineMs: 30_000,
        what: "the agent to say that it lacks a certificate",
      });
      expect(await late.outcome()).toBeNull();
      await late.restart({
        args: [...disco(one.url, key, shown), "-bootstrap-expect=3", "-log-level=error"],
      });
      expect((await late.settled()).genesis_id).toBe(outcomes[0]?.genesis_id);
    }, 60_000);
  });

describeWith("openssl", "a coordinator with -tls-client-auth", () => {
  it("answers nobody without a certificate, but for health checks", async () => {
    const address = await loopbackAddress();
    const { ca, server, client } = await makeCertificates([address]);
    const flags = ["-tls-cert", server.certFile, "-tls-key", server.keyFile, "-tls-ca", ca.certFile];
    const tls = { ca: ca.cert, cert: client.cert, key: client.key };
    const one = await startCoordinator({ address, args: [...flags, "-tls-client-auth"], tls });
    try {
      for (const path of ["/v1/clusters", "/metrics", "/openapi.json"]) {
        expect([path, (await one.ask(path)).status]).toEqual([path, 200]);
        const stranger = await request(`${one.url}${path}`, { tls: { ca: ca.cert } });
        expect([path, stranger.status, JSON.parse(stranger.body).error]).toMatchObject([
          path,
          401,
          { code: "unauthorized", message: "this coordinator wants a client certificate" },
        ]);
      }
      expect((await request(`${one.url}/readyz`, { tls: { ca: ca.cert } })).status).toBe(200);
    } finally {
      await one.stop();
    }
  });
});
