/** The program itself, as a process: what only the process can show. */
import { execFile } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startNameServer } from "../support/name-server.ts";
import { tempDir } from "../support/temp.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

type Ended = { readonly code: number; readonly out: string; readonly err: string };

function rollcall(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return execute(process.execPath, [MAIN, ...args], env);
}

function execute(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("ROLLCALL_")),
  );
  return new Promise((resolve) => {
    const child = execFile(program, args, { env: { ...clean, ...env } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
    );
    child.stdin?.end();
  });
}

describe("the program", () => {
  it("ends with 0 for help and its version", async () => {
    expect(await rollcall(["help"])).toMatchObject({ code: 0, err: "" });
    expect((await rollcall(["version"])).out).toMatch(/^rollcall \d+\.\d+\.\d+ \(node v\d+/);
  });

  it("ends with 2 and one line for bad input", async () => {
    expect(await rollcall(["agent", "-disco-mod=disco"])).toEqual({
      code: 2,
      out: "",
      err: "rollcall: -disco-mod: unknown flag (did you mean -disco-mode?)\n",
    });
  });

  it("asks the chosen provider's own schema", async () => {
    const config = '-disco-config={"tls_config":{"ca_fil":"x"}}';
    expect(await rollcall(["validate", "-disco-mode=consul-kv", config])).toEqual({
      code: 2,
      out: "",
      err: "rollcall: -disco-config: tls_config.ca_fil: unknown key (did you mean ca_file?)\n",
    });
  });

  it("makes nothing when what the flags name does not fit, and validate says the same", async () => {
    const dir = tempDir("main");
    const path = join(dir, "file");
    writeFileSync(path, "x");
    const data = `-data-dir=${join(dir, "data")}`;
    for (const command of ["agent", "validate"]) {
      const flags = [command, "-disco-mode=consul-kv", data];
      expect(await rollcall([...flags, `-db-data-dir=${path}`])).toEqual({
        code: 2,
        out: "",
        err: `rollcall: -db-data-dir: ${path}: is no directory\n`,
      });
      expect(await rollcall([...flags, `-db-data-dir=${join(dir, "data", "db")}`])).toMatchObject({
        code: 2,
      });
      expect(await rollcall([...flags, "-http-addr=10.0.0.1:4100"])).toMatchObject({ code: 2 });
    }
    const sound = ["validate", "-disco-mode=consul-kv", data, `-db-data-dir=${join(dir, "db")}`];
    expect(await rollcall(sound)).toMatchObject({ code: 0, err: "" });
    expect(readdirSync(dir)).toEqual(["file"]);
  });

  it("reads a file, also as a pipe, up to its limit", async () => {
    const dir = tempDir("main");
    const file = join(dir, "config.yaml");
    writeFileSync(
      file,
      "disco_mode: disco\ndisco_url: http://127.0.0.1:4300\ndisco_id: ${not expanded here}\n",
    );
    expect((await rollcall(["validate", `-config=${file}`])).err).toContain(
      `${file}: disco_id: must be 1 to 4 segments`,
    );
    writeFileSync(file, `#${"x".repeat(1024 * 1024)}\n`);
    expect((await rollcall(["validate", `-config=${file}`])).err).toContain("is larger than 1 MiB");
    expect((await rollcall(["validate", `-config=${dir}`])).err).toBe(
      `rollcall: -config: ${dir}: is a directory\n`,
    );
    const piped = `printf 'disco_mode: nonsense' | "$0" "$1" validate -config=/dev/stdin`;
    expect((await execute("sh", ["-c", piped, process.execPath, MAIN])).err).toContain(
      '/dev/stdin: disco_mode: "nonsense" must be',
    );
  });

  it("finds agents by name, and says what is missing", async () => {
    const server = await startNameServer({
      "A a.example": { addresses: ["10.0.0.2", "10.0.0.1"] },
      "AAAA a.example": "SERVFAIL",
    });
    const config = JSON.stringify({ name: "a.example", resolvers: [server.endpoint] });
    const { code, out } = await rollcall(["discover", "-disco-mode=dns", "-disco-config", config]);
    expect(code).toBe(0);
    expect(out).toMatch(/^problem +a\.example AAAA: SERVFAIL$/m);
    expect(out).toMatch(/^10\.0\.0\.1:4100\n10\.0\.0\.2:4100$/m);
    server.zone = {};
    const gone = await rollcall(["discover", "-disco-mode=dns", "-disco-config", config]);
    expect([gone.code, gone.out]).toEqual([1, ""]);
    expect(gone.err).toMatch(
      /^rollcall: resolve a\.example: NXDOMAIN[^\n]*publishNotReadyAddresses[^\n]*\n$/,
    );
    await server.close();
  });

  it("ends with 1 and one line when the store does not answer", async () => {
    const { code, out, err } = await rollcall(["discover"], {
      ROLLCALL_DISCO_MODE: "consul-kv",
      ROLLCALL_DISCO_CONFIG: '{"address":"127.0.0.1:1","token":"hunter2"}',
    });
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^rollcall: [^\n]*connection refused[^\n]*\n$/);
    expect(err).not.toContain("hunter2");
  });
});
