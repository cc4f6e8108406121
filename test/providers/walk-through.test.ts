/** The provider that providers/README.md adds step by step, taken from there and run. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import type { ProviderModule } from "../../providers/index.ts";
import { addressContract } from "../contract/addresses.ts";
import { contextFor, patient } from "../contract/stage.ts";
import { run } from "../support/processes.ts";
import { tempDir } from "../support/temp.ts";

const readme = readFileSync("providers/README.md", "utf8");
const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code ?? "");
const [code = ""] = blocks;

// A room of its own beside the real ones: the repository stays as it is.
const room = tempDir("walk-through");
mkdirSync(join(room, "providers"));
for (const name of ["src", "node_modules", "providers/failure.ts"])
  symlinkSync(join(process.cwd(), name), join(room, name));
const path = join(room, "providers", "hosts.ts");
writeFileSync(path, code);
const hosts = (await import(pathToFileURL(path).href)) as ProviderModule;

const file = join(room, "hosts");
const open = (config: object) => hosts.open(hosts.Config.parse({ path: file, ...config }), contextFor("k"));

describe("the provider of the walk-through", () => {
  it("is the only code there, and no longer than it says", () => {
    expect(blocks).toHaveLength(1);
    expect(code.trim().split("\n").length).toBeLessThanOrEqual(40);
  });

  it("ends in each of the three outcomes", async () => {
    const agents = await open({ name: "agents" });
    const lookup = () => agents.lookup(patient());
    await expect(lookup()).rejects.toMatchObject({ code: "file" });
    writeFileSync(file, "127.0.0.1 localhost\n#10.0.0.1 agents\n");
    await expect(lookup()).rejects.toMatchObject({ code: "not_listed" });
    writeFileSync(
      file,
      "fd00::1\tdb agents # and more\n10.0.0.1 agents\n10.0.0.1 agents\n10.0.0.9 agents2\n",
    );
    expect(await lookup()).toEqual({ kind: "complete", addresses: ["10.0.0.1:4100", "[fd00::1]:4100"] });
    writeFileSync(file, "10.0.0.1 agents\n10.0.0.-1 agents\n-_- agents\n");
    expect(await lookup()).toMatchObject({ kind: "partial", addresses: ["10.0.0.1:4100"] });
  });

  it("refuses a bad configuration", () => {
    for (const config of [{}, { name: "" }, { name: "a", port: 0 }, { name: "a", hosts: "b" }])
      expect(hosts.Config.safeParse(config).success, JSON.stringify(config)).toBe(false);
  });
});

describe("what makes it one of the modes", () => {
  const steps = readme.slice(readme.indexOf("What makes it one of the modes"), readme.indexOf("Checklist"));

  it("compiles as it is written", { timeout: 120_000 }, async () => {
    const tree = tempDir("walk-through-modes");
    for (const name of ["src", "providers"])
      cpSync(join(process.cwd(), name), join(tree, name), { recursive: true });
    for (const name of ["node_modules", "package.json"])
      symlinkSync(join(process.cwd(), name), join(tree, name));
    const config = JSON.parse(readFileSync("tsconfig.json", "utf8"));
    writeFileSync(join(tree, "tsconfig.json"), JSON.stringify({ ...config, include: ["src", "providers"] }));
    writeFileSync(join(tree, "providers", "hosts.ts"), code);
    const edit = (name: string, before: string, after: string) => {
      const text = readFileSync(join(tree, name), "utf8");
      expect(text, name).toContain(before);
      writeFileSync(join(tree, name), text.replace(before, after));
    };
    const [line = "", listing = ""] = [...steps.matchAll(/`([^`]*hosts\.ts[^`]*)`/g)].map(([, text]) => text);
    edit("providers/index.ts", `  static: () => import`, `  ${line},\n  static: () => import`);
    edit("providers/index.ts", "  static: async", `  hosts: async () => ${listing},\n  static: async`);
    for (const name of ["src/core/inventory.ts", "src/config.ts"])
      edit(name, `  "http",\n`, `  "http",\n  "hosts",\n`);
    edit("src/cli/provider.ts", "  http: ADDRESSES,", "  http: ADDRESSES,\n  hosts: ADDRESSES,");
    const tsc = join(process.cwd(), "node_modules", ".bin", "tsc");
    const told = await run(tsc, ["-p", tree], { cwd: tree }).catch((error: Error) => ({
      stdout: error.message,
    }));
    expect(told.stdout).toBe("");
  });
});

addressContract("hosts", () => ({
  live: true,
  set: async (agents) => {
    writeFileSync(file, agents.map((agent) => `${agent.split(":")[0]} agents\n`).join(""));
  },
  open: () => open({ name: "agents" }),
}));
