/** The README says what the code does: flags, commands, modes, endpoints, codes and links. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { renewed } from "../.ci/readme.ts";
import { providers } from "../providers/index.ts";
import { agentApp } from "../src/agent/http.ts";
import { HealthCode } from "../src/core/health.ts";
import { InventoryMode } from "../src/core/inventory.ts";
import { viewOf } from "./agent/support/view.ts";

const readme = readFileSync("README.md", "utf8");
const section = (title: string) => new RegExp(`\n## ${title}\n([^]*?)(\n## |$)`).exec(readme)?.[1] ?? "";
const firstCells = (text: string) =>
  [...text.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell]) =>
    [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? ""),
  );

describe("the README", () => {
  it("has the flags and commands of the program (npm run readme renews them)", () => {
    expect(readme).toBe(renewed(readme));
  });

  it("names every mode", () => {
    expect(firstCells(section("Modes"))).toEqual(Object.keys(providers));
  });

  it("names every endpoint, and none that is not there", () => {
    const routes = agentApp(viewOf().view, () => ({ loopback: true, certified: false })).routes.filter(
      (route) => route.path.startsWith("/") && !route.path.includes("*"),
    );
    expect(new Set(firstCells(section("Endpoints")))).toEqual(new Set(routes.map((route) => route.path)));
  });

  it("names every kind of event", () => {
    const source = readFileSync("src/core/transitions.ts", "utf8");
    const facets = /export type Facets = \{([\s\S]*?)\n\};/.exec(source)?.[1] ?? "";
    const kinds = [...facets.matchAll(/^ {2}readonly (\w+):/gm)].map(([, kind]) => kind);
    expect(kinds.length).toBeGreaterThan(10);
    expect(firstCells(section("Events")).filter((cell) => cell !== "kind")).toEqual(kinds);
  });

  it("explains every code of /v1/explain", () => {
    const files = readdirSync("src/core").filter((name) => /^(reasons.*|explain)\.ts$/.test(name));
    const source = files.map((name) => readFileSync(`src/core/${name}`, "utf8")).join("");
    const codes = new Set(
      [...source.matchAll(/\bcode: "([a-z_]+)"|\bof\(\s*"([a-z_]+)"/g)].map(([, a, b]) => a ?? b ?? ""),
    );
    const known = new Set(firstCells(section("Why it waits")));
    expect([...codes].filter((code) => !known.has(code) && code !== "open")).toEqual([]);
    expect(codes.size).toBeGreaterThan(20);
  });

  it("names every mode of a discovery, and every reason of a cluster's health", () => {
    const cells = firstCells(section("The coordinator"));
    expect(cells.filter((cell) => InventoryMode.safeParse(cell).success)).toEqual(InventoryMode.options);
    expect(cells.filter((cell) => HealthCode.safeParse(cell).success)).toEqual(HealthCode.options);
  });

  it("links to files that are there", () => {
    const examples = readdirSync("examples")
      .map((name) => `examples/${name}/README.md`)
      .filter((file) => existsSync(file));
    expect(examples.length).toBeGreaterThan(4);
    const broken = ["README.md", "src/DESIGN.md", "providers/README.md", ...examples].flatMap((file) => {
      const base = file.includes("/") ? `${file.slice(0, file.lastIndexOf("/"))}/` : "";
      return [...readFileSync(file, "utf8").matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)]
        .map(([, to]) => `${base}${to}`)
        .filter((to) => !existsSync(to));
    });
    expect(broken).toEqual([]);
  });
});
