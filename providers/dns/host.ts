/** The addresses of a host: its A and its AAAA records, asked side by side. */
import { formatAddress, parseAddress } from "../../src/core/address.ts";
import { decisive, isAnswer, type Lacking, shortly } from "./answer.ts";
import type { AddressRecord, Questions } from "./questions.ts";

/** A host that has addresses, with one line for each family that could not be asked; or why there are none. */
export type Host =
  | {
      readonly kind: "found";
      readonly records: readonly AddressRecord[];
      readonly problems: readonly string[];
    }
  | Lacking;

/** One host. `family`: undefined asks for both, of which one may well have nothing. Never throws. */
export async function resolveHost(
  questions: Questions,
  name: string,
  family: 4 | 6 | undefined,
): Promise<Host> {
  const asked = [
    ...(family === 6 ? [] : [{ type: "A", answer: questions.a(name) }]),
    ...(family === 4 ? [] : [{ type: "AAAA", answer: questions.aaaa(name) }]),
  ];
  const answers = await Promise.all(asked.map(async ({ type, answer }) => ({ type, answer: await answer })));
  const records = answers.flatMap(({ answer }) => (answer.kind === "found" ? answer.records : []));
  const lacks = answers.flatMap(({ type, answer }) => (answer.kind === "lack" ? [{ ...answer, type }] : []));
  if (records.length === 0) return decisive(lacks);
  const unknown = lacks.filter(({ lack }) => !isAnswer(lack));
  const problems = unknown.map((lacking) => `${name} ${lacking.type}: ${shortly(lacking)}`);
  return { kind: "found", records, problems };
}

/** `host:port` in the one form that compares equal. */
export function atPort({ address: host }: AddressRecord, port: number): string {
  const text = formatAddress({ host, port });
  const parsed = parseAddress(text);
  return parsed.ok ? formatAddress(parsed.value) : text;
}
