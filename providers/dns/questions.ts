/**
 * The questions of one look-up, by node:dns's Resolver: it is checked against forged answers, speaks IPv6 and goes
 * over to TCP where an answer is cut off. Its own change of servers ends at the first SERVFAIL, so servers are asked
 * one after another here.
 */

import type { SrvRecord } from "node:dns";
import { Resolver } from "node:dns/promises";
import { codeOf, reason } from "../../src/lib/errors.ts";
import { inWords, oneLine } from "../failure.ts";
import { type Answer, isAnswer, type Lacking, lackOf } from "./answer.ts";

/** An A or AAAA record: the address, and how long it holds in seconds. */
export type AddressRecord = { readonly address: string; readonly ttl: number };

/** Asks until `cancel`; from then on every question ends in `timeout`. */
export type Questions = {
  /** Who is asked, as in `10.0.0.2:53`. */
  readonly servers: readonly string[];
  a(name: string): Promise<Answer<AddressRecord>>;
  aaaa(name: string): Promise<Answer<AddressRecord>>;
  srv(name: string): Promise<Answer<SrvRecord>>;
  /** Frees every socket. Safe twice. */
  cancel(): void;
};

/** Every server is asked twice at most; the second time it may take twice as long, so that all fits in three parts. */
const PARTS = 3;

/** Opens sockets with the first question only. `servers`: null asks the system's. */
export function openQuestions(servers: readonly string[] | null, timeoutMs: number): Questions {
  const asked = servers ?? new Resolver().getServers();
  const part = Math.max(1, Math.ceil(timeoutMs / (PARTS * asked.length)));
  const rounds = [part, 2 * part].map((timeout) =>
    asked.map((server) => {
      const resolver = new Resolver({ timeout, tries: 1 });
      resolver.setServers([server]);
      return resolver;
    }),
  );
  const silent = new Set<number>();
  let cancelled = false;

  /** The first answer. Else the first failure that says more than silence, which alone is asked a second time. */
  async function ask<T>(question: (resolver: Resolver) => Promise<T[]>): Promise<Answer<T>> {
    const failed = new Map<number, Lacking>();
    for (const round of rounds) {
      // One that was silent on an earlier question comes last, so that it delays only the first.
      const later = (at: number) => (silent.has(at) ? 1 : 0);
      for (const at of [...round.keys()].sort((a, b) => later(a) - later(b))) {
        const resolver = round[at];
        if (cancelled) break;
        if (resolver === undefined || failed.has(at)) continue;
        const answer = await once(() => question(resolver));
        if (answer.kind === "found" || isAnswer(answer.lack)) return answer;
        if (answer.lack === "timeout") silent.add(at);
        else failed.set(at, answer);
      }
    }
    return failed.values().next().value ?? { kind: "lack", lack: "timeout" };
  }

  return {
    servers: asked,
    a: (name) => ask((resolver) => resolver.resolve4(name, { ttl: true })),
    aaaa: (name) => ask((resolver) => resolver.resolve6(name, { ttl: true })),
    srv: (name) => ask((resolver) => resolver.resolveSrv(name)),
    cancel() {
      cancelled = true;
      for (const resolver of rounds.flat()) resolver.cancel();
    },
  };
}

async function once<T>(question: () => Promise<T[]>): Promise<Answer<T>> {
  try {
    const records = await question();
    return records.length > 0 ? { kind: "found", records } : { kind: "lack", lack: "no_data" };
  } catch (error) {
    const code = codeOf(error);
    const lack = lackOf(code);
    return lack === "failed"
      ? { kind: "lack", lack, detail: oneLine(inWords(code, reason(error))) }
      : { kind: "lack", lack };
  }
}
