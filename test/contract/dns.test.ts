import { afterAll, beforeAll } from "vitest";
import * as dns from "../../providers/dns.ts";
import * as dnsSrv from "../../providers/dns-srv.ts";
import { serviceOf } from "../support/consul-services.ts";
import { type Consul, describeWith, type Knot, startConsul, startKnot } from "../support/servers/index.ts";
import { addressContract } from "./addresses.ts";
import { contextFor } from "./stage.ts";

const SLOW = 30_000;
const context = contextFor("k");

describeWith("knotd", "Knot", () => {
  let knot: Knot;
  beforeAll(async () => {
    knot = await startKnot([]);
  }, SLOW);
  afterAll(() => knot.stop(), SLOW);

  addressContract("dns", () => ({
    live: true,
    set: (agents) => knot.setRecords(agents.map((agent) => `agents 60 A ${agent.split(":")[0]}`)),
    open: () => dns.open(dns.Config.parse({ name: "agents.test", resolvers: [knot.endpoint] }), context),
  }));

  addressContract("dns-srv", () => ({
    live: true,
    set: (agents) =>
      knot.setRecords(
        agents.flatMap((agent, at) => {
          const [address, port] = agent.split(":");
          return [`_rqlite._tcp.db 60 SRV 0 0 ${port} n${at}`, `n${at} 60 A ${address}`];
        }),
      ),
    open: () => dnsSrv.open(dnsSrv.Config.parse({ name: "db.test", resolvers: [knot.endpoint] }), context),
  }));
});

describeWith("consul", "Consul", () => {
  let consul: Consul;
  let resolvers: readonly string[] = [];
  beforeAll(async () => {
    consul = await startConsul();
    resolvers = [`${consul.address}:${consul.ports.dns}`];
  }, SLOW);
  afterAll(() => consul.stop(), SLOW);

  const set = serviceOf(() => consul);

  addressContract("dns", () => ({
    live: true,
    set,
    open: () => dns.open(dns.Config.parse({ name: "rollcall.service.consul", resolvers }), context),
  }));

  addressContract("dns-srv", () => ({
    live: true,
    set,
    open: () =>
      dnsSrv.open(dnsSrv.Config.parse({ service: "rollcall", name: "service.consul", resolvers }), context),
  }));
});
