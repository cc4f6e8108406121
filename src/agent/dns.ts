/** The agent's DNS: one UDP and one TCP socket at one address, what each may cost, and their end. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { AgentConfig } from "../config.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { type DnsAnswer, type DnsQuestion, dnsAnswer } from "../core/dns-answer.ts";
import { zoneOf } from "../core/dns-names.ts";
import type { Clock } from "../lib/clock.ts";
import { codeOf, RollcallError, reason } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { type DnsView, dnsFacts, serverOf } from "./dns-facts.ts";
import { MOST_QUESTION_BYTES, replyTo } from "./dns-message.ts";

export type DnsOptions = {
  readonly addr: Address;
  /** May throw: then the question gets no answer. */
  readonly answer: (question: DnsQuestion) => DnsAnswer;
  readonly log: Log;
  readonly clock: Clock;
};

export type DnsListening = {
  /** Of both sockets. */
  readonly port: number;
  /** Closes both sockets and every connection at once. Safe twice. */
  close(): Promise<void>;
};

const MOST_CONNECTIONS = 64;
/** A connection must finish a question this often, in milliseconds; a byte now and then does not keep it. */
const IDLE_MS = 10_000;
/** Questions in one piece of a TCP stream; bytes of answers that a client has not read. */
const MOST_PIPELINED = 64;
const MOST_UNREAD_BYTES = 64 * 1_024;
/** UDP answers that the system has not taken yet. */
const MOST_UNSENT = 256;
/** Ports of services that answer whatever comes; a forged question from one would go back and forth. */
const ECHOING_PORTS = [0, 7, 13, 17, 19, 37];

/** The agent's DNS over what its pages show. Throws `listen`. */
export async function serveDns(
  config: Pick<AgentConfig, "disco" | "httpAdvAddr">,
  addr: Address,
  view: DnsView,
  { log, clock }: { readonly log: Log; readonly clock: Clock },
): Promise<DnsListening> {
  const zone = zoneOf(config.disco.key);
  if (!zone.ok) log.warn({ key: config.disco.key }, `-dns-addr: the key ${zone.problem}; nothing is served`);
  const { address: bound } = await resolved(addr);
  const server = serverOf(bound, config);
  // Without a zone of its own every name is another's; no name ends in a dot.
  const name = zone.ok ? zone.name : ".";
  const listening = await openDns({
    addr,
    answer: (question) => dnsAnswer(question, dnsFacts(name, server, view)),
    ...{ log, clock },
  });
  log.info({ addr: formatAddress({ ...addr, port: listening.port }), zone: name }, "answering DNS");
  return listening;
}

/** Listens. Throws `listen` in one line when the address cannot be had on either protocol. */
export async function openDns(options: DnsOptions): Promise<DnsListening> {
  const { addr, log } = options;
  const { address, family } = await resolved(addr);
  const reply = (request: Buffer, via: "udp" | "tcp"): Buffer | null => {
    try {
      return replyTo(request, via, options.answer);
    } catch (error) {
      log.error({ error: reason(error) }, "could not answer a question");
      return null;
    }
  };
  const connections = new Set<Socket>();
  const tcp = createServer((socket) => serveConnection(socket, connections, reply, options.clock));
  tcp.maxConnections = MOST_CONNECTIONS;
  await listenTcp(tcp, addr, address);
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket(family === 6 ? "udp6" : "udp4");
  try {
    await bindUdp(udp, { ...addr, port }, address);
  } catch (error) {
    await closed(tcp, connections);
    throw error;
  }
  // What cannot be taken or sent is its sender's to repeat.
  tcp.on("error", () => {});
  udp.on("error", () => {});
  udp.on("message", (request, from) => {
    if (ECHOING_PORTS.includes(from.port) || udp.getSendQueueCount() > MOST_UNSENT) return;
    const answer = reply(request, "udp");
    if (answer !== null) udp.send(answer, from.port, from.address, () => {});
  });
  let closing: Promise<unknown> | null = null;
  return {
    port,
    async close() {
      closing ??= Promise.all([
        new Promise<void>((resolve) => udp.close(() => resolve())),
        closed(tcp, connections),
      ]);
      await closing;
    },
  };
}

/** Messages on a stream have their length before them, in two bytes (RFC 1035 §4.2.2). */
function serveConnection(
  socket: Socket,
  connections: Set<Socket>,
  reply: (request: Buffer, via: "tcp") => Buffer | null,
  clock: Clock,
): void {
  let pending: Buffer = Buffer.alloc(0);
  const limit = () => clock.after(IDLE_MS, () => socket.destroy());
  let cancel = limit();
  connections.add(socket);
  socket.once("close", () => {
    cancel();
    connections.delete(socket);
  });
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let taken = 0; pending.length >= 2; taken++) {
      const length = pending.readUInt16BE(0);
      if (length > MOST_QUESTION_BYTES || taken === MOST_PIPELINED) return void socket.destroy();
      if (pending.length < 2 + length) return;
      const answer = reply(pending.subarray(2, 2 + length), "tcp");
      pending = pending.subarray(2 + length);
      if (answer === null || socket.writableLength > MOST_UNREAD_BYTES) return void socket.destroy();
      const size = Buffer.alloc(2);
      size.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([size, answer]));
      cancel();
      cancel = limit();
    }
  });
}

/** Both sockets must be at one address, which a name might not be twice. */
async function resolved(addr: Address): Promise<{ readonly address: string; readonly family: number }> {
  try {
    return await lookup(addr.host);
  } catch (error) {
    throw refusal(addr, error);
  }
}

function listenTcp(tcp: Server, addr: Address, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    tcp.once("error", (error) => reject(refusal(addr, error, " with TCP")));
    tcp.listen(addr.port, host, () => {
      tcp.removeAllListeners("error");
      resolve();
    });
  });
}

function bindUdp(udp: UdpSocket, addr: Address, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    udp.once("error", (error) => {
      udp.close();
      reject(refusal(addr, error, " with UDP"));
    });
    udp.bind(addr.port, host, () => {
      udp.removeAllListeners("error");
      resolve();
    });
  });
}

function closed(tcp: Server, connections: ReadonlySet<Socket>): Promise<void> {
  const done = new Promise<void>((resolve) => tcp.close(() => resolve()));
  for (const socket of connections) socket.destroy();
  return done;
}

function refusal(addr: Address, cause: unknown, how = ""): RollcallError {
  const low = codeOf(cause) === "EACCES" && addr.port < 1_024;
  return new RollcallError(
    "listen",
    `-dns-addr: cannot listen on ${formatAddress(addr)}${how}: ${reason(cause)}`,
    { cause, hint: low ? "a port below 1024 needs CAP_NET_BIND_SERVICE; any other port will do" : null },
  );
}
