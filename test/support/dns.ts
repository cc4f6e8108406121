/** Asking a server of DNS byte by byte, as a client that behaves, or does not. */
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { createConnection, type Socket } from "node:net";
import { Packet } from "dns2";
import { formatAddress } from "../../src/core/address.ts";

/** Where a server answers. */
export type DnsPlace = { readonly address: string; readonly port: number };

/** The bytes of one question. */
export function questionBytes(name: string, type: number = Packet.TYPE.A, id = 1): Buffer {
  const packet = new Packet(new Packet.Header({ id }));
  packet.questions.push(new Packet.Question(name, type, Packet.CLASS.IN));
  return packet.toBuffer();
}

/** A UDP socket that sends to one server and gives the next message that comes back. Whoever opens it closes it. */
export function openUdp({ address, port }: DnsPlace) {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  return {
    send: (bytes: Buffer) =>
      new Promise<void>((resolve, reject) =>
        socket.send(bytes, port, address, (error) => (error ? reject(error) : resolve())),
      ),
    next: () => new Promise<Buffer>((resolve) => socket.once("message", resolve)),
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
}

/** One message over UDP, and its answer. Waits for ever where there is none. */
export async function askUdp(place: DnsPlace, bytes: Buffer): Promise<Buffer> {
  const socket = openUdp(place);
  try {
    const next = socket.next();
    await socket.send(bytes);
    return await next;
  } finally {
    await socket.close();
  }
}

/** A message with its length before it, as on a stream. */
export function framed(bytes: Buffer): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

/** A connection to a server, connected. What goes wrong with it later is only its end. */
export async function connectTcp({ address, port }: DnsPlace): Promise<Socket> {
  const socket = createConnection(port, address);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  return socket;
}

/** The next `count` messages of a connection. Throws when it ends before. */
export function messages(socket: Socket, count: number): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const got: Buffer[] = [];
    let pending = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        got.push(pending.subarray(2, end));
        pending = pending.subarray(end);
      }
      if (got.length < count) return;
      socket.off("data", take);
      resolve(got);
    };
    socket.on("data", take);
    socket.once("close", () => reject(new Error(`closed after ${got.length} of ${count} messages`)));
  });
}

/** Messages over one connection, all sent at once, and as many answers. */
export async function askTcp(place: DnsPlace, ...requests: readonly Buffer[]): Promise<Buffer[]> {
  const socket = await connectTcp(place);
  try {
    const answers = messages(socket, requests.length);
    socket.write(Buffer.concat(requests.map(framed)));
    return await answers;
  } finally {
    socket.destroy();
  }
}

/** The resolver that programs on Node use, at one server. */
export function resolverAt({ address, port }: DnsPlace): Resolver {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  resolver.setServers([formatAddress({ host: address, port })]);
  return resolver;
}
