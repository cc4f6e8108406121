/** Addresses and ports on this machine that no other test uses. */
import { createServer } from "node:net";
import { threadId } from "node:worker_threads";
import { codeOf } from "../../src/lib/errors.ts";

/** One address with some named ports on it. */
export type Place<Names extends string> = {
  readonly address: string;
  readonly ports: Readonly<Record<Names, number>>;
};

// Module state on purpose: addresses must differ between the servers of one process.
let taken = 0;

/**
 * The next loopback address, different for every call and, nearly always, for every process. Systems that know only 127.0.0.1 get that.
 */
export async function loopbackAddress(): Promise<string> {
  taken += 1;
  // 64 places for a thread of a process; far from 127.0.0.x, where people run their own servers.
  const n = (process.pid * 64 + threadId * 16 + taken) % (250 * 256 * 256);
  const address = `127.${1 + (n >>> 16)}.${(n >>> 8) & 255}.${1 + ((n & 255) % 254)}`;
  try {
    await freePort(address);
    return address;
  } catch (error) {
    if (codeOf(error) === "EADDRNOTAVAIL") return "127.0.0.1";
    throw error;
  }
}

/** One free port on the address for each name. */
export async function freePlace<Names extends string>(
  address: string,
  names: readonly Names[],
): Promise<Place<Names>> {
  const ports = await Promise.all(names.map(async (name) => [name, await freePort(address)] as const));
  return { address, ports: Object.fromEntries(ports) as Record<Names, number> };
}

/** One place on a network: where one agent listens. */
export type Spot = { readonly address: string; readonly port: number };

const ATTEMPTS = 10;

/**
 * So many addresses, and one port that is free on all of them: DNS names no ports without SRV records. Where the
 * system knows one loopback address only, each has a port of its own.
 */
export async function freeSpots(count: number): Promise<readonly Spot[]> {
  const addresses = await Promise.all(Array.from({ length: count }, loopbackAddress));
  const alone = new Set(addresses).size < count;
  if (alone)
    return Promise.all(addresses.map(async (address) => ({ address, port: await freePort(address) })));
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort(addresses[0] ?? "127.0.0.1");
    try {
      const held = await Promise.all(addresses.map((address) => listen(address, port)));
      await Promise.all(held.map((one) => one.close()));
      return addresses.map((address) => ({ address, port }));
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE" || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Ports to give away: above those of well-known servers, below those that systems give to outgoing connections. */
const FIRST = 10_000;
const COUNT = 22_000;

// Two processes seldom have the same addresses; where there is one only, each begins far from the other.
let next = (process.pid * 641 + threadId * 211) % COUNT;

/**
 * A free port on an address. It is free now; who gets it need not take it at once, since none is given twice. The
 * system's own choice would be one of those that it gives to anybody, the same one again too.
 */
export async function freePort(address: string): Promise<number> {
  for (let left = COUNT; ; left -= 1) {
    const port = FIRST + next;
    next = (next + 1) % COUNT;
    try {
      await (await listen(address, port)).close();
      return port;
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE" || left === 1) throw error;
    }
  }
}

async function listen(address: string, port: number): Promise<{ close(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  });
  return { close: () => new Promise((resolve) => server.close(() => resolve())) };
}
