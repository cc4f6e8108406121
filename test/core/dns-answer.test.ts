import { describe, expect, it } from "vitest";
import { type DnsFacts, type DnsRecord, dnsAnswer } from "../../src/core/dns-answer.ts";

const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, SRV: 33, IXFR: 251, AXFR: 252, ANY: 255 };
const ZONE = "orders.prod.rollcall";

const node = (id: string, host: string | null, follows = true) => ({
  id,
  address: host === null ? null : { host, port: 4001 },
  follows,
});
const three: DnsFacts = {
  zone: ZONE,
  server: "10.0.0.9",
  leader: node("n1", "10.0.0.1"),
  nodes: [node("n1", "10.0.0.1"), node("n2", "10.0.0.2"), node("n3", "fd00::3")],
};

function ask(name: string, type: keyof typeof TYPES, facts: Partial<DnsFacts> = {}, more = {}) {
  return dnsAnswer({ name, type: TYPES[type], class: 1, turn: 0, ...more }, { ...three, ...facts });
}

/** `A 10.0.0.1`, with the owner before it where it is not the name that was asked for. */
const told = (records: readonly DnsRecord[], name = "") =>
  records.map((record) => {
    const { name: owner, type, ...data } = record;
    return [...(owner === name ? [] : [owner]), type, ...Object.values(data)].join(" ");
  });
const answers = (name: string, type: keyof typeof TYPES, facts: Partial<DnsFacts> = {}) => {
  const answer = ask(name, type, facts);
  return answer.rcode === "NOERROR" ? told(answer.answers, name) : answer.rcode;
};

