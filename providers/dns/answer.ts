/** What a question to the DNS ends in, the words for it, and the errors of a whole look-up. */
import { RollcallError } from "../../src/lib/errors.ts";

/**
 * Why there is no data. `nxdomain` and `no_data` are answers: there is no such name, or it has no such record.
 * The others are none, and say nothing about who is there.
 */
export type Lack = "nxdomain" | "no_data" | "servfail" | "refused" | "timeout" | "failed";

/** A record set, or what came instead. `detail` says more where `lack` is `failed`. */
export type Answer<T> =
  | { readonly kind: "found"; readonly records: readonly T[] }
  | { readonly kind: "lack"; readonly lack: Lack; readonly detail?: string };

/** A question that has no data, as `Answer` has it. */
export type Lacking = Extract<Answer<never>, { kind: "lack" }>;

const WORDS: Readonly<Record<Lack, string>> = {
  nxdomain: "NXDOMAIN, there is no such name",
  no_data: "no data, the name has no such record",
  servfail: "SERVFAIL, the resolver could not find out",
  refused: "REFUSED, the resolver does not answer for this name",
  timeout: "no answer in time",
  failed: "failed",
};

const HINTS: Readonly<Partial<Record<Lack, string>>> = {
  nxdomain:
    "search domains are not applied: give the full name; in Kubernetes it is that of a headless service with publishNotReadyAddresses: true",
  no_data:
    "an empty headless service in Kubernetes lacks publishNotReadyAddresses: true, or its selector matches no pod",
  refused: "resolvers may name servers that answer for it",
  timeout: "resolvers may name other servers; timeout bounds the whole look-up",
};

/** From c-ares' code of an error. */
export function lackOf(code: string | null): Lack {
  switch (code) {
    case "ENOTFOUND":
      return "nxdomain";
    case "ENODATA":
      return "no_data";
    case "ESERVFAIL":
      return "servfail";
    case "EREFUSED":
      return "refused";
    case "ETIMEOUT":
    case "ECANCELLED":
      return "timeout";
    default:
      return "failed";
  }
}

/** Whether the name's own servers said so: another resolver would say the same. */
export function isAnswer(lack: Lack): boolean {
  return lack === "nxdomain" || lack === "no_data";
}

/** The lack that decides among several: one that is no answer, else that some name is there. */
export function decisive(lacks: readonly Lacking[]): Lacking {
  return (
    lacks.find(({ lack }) => !isAnswer(lack)) ??
    lacks.find(({ lack }) => lack === "no_data") ??
    lacks[0] ?? { kind: "lack", lack: "no_data" }
  );
}

/** The short form for one of several questions: `SERVFAIL`. */
export function shortly({ lack, detail }: Lacking): string {
  return detail ?? WORDS[lack].split(",", 1)[0] ?? lack;
}

/** `dns_nxdomain` and so on: the look-up of `name` came to nothing. `asked` are the resolvers. */
export function lookupError(name: string, lacking: Lacking, asked: readonly string[]): RollcallError {
  const { lack, detail } = lacking;
  const where = asked.length === 0 ? "" : ` (asked ${asked.join(", ")})`;
  return new RollcallError(`dns_${lack}`, `resolve ${name}: ${detail ?? WORDS[lack]}${where}`, {
    hint: detail === undefined ? (HINTS[lack] ?? null) : null,
    facts: { name, resolvers: asked },
  });
}
