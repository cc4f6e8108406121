/**
 * Messages of DNS: from the bytes of a question to the bytes of its answer. dns2's `Packet` reads and writes them;
 * what it leaves open is decided here: what is answered at all, and how long an answer may be.
 */
import type Dns from "dns2";
import { Packet } from "dns2";
import { DNS_TTL_S, type DnsAnswer, type DnsQuestion, type DnsRecord } from "../core/dns-answer.ts";

/** Bytes of a question at most: one name, one OPT record with a cookie and padding. Bounds what reading can cost. */
export const MOST_QUESTION_BYTES = 512;
/** A UDP answer without EDNS (RFC 1035 §4.2.1), and with it whatever the client offers (RFC 9715). */
const PLAIN_UDP_BYTES = 512;
const MOST_UDP_BYTES = 1_232;
/** A UDP answer has at most so many times the bytes of its question, because the sender's address may be forged. */
export const MOST_GAIN = 5;
const MOST_EXTRA_RECORDS = 4;

const { TYPE, RCODE, HEADER_SIZE } = Packet;
const RESPONSE = 0x80;
const OPCODE = 0x78;
const RECURSION_DESIRED = 0x01;

type Edns = { readonly bytes: number; readonly version: number };
type Asked = {
  readonly header: Dns.Packet.Header;
  readonly question: Dns.Packet.Question;
  readonly edns: Edns | null;
};
type Reply = Omit<DnsAnswer, "rcode"> & { readonly rcode: number; readonly truncated: boolean };

/**
 * The answer's bytes; null where none may be given: the message is too short to have an id, or is an answer
 * itself, so that two servers never talk to each other. Never throws for what `request` holds.
 */
export function replyTo(
  request: Buffer,
  via: "udp" | "tcp",
  answer: (question: DnsQuestion) => DnsAnswer,
): Buffer | null {
  const flags = request[2] ?? RESPONSE;
  if (request.length < HEADER_SIZE || (flags & RESPONSE) !== 0) return null;
  if ((flags & OPCODE) !== 0) return bare(request, RCODE.NOTIMP);
  const asked = read(request);
  if (asked === null) return bare(request, RCODE.FORMERR);
  const { header, question, edns } = asked;
  const most = via === "tcp" ? 0xffff : Math.min(offered(edns), request.length * MOST_GAIN);
  // No version of EDNS but 0 exists (RFC 6891 §6.1.3).
  if (edns !== null && edns.version > 0) return write(asked, empty(RCODE.BADVERS, false));
  const { name, type, class: klass } = question;
  const said = answer({ name, type, class: klass, turn: header.id });
  const whole = write(asked, { ...said, rcode: RCODE[said.rcode], truncated: false });
  return whole.length <= most ? whole : write(asked, { ...empty(RCODE.NOERROR, true), authoritative: true });
}

/** A plain question of ours to answer; null: malformed, or with more in it than a question has. */
function read(request: Buffer): Asked | null {
  const [questions, answers, authorities, extras] = [4, 6, 8, 10].map((at) => request.readUInt16BE(at));
  if (request.length > MOST_QUESTION_BYTES || questions !== 1 || answers !== 0 || authorities !== 0)
    return null;
  if ((extras ?? 0) > MOST_EXTRA_RECORDS) return null;
  try {
    const { header, questions, additionals, errors } = Packet.parse(request);
    const [question] = questions;
    if (question === undefined || errors.length > 0) return null;
    // A dot inside a label, or a pointer: the question could not be repeated as it came, as an answer must.
    const name = Packet.Name.encode(question.name);
    if (!name.equals(request.subarray(HEADER_SIZE, HEADER_SIZE + name.length))) return null;
    const options = additionals.filter(({ type }) => type === TYPE.EDNS);
    const [option] = options;
    if (options.length > 1) return null;
    return {
      header,
      question,
      edns: option === undefined ? null : { bytes: option.class, version: option.version ?? 0 },
    };
  } catch {
    return null; // What dns2 throws is about the sender's bytes; the sender is told by the code.
  }
}

function offered(edns: Edns | null): number {
  return edns === null ? PLAIN_UDP_BYTES : Math.min(MOST_UDP_BYTES, Math.max(PLAIN_UDP_BYTES, edns.bytes));
}

function empty(rcode: number, truncated: boolean): Reply {
  return { rcode, truncated, authoritative: false, answers: [], authorities: [], additionals: [] };
}

/** A header alone, for a question that could not be read. */
function bare(request: Buffer, rcode: number): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  request.copy(header, 0, 0, 2);
  header[2] = RESPONSE | ((request[2] ?? 0) & (OPCODE | RECURSION_DESIRED));
  header[3] = rcode;
  return header;
}

function write({ header, question, edns }: Asked, reply: Reply): Buffer {
  const additionals = reply.additionals.map(resource);
  if (edns !== null) {
    additionals.push(
      Packet.Resource.EDNS([], { extendedRcode: reply.rcode >> 4, udpPayloadSize: MOST_UDP_BYTES }),
    );
  }
  const records = [...reply.answers.map(resource), ...reply.authorities.map(resource), ...additionals];
  const names = new Map<string, number>();
  const writer: Dns.Packet.Writer & { names?: Map<string, number> | undefined } = new Packet.Writer();
  new Packet.Header({
    ...{ id: header.id, qr: 1, rd: header.rd, rcode: reply.rcode & 0xf, qdcount: 1 },
    aa: reply.authoritative ? 1 : 0,
    tc: reply.truncated ? 1 : 0,
    ...{ ancount: reply.answers.length, nscount: reply.authorities.length, arcount: additionals.length },
  }).toBuffer(writer);
  writer.names = names;
  Packet.Question.encode(question, writer);
  for (const record of records) {
    // The target of an SRV record must not be compressed (RFC 2782): Go's resolver refused it for years.
    writer.names = record.type === TYPE.SRV ? undefined : names;
    Packet.Resource.encode(record, writer);
  }
  return writer.toBuffer();
}

/** A record as dns2 writes it. */
function resource(record: DnsRecord): Dns.Packet.Resource {
  const fields = { name: record.name, type: TYPE[record.type], class: Packet.CLASS.IN, ttl: DNS_TTL_S };
  switch (record.type) {
    case "A":
    case "AAAA":
      return new Packet.Resource({ ...fields, address: record.address });
    case "CNAME":
      return new Packet.Resource({ ...fields, domain: record.target });
    case "NS":
      return new Packet.Resource({ ...fields, ns: record.target });
    case "SRV": {
      const { port, target } = record;
      return new Packet.Resource({ ...fields, priority: 0, weight: 0, port, target });
    }
    case "SOA": {
      // Nobody copies the zone, so that serial and times mean nothing; `minimum` is how long a "no" may be kept.
      const times = { serial: 1, refresh: 60, retry: 60, expiration: 3_600, minimum: DNS_TTL_S };
      return new Packet.Resource({ ...fields, primary: record.server, admin: record.mailbox, ...times });
    }
    default:
      return record satisfies never;
  }
}
