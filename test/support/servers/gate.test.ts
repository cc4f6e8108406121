import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { start } from "../processes.ts";
import { tempDir } from "../temp.ts";

const SLOW = 60_000;
const root = resolve(import.meta.dirname, "../../..");

// Runs the fixture in another vitest, without an etcd.
async function runFixture(env: Readonly<Record<string, string | undefined>>) {
  const folder = tempDir("gate");
  const test = {
    include: [join(import.meta.dirname, "gate.fixture.ts")],
    globalSetup: [join(import.meta.dirname, "global-setup.ts")],
  };
  const config = join(folder, "vitest.config.mjs");
  writeFileSync(config, `export default ${JSON.stringify({ root, test })};\n`);
  const program = process.execPath;
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const args = [vitest, "run", "--config", config, "--reporter", "verbose"];
  // Without the marks that a vitest leaves in the environment of its workers.
  const marks = Object.keys(process.env).filter((name) => /^(VITEST|TEST|NODE_ENV|NODE_OPTIONS)/.test(name));
  const clean = Object.fromEntries(marks.map((name) => [name, undefined]));
  const all = { ...clean, ETCD_BIN: "/no/etcd", NO_COLOR: "1", FORCE_COLOR: undefined, ...env };
  const child = await start({ name: "vitest", program, args, cwd: root, env: all });
  const { code } = await child.ended;
  return { code, said: child.stdout() + child.stderr() };
}

describe("tests that need a server", () => {
  it(
    "are skipped visibly where it is missing, and a suite that leaks fails",
    async () => {
      const { code, said } = await runFixture({ CI: undefined });
      expect(said).toContain("MISSING, their tests are skipped: ETCD_BIN=/no/etcd is not a program");
      expect(said).toMatch(/↓.*needs etcd \[skipped: ETCD_BIN=\/no\/etcd is not a program\]/);
      expect(said).toMatch(/the suite left running: leaked sleep/);
      expect(code).toBe(1);
    },
    SLOW,
  );

  it(
    "fail where it is missing and CI=true",
    async () => {
      const { code, said } = await runFixture({ CI: "true" });
      expect(said).toMatch(/×.*needs etcd > has etcd/);
      expect(code).toBe(1);
    },
    SLOW,
  );
});
