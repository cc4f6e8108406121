/**
 * The virtual network: requests as bytes to the routes that the other agent has given to `listen`. Messages take
 * their time, come in any order, are lost, come twice, or find their way cut in one direction.
 */
import type { Hono } from "hono";
import { RollcallError } from "../../src/lib/errors.ts";
import type { Answer, Ask, Client } from "../../src/lib/request.ts";
import { fetchFrom } from "./fetch.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** A process that listens. `host` is where it is; `gives` is told each answer before it leaves. */
export type Server = {
  readonly host: string;
  readonly life: Life;
  readonly app: Hono;
  readonly gives: (ask: Ask, answer: Answer) => void;
};

export type Network = {
  /** The way of one process to all others. */
  openClient(host: string, life: Life): Client;
  listen(server: Server): () => void;
  /** Nothing goes from one to the other, until it is healed. */
  cut(from: string, to: string): void;
  heal(from: string, to: string): void;
  isCut(from: string, to: string): boolean;
  /** Asks a process from its own machine; null where nobody listens. Waits while it is stopped. With a body: POST. */
  askHere(host: string, path: string, body?: string): Promise<Answer | null>;
};

export function virtualNetwork(world: World): Network {
  const { time, chance, weather, count, note } = world;
  const servers = new Map<string, Server>();
  const cuts = new Set<string>();
  /** When the youngest message of each way was sent that has arrived. */
  const arrived = new Map<string, number>();
  const isCut = (from: string, to: string) => cuts.has(`${from}>${to}`);

  /** Carries one message; it may never arrive. */
  const carry = (from: string, to: string, lost: boolean, arrive: () => void): void => {
    if (lost || isCut(from, to)) return;
    const way = `${from}>${to}`;
    const sentAt = time.now();
    let ms = chance.between(0.2, 3);
    if (chance.is(weather.delayed)) {
      count("message delayed");
      ms += chance.between(20, 1_500);
    }
    time.after(ms, () => {
      // Cut while it was on its way.
      if (isCut(from, to)) return;
      if ((arrived.get(way) ?? 0) > sentAt) count("messages reordered");
      arrived.set(way, Math.max(sentAt, arrived.get(way) ?? 0));
      arrive();
    });
  };

  const send = (from: string, life: Life, ask: Ask): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { host, port, signal } = ask;
      let done = false;
      const settle = (then: () => void) => {
        if (done) return;
        done = true;
        signal.removeEventListener("abort", abort);
        then();
      };
      const abort = () => settle(() => reject(signal.reason));
      const fail = (what: string) =>
        life.reach(() => settle(() => reject(new RollcallError("unreachable", what))));
      if (signal.aborted) return reject(signal.reason);
      if (!life.step(`ask ${host}…`)) return;
      signal.addEventListener("abort", abort, { once: true });
      const drawn = draw();
      if (drawn.lost) count("request lost");
      const arrive = (first: boolean) => {
        const server = servers.get(`${host}:${port}`);
        if (server === undefined || !server.life.isAlive())
          return carry(host, from, false, () => fail(`connect ECONNREFUSED ${host}:${port}`));
        server.life.reach(() => {
          void fetchFrom(server.app, from, ask).then((answer) => {
            if (!server.life.isAlive()) return;
            server.gives(ask, answer);
            if (!server.life.step(`answered ${from}`) || !first) return;
            if (drawn.replyLost) count("reply lost");
            carry(host, from, drawn.replyLost, () => {
              if (life.step(`asked ${host}`)) life.reach(() => settle(() => resolve(answer)));
            });
          });
        });
      };
      note("ask", `${from}>${host}`);
      carry(from, host, drawn.lost, () => arrive(true));
      if (drawn.twice) {
        count("request duplicated");
        time.after(chance.between(0, 2_000), () => carry(from, host, false, () => arrive(false)));
      }
    });

  const draw = () => ({
    lost: chance.is(weather.lost),
    replyLost: chance.is(weather.replyLost),
    twice: chance.is(weather.duplicated),
  });

  return {
    openClient: (host, life) => ({ send: (ask) => send(host, life, ask), close() {} }),
    listen(server) {
      const at = `${server.host}:4100`;
      servers.set(at, server);
      return () => {
        if (servers.get(at) === server) servers.delete(at);
      };
    },
    cut: (from, to) => void cuts.add(`${from}>${to}`),
    heal: (from, to) => void cuts.delete(`${from}>${to}`),
    isCut,
    askHere(host, path, body) {
      const server = servers.get(`${host}:4100`);
      if (server === undefined || !server.life.isAlive()) return Promise.resolve(null);
      const to = { host, port: 4100, path, signal: new AbortController().signal };
      const ask: Ask = body === undefined ? { ...to, method: "GET" } : { ...to, method: "POST", body };
      return new Promise((resolve, reject) =>
        server.life.reach(() => void fetchFrom(server.app, HERE, ask).then(resolve, reject)),
      );
    },
  };
}

/** Where a call from the machine itself comes from. */
const HERE = "127.0.0.1";
