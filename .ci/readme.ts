/** Writes the README's generated tables from the flags and commands. `test/docs.test.ts` fails when this is due. */
import { readFileSync, writeFileSync } from "node:fs";
import { commandTable, endpointTable, eventTable, flagTable, hookText } from "../src/cli/markdown.ts";

const path = new URL("../README.md", import.meta.url);

/** The README with its generated blocks renewed. */
export function renewed(text: string): string {
  const blocks = {
    ...{ commands: commandTable(), flags: flagTable(), hooks: hookText() },
    ...{ "coordinator-flags": flagTable("coordinator"), "coordinator-endpoints": endpointTable() },
    ...{ "coordinator-events": eventTable(), "discovery-service-flags": flagTable("discovery") },
  };
  return Object.entries(blocks).reduce(
    (sum, [name, table]) =>
      sum.replace(
        new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- /${name} -->)`),
        (_, from, to) => `${from}${table}${to}`,
      ),
    text,
  );
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  writeFileSync(path, renewed(readFileSync(path, "utf8")));
