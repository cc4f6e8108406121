/** Clusters in a file, and files that are not believed. */
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { Config } from "../../providers/file/inventory.ts";
import { readWhole } from "../../src/lib/files.ts";
import { tempDir } from "../support/temp.ts";
import { inventoryOpener, lackOf, lookOf, plainNode } from "./inventory-stage.ts";
import { problemOf } from "./opener.ts";

const openWith = inventoryOpener("file");
let path: string;
beforeEach(() => {
  path = join(tempDir("file-inventory"), "clusters.yaml");
});

const YAML = `
clusters:
  - cluster_id: prod/orders
    display_name: Orders
    nodes: [10.0.0.2, "https://10.0.0.1:8000/"]
  - cluster_id: users
    nodes:
      - { agent_address: "10.0.0.3:4100", node_id: n3, incarnation: i3 }
`;
const CLUSTERS = [
  {
    cluster_id: "prod/orders",
    display_name: "Orders",
    nodes: [plainNode("10.0.0.1:8000", { secure: true }), plainNode("10.0.0.2:4100")],
  },
  {
    cluster_id: "users",
    display_name: null,
    nodes: [plainNode("10.0.0.3:4100", { node_id: "n3", incarnation: "i3" })],
  },
];

describe("the inventory file", () => {
  it("needs a path", () => {
    expect(problemOf(Config, {})).toBe("path: Invalid input: expected string, received undefined");
    expect(problemOf(Config, { path: "" })).toBe("path: must be the path of a file");
  });

  it("reads YAML, and the file again at each look", async () => {
    writeFileSync(path, YAML);
    const inventory = await openWith({ path });
    expect(await lookOf(inventory)).toMatchObject({ kind: "complete", clusters: CLUSTERS, leased: false });
    writeFileSync(path, "clusters: []\n");
    expect(await lookOf(inventory)).toMatchObject({ kind: "complete", clusters: [] });
  });

  it("reads JSON, and lists without a mapping around them", async () => {
    const list = [
      { cluster_id: "prod/orders", display_name: "Orders", nodes: ["10.0.0.2", "https://10.0.0.1:8000/"] },
      { cluster: "users", nodes: [{ agent_address: "10.0.0.3", node_id: "n3", incarnation: "i3" }] },
    ];
    for (const text of [JSON.stringify(list), JSON.stringify({ clusters: list, cursor: null })]) {
      writeFileSync(path, text);
      expect((await lookOf(await openWith({ path }))).clusters).toEqual(CLUSTERS);
    }
    writeFileSync(path, "- { cluster: users, nodes: [10.0.0.3] }\n");
    expect((await lookOf(await openWith({ path }))).clusters[0]?.cluster_id).toBe("users");
  });

  it("leaves out what it cannot understand, and calls the rest partial", async () => {
    writeFileSync(path, "- { cluster_id: a, nodes: [b, c d] }\n- { cluster_id: A, nodes: [] }\n");
    expect(await lookOf(await openWith({ path }))).toMatchObject({
      ...{ kind: "partial", lacking: ["a"] },
      clusters: [{ cluster_id: "a", nodes: [plainNode("b:4100")] }],
      problems: [
        "cluster a: node 2: must begin with an IP address or a host name",
        "cluster 2: cluster_id: must be 1 to 4 segments of [a-z0-9._-] joined by /, as in prod/orders",
      ],
    });
  });

  const SHAPE = "must be {clusters: […]}, or a list of {cluster_id, nodes}";
  it.each([
    ["nothing in it", "", SHAPE],
    ["a comment alone", "# soon\n", SHAPE],
    ["another mapping", "cluster: []\n", SHAPE],
    ["half a line", YAML.trimEnd(), "ends within a line: it is being written, or lacks the last newline"],
    [
      "half an address",
      YAML.slice(0, YAML.indexOf(".2")),
      "ends within a line: it is being written, or lacks the last newline",
    ],
    [
      "half of some JSON",
      '{"clusters":[{"cluster_id":"a"',
      "is neither JSON nor YAML: wrong indentation at line 1, column 31",
    ],
    ["half of much JSON", `{"clusters":["${"a".repeat(300_000)}",`, "is not JSON"],
    ["broken YAML", "clusters: [\n", "is not YAML: wrong indentation at line 2, column 1"],
    ["a bomb of aliases", bomb(), "is not YAML: an alias leads nowhere, or too many aliases"],
  ])("does not believe a file with %s", async (_what, text, line) => {
    writeFileSync(path, text);
    expect(await lackOf(await openWith({ path }))).toBe(`bad_record: list the clusters in ${path}: ${line}`);
  });

  it("cannot tell without the file, and waits for no pipe", async () => {
    const inventory = await openWith({ path });
    expect(await lackOf(inventory)).toMatch(/^file: read .*clusters\.yaml: ENOENT/);
    execFileSync("mkfifo", [path]);
    expect(await lackOf(inventory)).toBe(`file: read ${path}: is no file`);
    rmSync(path);
    mkdirSync(path);
    expect(await lackOf(inventory)).toBe(`file: read ${path}: is no file`);
  });

  it("looks no more when it is closed or nobody waits", async () => {
    writeFileSync(path, YAML);
    const inventory = await openWith({ path });
    await expect(inventory.look(AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
    await inventory.close();
    await inventory.close();
    expect(await lackOf(inventory)).toMatch(/^closed: /);
  });
});

describe("readWhole", () => {
  it.runIf(existsSync("/proc/self/status"))("refuses a file that grows while it is read", async () => {
    // It says that it is empty, and is not by the time it is read.
    await expect(readWhole("/proc/self/status", 1e6)).rejects.toMatchObject({
      code: "file",
      message: "read /proc/self/status: is being written",
    });
  });

  it("refuses more than it may take", async () => {
    writeFileSync(path, "12345");
    expect(await readWhole(path, 5)).toBe("12345");
    appendFileSync(path, "6");
    await expect(readWhole(path, 5)).rejects.toMatchObject({
      code: "file",
      message: `read ${path}: is larger than 5 bytes`,
    });
  });
});

function bomb(): string {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let depth = 1; depth < 9; depth++) {
    const inner = Array.from({ length: 10 }, () => `*a${depth - 1}`).join(", ");
    lines.push(`a${depth}: &a${depth} [${inner}]`);
  }
  return `${lines.join("\n")}\n`;
}
