/** The demo's own flags, written as rollcall's: `-disco etcd-kv`, `-disco=etcd-kv` and `--disco=etcd-kv` are the same. */
import { RollcallError } from "../../src/lib/errors.ts";
import { nearest } from "../../src/lib/suggest.ts";
import { STORES, type StoreKind } from "./store.ts";

export const HELP = `Three nodes become one cluster, exactly once: a demonstration that needs nothing else.

usage: npm run demo -- [flags]        or        node examples/demo/demo.ts [flags]

  -disco STORE   where the agents meet (embedded):
                   embedded    a Discovery Service inside the demo
                   consul-kv   a Consul dev server of its own; needs consul on PATH or in $CONSUL_BIN
                   etcd-kv     an etcd server of its own; needs etcd on PATH or in $ETCD_BIN
  -pace FACTOR   stretches the pauses between sentences (1); 0 leaves them out
  -keep          leaves the cluster running at the end, until Ctrl-C
  -h             this text
`;

/** What the demo was asked for. */
export type Arguments = {
  readonly help: boolean;
  readonly disco: StoreKind;
  readonly pace: number;
  readonly keep: boolean;
};

const FLAGS = ["-disco", "-pace", "-keep"];

/** Throws one `usage` line that names the flag, what was given and what is allowed. */
export function parseArguments(argv: readonly string[]): Arguments {
  let parsed: Arguments = { help: false, disco: "embedded", pace: 1, keep: false };
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = "", given] = /^--?([a-z]+)(?:=(.*))?$/.exec(word) ?? [];
    const value = () => given ?? rest.shift() ?? fail(`-${name}: needs a value`);
    if (name === "h" || name === "help") parsed = { ...parsed, help: true };
    else if (name === "keep")
      parsed = { ...parsed, keep: given === undefined || fail("-keep: takes no value") };
    else if (name === "disco") parsed = { ...parsed, disco: storeOf(value()) };
    else if (name === "pace") parsed = { ...parsed, pace: paceOf(value()) };
    else fail(`${word}: is no flag of the demo${near(`-${name}`, FLAGS)}; see -h`);
  }
  return parsed;
}

function storeOf(given: string): StoreKind {
  return (
    STORES.find((kind) => kind === given) ??
    fail(`-disco: ${JSON.stringify(given)} is none of ${STORES.join(", ")}${near(given, STORES)}`)
  );
}

/** From 0 to 10. Throws a `usage` line. */
export function paceOf(given: string): number {
  if (/^\d{1,2}(\.\d+)?$/.test(given) && Number(given) <= 10) return Number(given);
  return fail(`-pace: ${JSON.stringify(given)} is no number from 0 to 10`);
}

function near(word: string, candidates: readonly string[]): string {
  const found = nearest(word, candidates);
  return found === null ? "" : ` (did you mean ${found}?)`;
}

function fail(line: string): never {
  throw new RollcallError("usage", line);
}
