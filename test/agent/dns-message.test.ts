/** What the agent makes of messages of DNS, byte by byte; whatever comes, it stays up and gives no more than it may. */
import { Packet } from "dns2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MOST_GAIN, MOST_QUESTION_BYTES, replyTo } from "../../src/agent/dns-message.ts";
import { type DnsFacts, dnsAnswer } from "../../src/core/dns-answer.ts";

const ZONE = "orders.prod.rollcall";
const node = (id: string, host: string) => ({ id, address: { host, port: 4001 }, follows: true });
const factsOf = (replicas: number, host = (n: number) => `10.0.${n >> 8}.${n & 255}`): DnsFacts => ({
  zone: ZONE,
  server: null,
  leader: node("n1", "10.1.0.1"),
  nodes: Array.from({ length: replicas }, (_, n) => node(`r${n}`, host(n))),
});

type Asked = {
  readonly name?: string;
  readonly type?: number;
  readonly edns?: { readonly bytes: number; readonly version?: number };
  readonly header?: Record<string, number>;
};

function questionOf({
  name = `leader.${ZONE}`,
  type = Packet.TYPE.A,
  edns,
  header = {},
}: Asked = {}): Buffer {
  const packet = new Packet(new Packet.Header({ id: 4_711, rd: 1, ...header }));
  packet.questions.push(new Packet.Question(name, type, Packet.CLASS.IN));
  if (edns !== undefined) {
    const { bytes, version = 0 } = edns;
    packet.additionals.push(Packet.Resource.EDNS([], { udpPayloadSize: bytes, version }));
  }
  return packet.toBuffer();
}

const reply = (request: Buffer, via: "udp" | "tcp" = "udp", facts = factsOf(2)) =>
  replyTo(request, via, (question) => dnsAnswer(question, facts));

function read(request: Buffer, via: "udp" | "tcp" = "udp", facts = factsOf(2)) {
  const bytes = reply(request, via, facts);
  if (bytes === null) return expect.unreachable("no answer");
  const packet = Packet.parse(bytes);
  expect(packet.errors).toEqual([]);
  return packet;
}

