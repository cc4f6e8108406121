/** Free ports on 127.0.0.1, in one block and below those that systems give to outgoing connections. */
import { createServer } from "node:net";
import { codeOf, RollcallError } from "../../src/lib/errors.ts";

/** How many ports a block has; `port(n)` is for n below that. */
const BLOCK = 20;
const FIRST = 20_000;
const BLOCKS = 500;

/** The n-th port of a block whose ports were all free a moment ago. */
export type Ports = (n: number) => number;

/** Looks for a block, beginning at one that depends on `seed`, so that demos side by side seldom meet. Throws `no_ports`. */
export async function freePorts(seed: number): Promise<Ports> {
  for (let n = 0; n < BLOCKS; n += 1) {
    const base = FIRST + ((seed + n) % BLOCKS) * BLOCK;
    const ports = Array.from({ length: BLOCK }, (_, i) => base + i);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return (i) => base + i;
  }
  throw new RollcallError("no_ports", `no ${BLOCK} free ports in a row on 127.0.0.1`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error) => (codeOf(error) === "EADDRINUSE" ? resolve(false) : reject(error)));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
