/** The shipped bundle: what only bundling can break, which is every lazily loaded part. */
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROGRAM } from "../support/agents.ts";
import { freePort } from "../support/loopback.ts";
import { inPath, type Start, start } from "../support/processes.ts";
import { tempDir } from "../support/temp.ts";

type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

async function ended(options: Start): Promise<Ended> {
  const child = await start({ ...options, env: { NODE_EXTRA_CA_CERTS: undefined, ...options.env } });
  const { code } = await child.ended;
  return { code, out: child.stdout(), err: child.stderr() };
}

const rollcall = (...args: string[]) => ended({ program: process.execPath, args: [PROGRAM, ...args] });

function file(name: string, text: string): string {
  const path = join(tempDir("bundle"), name);
  writeFileSync(path, text);
  return path;
}

/** A Node in PATH that is older than any we run on; null: none. */
function oldNode(): string | null {
  const folders = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"));
  const node = inPath("node", folders.join(delimiter));
  if (node === null) return null;
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout;
  return Number(/^v(\d+)/.exec(version)?.[1] ?? 99) < 22 ? node : null;
}

describe("the bundle", () => {
  it("prints help and its version", async () => {
    expect(await rollcall("help")).toMatchObject({ code: 0, err: "" });
    expect(await rollcall("help", "genesis")).toMatchObject({ code: 0, err: "" });
    expect((await rollcall("version")).out).toMatch(/^rollcall \d+\.\d+\.\d+ \(node v\d+/);
  });

  const old = oldNode();
  it.runIf(old !== null)(
    "says in one line that a Node is too old (skipped where PATH has none)",
    async () => {
      const { code, out, err } = await ended({ program: old ?? "", args: [PROGRAM, "version"] });
      expect([code, out]).toEqual([1, ""]);
      expect(err).toMatch(/^rollcall: needs Node 22\.19 or newer; this is [\d.]+\n$/);
    },
  );

  it("reads YAML, for -config and for -disco-config, and says where it is wrong", async () => {
    const config = file(
      "rollcall.yaml",
      "disco_mode: consul-kv\ndisco_key: prod/orders\ndisco_config:\n  address: 127.0.0.1:8500\n",
    );
    const validated = await rollcall("validate", "-config", config);
    expect(validated).toMatchObject({ code: 0, err: "" });
    expect(validated.out).toContain("prod/orders (consul-kv)");
    const disco = file("disco.yaml", "endpoints:\n  - 127.0.0.1:2379\n");
    expect(await rollcall("validate", "-disco-mode=etcd-kv", "-disco-config", disco)).toMatchObject({
      code: 0,
      err: "",
    });
    const bad = file("bad.yaml", "disco_mode: disco\ndisco_mode: disco\n");
    expect(await rollcall("validate", "-config", bad)).toEqual({
      code: 2,
      out: "",
      err: `rollcall: ${bad}: is not YAML: a key that is there already at line 2, column 1\n`,
    });
  });

  it.each([
    ["consul-kv", (port: number) => [`-disco-config={"address":"127.0.0.1:${port}"}`]],
    ["etcd-kv", (port: number) => [`-disco-config={"endpoints":["127.0.0.1:${port}"]}`]],
    ["disco", (port: number) => [`-disco-url=http://127.0.0.1:${port}`, "-disco-id=prod/orders"]],
    ["dns", (port: number) => [`-disco-config={"resolvers":["127.0.0.1:${port}"]}`]],
    ["dns-srv", (port: number) => [`-disco-config={"resolvers":["127.0.0.1:${port}"]}`]],
    ["consul-service", (port: number) => [`-disco-config={"address":"127.0.0.1:${port}"}`]],
    ["http", (port: number) => [`-disco-config={"url":"http://127.0.0.1:${port}/"}`]],
  ])("loads the provider of %s: a store that is not there is one line and 1", async (mode, flags) => {
    const port = await freePort("127.0.0.1");
    const { code, out, err } = await rollcall("discover", `-disco-mode=${mode}`, ...flags(port));
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^rollcall: [^\n]*refused[^\n]*\n$/);
  });

  it("loads the provider of -join", async () => {
    const { code, out } = await rollcall("discover", "-join=10.0.0.1,10.0.0.2:4200");
    expect([code, out.trim().split("\n").slice(-2)]).toEqual([0, ["10.0.0.1:4100", "10.0.0.2:4200"]]);
  });

  it("runs through a symbolic link, as npm link and the image have it", async () => {
    const bin = join(tempDir("bundle"), "bin");
    mkdirSync(bin);
    symlinkSync(PROGRAM, join(bin, "rollcall"));
    const path = [bin, dirname(process.execPath), process.env.PATH ?? ""].join(delimiter);
    const { code, out, err } = await ended({
      program: "/bin/sh",
      args: ["-c", "rollcall version"],
      env: { PATH: path },
    });
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^rollcall \d/);
  });
});