describe("replyTo", () => {
  it("repeats id and question, and says that it speaks with authority and does not recurse", () => {
    const name = `LEADER.Orders.prod.rollcall`;
    const { header, questions, answers } = read(questionOf({ name }));
    expect(header).toMatchObject({ id: 4_711, qr: 1, opcode: 0, aa: 1, tc: 0, rd: 1, ra: 0, rcode: 0 });
    expect(questions).toEqual([{ name, type: 1, class: 1 }]);
    expect(answers).toMatchObject([{ name, type: 1, class: 1, ttl: 1, address: "10.1.0.1" }]);
  });

  it("writes every kind of record as a reader expects it", () => {
    const service = read(questionOf({ name: `_db._tcp.leader.${ZONE}`, type: Packet.TYPE.SRV }));
    expect(service.answers).toMatchObject([
      { priority: 0, weight: 0, port: 4001, target: `n1.${ZONE}`, ttl: 1 },
    ]);
    expect(service.additionals).toMatchObject([{ name: `n1.${ZONE}`, address: "10.1.0.1", ttl: 1 }]);
    const soa = { primary: `ns.${ZONE}`, admin: `hostmaster.${ZONE}`, minimum: 1, ttl: 1 };
    expect(read(questionOf({ name: ZONE, type: Packet.TYPE.SOA })).answers).toMatchObject([soa]);
    expect(read(questionOf({ name: ZONE, type: Packet.TYPE.NS })).answers).toMatchObject([
      { ns: `ns.${ZONE}` },
    ]);
    const gone = read(questionOf({ name: `gone.${ZONE}` }));
    expect(gone.header.rcode).toBe(Packet.RCODE.NXDOMAIN);
    expect(gone.authorities).toMatchObject([{ name: ZONE, ...soa }]);
    const alias = read(
      questionOf({ name: `r0.${ZONE}` }),
      "udp",
      factsOf(1, () => "db.example.com"),
    );
    expect(alias.answers).toMatchObject([{ domain: "db.example.com" }]);
    const wide = read(
      questionOf({ name: `r0.${ZONE}`, type: 28 }),
      "udp",
      factsOf(1, () => "fd00::1:0:0:3"),
    );
    expect(wide.answers).toMatchObject([{ address: "fd00::1:0:0:3" }]);
  });

  it("compresses no name in the data of an SRV record", () => {
    const request = questionOf({ name: `_db._tcp.leader.${ZONE}`, type: Packet.TYPE.SRV });
    expect(reply(request)?.includes(Packet.Name.encode(`n1.${ZONE}`))).toBe(true);
  });

  it.each([
    ["another opcode", questionOf({ header: { opcode: 4 } }), Packet.RCODE.NOTIMP],
    ["an update", questionOf({ header: { opcode: 5 } }), Packet.RCODE.NOTIMP],
    ["no question", new Packet(new Packet.Header({ id: 4_711 })).toBuffer(), Packet.RCODE.FORMERR],
    ["two questions", twice(), Packet.RCODE.FORMERR],
    ["a pointer to itself", looped(), Packet.RCODE.FORMERR],
    ["a dot inside a label", dotted(), Packet.RCODE.FORMERR],
    ["half a name", questionOf().subarray(0, 20), Packet.RCODE.FORMERR],
    ["an OPT record cut short", questionOf({ edns: { bytes: 1_232 } }).subarray(0, -3), Packet.RCODE.FORMERR],
    ["more bytes than a question has", padded(), Packet.RCODE.FORMERR],
  ])("answers %s with a code and nothing else", (_what, request, rcode) => {
    const bytes = reply(request);
    expect(bytes?.length).toBe(12);
    const { header } = Packet.parse(bytes ?? Buffer.alloc(0));
    expect(header).toMatchObject({ id: 4_711, qr: 1, rcode, qdcount: 0, ancount: 0, nscount: 0, arcount: 0 });
  });

  it("says nothing to an answer, and to what is too short for one", () => {
    expect(reply(questionOf({ header: { qr: 1 } }))).toBe(null);
    expect(reply(questionOf().subarray(0, 11))).toBe(null);
    expect(reply(Buffer.alloc(0))).toBe(null);
  });

  it("refuses names outside the zone, with the question and no authority", () => {
    for (const name of ["example.com", "rollcall", ""]) {
      const { header, questions, answers } = read(questionOf({ name }));
      expect(header).toMatchObject({ rcode: Packet.RCODE.REFUSED, aa: 0 });
      expect([questions.length, answers.length]).toEqual([1, 0]);
    }
  });

  it("answers EDNS with EDNS, and any other version than 0 with BADVERS", () => {
    expect(read(questionOf()).additionals).toEqual([]);
    const plain = read(questionOf({ edns: { bytes: 4_096 } }));
    expect(plain.additionals).toMatchObject([{ type: Packet.TYPE.EDNS, class: 1_232, version: 0 }]);
    expect(plain.answers.length).toBe(1);
    const newer = read(questionOf({ edns: { bytes: 4_096, version: 1 } }));
    expect(newer.header.rcode).toBe(Packet.RCODE.BADVERS);
    expect(newer.answers).toEqual([]);
  });

  it("gives over TCP what is too long for UDP, where it says so", () => {
    const request = questionOf({ name: `replica.${ZONE}`, edns: { bytes: 65_535 } });
    const short = read(request, "udp", factsOf(64));
    expect(short.header).toMatchObject({ tc: 1, rcode: 0, aa: 1 });
    expect([short.answers.length, short.questions.length]).toEqual([0, 1]);
    expect(read(request, "tcp", factsOf(64)).answers.length).toBe(64);
    expect(read(request, "udp", factsOf(4)).answers.length).toBe(4);
  });

  it("never gives UDP more than 512 bytes, 1232 with EDNS, or five times the question", () => {
    const names = ["", "leader.", "replica.", "_db._tcp.leader.", "r1.", "gone.", "ns."].map((n) => n + ZONE);
    const asked = fc.record({
      name: fc.constantFrom(...names, "example.com", ""),
      type: fc.constantFrom(1, 2, 5, 6, 16, 28, 33, 252, 255),
      edns: fc.option(fc.record({ bytes: fc.integer({ min: 1, max: 65_535 }) }), { nil: undefined }),
    });
    const host = fc.constantFrom(
      (n: number) => `10.0.0.${n}`,
      (n: number) => `fd00::${n.toString(16)}`,
      () => `${"x".repeat(60)}.${"y".repeat(60)}.${"z".repeat(60)}.example.com`,
    );
    fc.assert(
      fc.property(asked, fc.integer({ min: 0, max: 70 }), host, ({ edns, ...rest }, replicas, hosts) => {
        const request = questionOf({ ...rest, ...(edns === undefined ? {} : { edns }) });
        const bytes = reply(request, "udp", { ...factsOf(replicas, hosts), leader: node("n1", hosts(1)) });
        const most = edns === undefined ? 512 : Math.min(1_232, Math.max(512, edns.bytes));
        expect(bytes?.length).toBeLessThanOrEqual(Math.min(most, MOST_GAIN * request.length));
        expect(Packet.parse(bytes ?? Buffer.alloc(0)).errors).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("stays up and bounded whatever bytes come, and answers no more than what may be a question", () => {
    const valid = fc.constantFrom(
      questionOf(),
      questionOf({ name: `_db._tcp.leader.${ZONE}`, type: 33, edns: { bytes: 1_232 } }),
      twice(),
      looped(),
    );
    const flipped = fc.tuple(
      valid,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 6 }),
    );
    const damaged = fc.oneof(
      fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
      flipped.map(([bytes, flips]) => {
        const copy = Buffer.from(bytes);
        for (const [at, bits] of flips) copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ bits;
        return copy;
      }),
      fc.tuple(valid, fc.nat()).map(([bytes, end]) => bytes.subarray(0, end % bytes.length)),
      // A question's head before a body of pointers, lengths and letters.
      fc
        .array(fc.constantFrom(0xc0, 0x0c, 0x0d, 0x00, 0x01, 0x3f, 0x41, 0xff), { maxLength: 500 })
        .map((body) => Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, ...body])),
    );
    fc.assert(
      fc.property(damaged, fc.constantFrom("udp" as const, "tcp" as const), (request, via) => {
        const bytes = reply(request, via, factsOf(64));
        const isQuestion = request.length >= 12 && ((request[2] ?? 0) & 0x80) === 0;
        expect(bytes !== null).toBe(isQuestion);
        if (bytes === null) return;
        expect(bytes.readUInt16BE(0)).toBe(request.readUInt16BE(0));
        expect((bytes[2] ?? 0) & 0x80).toBe(0x80);
        if (via === "udp") expect(bytes.length).toBeLessThanOrEqual(MOST_GAIN * request.length);
        expect(Packet.parse(bytes).errors).toEqual([]);
      }),
      { numRuns: 3_000 },
    );
  });
});

function twice(): Buffer {
  const packet = new Packet(new Packet.Header({ id: 4_711 }));
  for (const name of [`leader.${ZONE}`, `replica.${ZONE}`])
    packet.questions.push(new Packet.Question(name, Packet.TYPE.A, Packet.CLASS.IN));
  return packet.toBuffer();
}

/** A name that is a pointer to itself, and another that goes round by a second one. */
function looped(): Buffer {
  const head = questionOf().subarray(0, 12);
  return Buffer.concat([head, Buffer.from([0xc0, 0x0e, 0xc0, 0x0c, 0, 1, 0, 1])]);
}

function dotted(): Buffer {
  const request = questionOf();
  // `leader.orders` as one label of 13 letters.
  request[12] = 13;
  request[19] = 0x2e;
  return request;
}

function padded(): Buffer {
  return Buffer.concat([questionOf(), Buffer.alloc(MOST_QUESTION_BYTES)]);
}