describe("dnsAnswer", () => {
  it.each([
    ["leader", "A", ["A 10.0.0.1"]],
    ["leader", "AAAA", []],
    ["replica", "A", ["A 10.0.0.2"]],
    ["replica", "AAAA", ["AAAA fd00::3"]],
    ["n2", "A", ["A 10.0.0.2"]],
    ["n3", "AAAA", ["AAAA fd00::3"]],
    ["_db._tcp.leader", "SRV", [`SRV 4001 n1.${ZONE}`]],
    ["_db._tcp.leader", "A", []],
    ["_tcp.leader", "SRV", []],
    ["leader", "TXT", []],
    ["leader", "SRV", []],
    ["ns", "A", ["A 10.0.0.9"]],
    ["n4", "A", "NXDOMAIN"],
    ["x.n1", "A", "NXDOMAIN"],
    ["_db._tcp.replica", "SRV", "NXDOMAIN"],
  ] as const)("answers %s %s with %j", (name, type, expected) => {
    expect(answers(`${name}.${ZONE}`, type)).toEqual(expected);
  });

  it("has a SOA and an NS record at the apex, and the server's address beside", () => {
    expect(answers(ZONE, "SOA")).toEqual([`SOA ns.${ZONE} hostmaster.${ZONE}`]);
    const { answers: found, additionals } = ask(ZONE, "NS");
    expect(told(found, ZONE)).toEqual([`NS ns.${ZONE}`]);
    expect(told(additionals)).toEqual([`ns.${ZONE} A 10.0.0.9`]);
    expect(ask(ZONE, "NS", { server: null }).additionals).toEqual([]);
    expect(answers(`ns.${ZONE}`, "A", { server: null })).toEqual([]);
  });

  it("says no with the SOA record, with authority and without records", () => {
    for (const [name, type, rcode] of [
      ["n4", "A", "NXDOMAIN"],
      ["leader", "AAAA", "NOERROR"],
    ] as const) {
      const answer = ask(`${name}.${ZONE}`, type);
      expect(answer).toMatchObject({ rcode, authoritative: true, answers: [], additionals: [] });
      expect(told(answer.authorities)).toEqual([`${ZONE} SOA ns.${ZONE} hostmaster.${ZONE}`]);
    }
  });

  it("gives the target of an SRV record its addresses", () => {
    const { additionals } = ask(`_db._tcp.leader.${ZONE}`, "SRV");
    expect(told(additionals)).toEqual([`n1.${ZONE} A 10.0.0.1`]);
  });

  it.each([
    ["rollcall", {}],
    ["prod.rollcall", {}],
    ["", {}],
    ["leader.other.rollcall", {}],
    [`x${ZONE}`, {}],
    [`leader.${ZONE}`, { class: 3 }],
    [`leader.${ZONE}`, { class: 255 }],
    [ZONE, { type: TYPES.AXFR }],
    [ZONE, { type: TYPES.IXFR }],
  ])("refuses %j %j", (name, more) => {
    expect(ask(name, "A", {}, more)).toEqual({
      rcode: "REFUSED",
      authoritative: false,
      ...{ answers: [], authorities: [], additionals: [] },
    });
  });

  it("knows names in any case, and repeats them as they were written", () => {
    const answer = ask("LeaDer.Orders.prod.ROLLCALL", "A");
    expect(answer.answers).toEqual([{ name: "LeaDer.Orders.prod.ROLLCALL", type: "A", address: "10.0.0.1" }]);
  });

  it("answers ANY with one record and nothing beside it", () => {
    expect(answers(`leader.${ZONE}`, "ANY")).toEqual(["A 10.0.0.1"]);
    const answer = ask(`_db._tcp.leader.${ZONE}`, "ANY");
    expect(answer.answers.length + answer.additionals.length).toBe(1);
    expect(answers(`n4.${ZONE}`, "ANY")).toBe("NXDOMAIN");
  });

  it("has no records for a leader that nobody knows, and everybody as a replica", () => {
    for (const leader of [null, node("n1", null)]) {
      expect(answers(`leader.${ZONE}`, "A", { leader })).toEqual([]);
      expect(answers(`_db._tcp.leader.${ZONE}`, "SRV", { leader })).toEqual([]);
    }
    expect(answers(`replica.${ZONE}`, "A", { leader: null })).toEqual(["A 10.0.0.1", "A 10.0.0.2"]);
  });

  it("leaves out replicas that do not follow or whose database is not known", () => {
    const nodes = [node("n1", "10.0.0.1"), node("n2", null), node("n3", "10.0.0.3", false)];
    expect(answers(`replica.${ZONE}`, "A", { nodes })).toEqual([]);
    expect(answers(`n2.${ZONE}`, "A", { nodes })).toEqual([]);
    expect(answers(`n3.${ZONE}`, "A", { nodes })).toEqual(["A 10.0.0.3"]);
  });

  it("begins with another replica at each turn, and names a shared host once", () => {
    const nodes = ["2", "3", "4"].map((n) => node(`n${n}`, `10.0.0.${n}`));
    const firsts = [0, 1, 2, 3].map((turn) => {
      const { answers: found } = ask(`replica.${ZONE}`, "A", { nodes }, { turn });
      expect(found.length).toBe(3);
      return told(found, `replica.${ZONE}`)[0];
    });
    expect(firsts).toEqual(["A 10.0.0.2", "A 10.0.0.3", "A 10.0.0.4", "A 10.0.0.2"]);
    const shared = nodes.map(({ id }) => node(id, "10.0.0.2"));
    expect(answers(`replica.${ZONE}`, "A", { nodes: shared })).toEqual(["A 10.0.0.2"]);
  });

  it("gives an alias for a host name, and that host as the target of SRV", () => {
    const leader = node("n1", "db1.example.com");
    expect(answers(`leader.${ZONE}`, "A", { leader })).toEqual(["CNAME db1.example.com"]);
    expect(answers(`n1.${ZONE}`, "AAAA", { leader })).toEqual(["CNAME db1.example.com"]);
    expect(answers(`leader.${ZONE}`, "CNAME", { leader })).toEqual(["CNAME db1.example.com"]);
    expect(answers(`_db._tcp.leader.${ZONE}`, "SRV", { leader })).toEqual(["SRV 4001 db1.example.com"]);
    const named = [node("n2", "db2.example.com"), node("n3", "db3.example.com")];
    expect(answers(`replica.${ZONE}`, "A", { nodes: named })).toEqual(["CNAME db2.example.com"]);
    const mixed = [...named, node("n4", "10.0.0.4")];
    expect(answers(`replica.${ZONE}`, "A", { nodes: mixed })).toEqual(["A 10.0.0.4"]);
    expect(answers(`replica.${ZONE}`, "AAAA", { nodes: mixed })).toEqual([]);
  });

  it("names the leader where its record says, though the directory has it elsewhere", () => {
    const leader = node("n1", "10.0.0.7");
    expect(answers(`n1.${ZONE}`, "A", { leader })).toEqual(["A 10.0.0.7"]);
    expect(answers(`replica.${ZONE}`, "A", { leader })).toEqual(["A 10.0.0.2"]);
  });

  it.each(["n:1", "leader", ""])("gives SRV the leader's own name where the node id %j is none", (id) => {
    const leader = node(id, "10.0.0.1");
    const nodes = [{ ...leader, follows: true }, node("n2", "10.0.0.2")];
    expect(answers(`_db._tcp.leader.${ZONE}`, "SRV", { leader, nodes })).toEqual([`SRV 4001 leader.${ZONE}`]);
    expect(answers(`leader.${ZONE}`, "A", { leader, nodes })).toEqual(["A 10.0.0.1"]);
    expect(answers(`replica.${ZONE}`, "A", { leader, nodes })).toEqual(["A 10.0.0.2"]);
  });

  it("gives a name that two node ids share to nobody", () => {
    const nodes = [node("N2", "10.0.0.2"), node("n2", "10.0.0.3")];
    expect(answers(`n2.${ZONE}`, "A", { nodes })).toBe("NXDOMAIN");
    const leader = node("N2", "10.0.0.2");
    expect(answers(`_db._tcp.leader.${ZONE}`, "SRV", { leader, nodes })).toEqual([`SRV 4001 leader.${ZONE}`]);
  });

  it("has the names above a node id with dots", () => {
    const nodes = [node("db1.example.com", "10.0.0.1")];
    expect(answers(`db1.example.com.${ZONE}`, "A", { nodes })).toEqual(["A 10.0.0.1"]);
    expect(answers(`example.com.${ZONE}`, "A", { nodes })).toEqual([]);
    expect(answers(`ample.com.${ZONE}`, "A", { nodes })).toBe("NXDOMAIN");
  });
});
