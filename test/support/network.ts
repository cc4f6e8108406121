/**
 * A network of the kernel's own for tests: hosts, each a namespace, at one switch, which is another, and packets that are
 * lost between them on demand. Each namespace lives as long as the process that holds it, which dies with this one: so
 * nothing is left, also when this process is killed. Needs root, `ip`, `unshare` and `nsenter`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Inside, type Process, run } from "./processes.ts";
import { hold } from "./root.ts";
import { tempDir } from "./temp.ts";

/** One host. */
export type Host = {
  readonly address: string;
  /** As a process started there has it. */
  readonly inside: Inside;
  /** What it sends there is lost from now on, unnoticed, on open connections too; what comes from there arrives. */
  cut(address: string): Promise<void>;
  /** It is delivered again. */
  heal(address: string): Promise<void>;
};

export type Network = {
  readonly hosts: readonly Host[];
  /** The address that this process has in it. */
  readonly here: string;
  /** An address of the network where nobody is. */
  readonly nowhere: string;
  /** Ends it, and everything in it. Safe twice. */
  end(): Promise<void>;
};

/** A card that no host has: the switch delivers what is sent there to nobody. */
const NOBODY = "02:00:00:00:00:99";

// Module state on purpose: addresses must differ between the networks of one process.
let opened = 0;

/** Opens a network of so many hosts, which this process reaches, too. */
export async function openNetwork(size: number): Promise<Network> {
  opened += 1;
  const n = (process.pid * 8 + opened) % (64 * 256);
  const net = `10.${192 + (n >>> 8)}.${n & 255}`;
  const holders = await Promise.all(Array.from({ length: size + 1 }, () => hold("net")));
  const [hub, ...cards] = holders;
  const end = async () => void (await Promise.all(holders.map((holder) => holder.kill())));
  if (hub === undefined) throw new Error("no switch");
  try {
    const here = `rollcall${n}`;
    await ip([
      `link add ${here} type veth peer name here netns ${hub.pid}`,
      `addr add ${net}.250/24 dev ${here}`,
      `link set ${here} up`,
    ]);
    await ip(
      [
        "link add switch type bridge",
        "link set switch up",
        ...cards.map(({ pid }, i) => `link add port${i} type veth peer name eth0 netns ${pid}`),
        ...["here", ...cards.map((_, i) => `port${i}`)].map((port) => `link set ${port} master switch up`),
      ],
      hub,
    );
    const hosts = await Promise.all(cards.map((card, i) => hostOf(card, `${net}.${i + 1}`)));
    return { hosts, here: `${net}.250`, nowhere: `${net}.99`, end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function hostOf(card: Process, address: string): Promise<Host> {
  await ip(["link set lo up", `addr add ${address}/24 dev eth0`, "link set eth0 up"], card);
  return {
    address,
    inside: { pid: card.pid, kind: "net" },
    cut: (to) => ip([`neigh replace ${to} lladdr ${NOBODY} dev eth0 nud permanent`], card),
    heal: (to) => ip([`neigh del ${to} dev eth0`], card),
  };
}

/** Runs commands of ip in the network of a process; in this one's without. */
async function ip(commands: readonly string[], within?: Process): Promise<void> {
  const file = join(tempDir("ip"), "commands");
  writeFileSync(file, `${commands.join("\n")}\n`);
  await run("ip", ["-batch", file], within === undefined ? {} : { inside: { pid: within.pid, kind: "net" } });
}
