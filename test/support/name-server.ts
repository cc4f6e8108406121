/** A name server that answers what a test says, for the answers that a real one does not give. */

import type { Socket } from "node:net";
import DNS from "dns2";
import { formatAddress } from "../../src/core/address.ts";
import { freePort, loopbackAddress } from "./loopback.ts";

/** An answer: records of the asked type, a code instead, or nothing at all. */
export type Reply =
  | { readonly addresses: readonly string[]; readonly ttl?: number }
  | { readonly targets: readonly { readonly target: string; readonly port: number }[] }
  | "NODATA"
  | "NXDOMAIN"
  | "SERVFAIL"
  | "REFUSED"
  | "NOTIMP"
  | "silence";

/** One running server. */
export type NameServer = {
  /** As `resolvers` has it. */
  readonly endpoint: string;
  /** The questions so far, as in `udp A n1.example`. */
  readonly asked: readonly string[];
  /** Those of them that were answered: the answer has left, and who asked from this machine can read it. */
  readonly answered: readonly string[];
  /** Answers by question, as in `A n1.example`. What is not there is NXDOMAIN. */
  zone: Readonly<Record<string, Reply>>;
  /** Forgets the questions so far. */
  forget(): void;
  close(): Promise<void>;
};

/**
 * Starts a server on UDP and TCP; what is over 512 bytes is cut off over UDP. `address`: the loopback address to use,
 * ::1 too, instead of a fresh one; `port`: instead of a free one.
 */
export async function startNameServer(
  zone: NameServer["zone"],
  where: { readonly address?: string; readonly port?: number } = {},
): Promise<NameServer> {
  const host = where.address ?? (await loopbackAddress());
  const port = where.port ?? (await freePort(host));
  const asked: string[] = [];
  const answered: string[] = [];
  const own = { endpoint: formatAddress({ host, port }), asked, answered, zone };
  const connections = new Set<Socket>();
  const server = DNS.createServer({
    udp: { type: host.includes(":") ? "udp6" : "udp4" },
    tcp: true,
    handle(request, send, client) {
      const tcp = "destroy" in client;
      if (tcp) connections.add(client as Socket);
      const [question] = request.questions;
      if (question === undefined) return;
      const type = DNS.Packet.typeName(question.type);
      const text = `${tcp ? "tcp" : "udp"} ${type} ${question.name}`;
      asked.push(text);
      const response = responseTo(request, own.zone[`${type} ${question.name}`] ?? "NXDOMAIN");
      if (response === null) return;
      // A client that has gone away wants no answer.
      send(response).then(
        () => answered.push(text),
        () => {},
      );
    },
  });
  await server.listen({ udp: { port, address: host }, tcp: { port, address: host } });
  return Object.assign(own, {
    forget() {
      asked.length = 0;
      answered.length = 0;
    },
    async close() {
      const closed = server.close();
      for (const connection of connections) connection.destroy();
      await closed;
    },
  });
}

function responseTo(request: DNS.Packet, reply: Reply): DNS.Packet | null {
  if (reply === "silence") return null;
  const response = DNS.Packet.createResponseFromRequest(request);
  const [question] = request.questions;
  if (question === undefined || reply === "NODATA") return response;
  if (typeof reply === "string") {
    response.header.rcode = DNS.Packet.RCODE[reply];
    return response;
  }
  const { name, type } = question;
  const base = { name, type, class: 1, ttl: 60 };
  const records: Partial<DNS.Packet.Resource>[] =
    "addresses" in reply
      ? reply.addresses.map((address) => ({ ...base, ttl: reply.ttl ?? 60, address }))
      : reply.targets.map(({ target, port }) => ({ ...base, priority: 0, weight: 0, port, target }));
  response.answers.push(...(records as DNS.Packet.Resource[]));
  response.toBuffer = () => plain(response);
  return response;
}

// dns2 compresses the targets of SRV records too, which RFC 2782 forbids and c-ares refuses: nothing is, here.
function plain({ header, questions, answers }: DNS.Packet): Buffer {
  const writer = new DNS.Packet.Writer();
  new DNS.Packet.Header({ ...header, qdcount: questions.length, ancount: answers.length }).toBuffer(writer);
  for (const question of questions) DNS.Packet.Question.encode(question, writer);
  for (const answer of answers) DNS.Packet.Resource.encode(answer, writer);
  return writer.toBuffer();
}
