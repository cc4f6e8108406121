/** Addresses and ports on this machine that no other test uses. */
import { createServer } from "node:net";
import { threadId } from "node:worker_threads";
import { codeOf, RollcallError } from "../../src/lib/errors.ts";

/** One address with some named ports on it. */
export type Place<Names extends string> = {
  readonly address: string;
  readonly ports: Readonly<Record<Names, number>>;
};

// Module state on purpose: addresses must differ between the servers of one process.
let taken = 0;

/**
 * The next loopback address, different for every call and, nearly always, for every process (the ports are
 * free ones anyway). Systems that know only 127.0.0.1 get that.
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

/** One free port on the address for each name. The ports are free now; another may still take them. */
export async function freePlace<Names extends string>(
  address: string,
  names: readonly Names[],
): Promise<Place<Names>> {
  const held = await Promise.all(names.map(() => listen(address)));
  const ports = Object.fromEntries(names.map((name, i) => [name, held[i]?.port ?? 0])) as Record<
    Names,
    number
  >;
  await Promise.all(held.map((one) => one.close()));
  return { address, ports };
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

/** A free port on an address. */
export async function freePort(address: string): Promise<number> {
  const held = await listen(address);
  await held.close();
  return held.port;
}

async function listen(address: string, port = 0): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new RollcallError("listen", `listen on ${address}`);
  return {
    port: bound.port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
