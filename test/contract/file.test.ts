import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach } from "vitest";
import { Config, open } from "../../providers/file.ts";
import { tempDir } from "../support/temp.ts";
import { addressContract } from "./addresses.ts";
import { contextFor } from "./stage.ts";

let path: string;
beforeEach(() => {
  path = join(tempDir("file"), "agents");
});

for (const [form, textOf] of [
  ["JSON", (agents: readonly string[]) => JSON.stringify(agents)],
  ["YAML", (agents: readonly string[]) => agents.map((agent) => `- ${agent}\n`).join("")],
] as const)
  addressContract(
    `file, ${form}`,
    () => ({
      live: true,
      async set(agents) {
        writeFileSync(`${path}.new`, textOf(agents));
        renameSync(`${path}.new`, path);
      },
      open: () => open(Config.parse({ path }), contextFor("k")),
    }),
    { watches: true },
  );
