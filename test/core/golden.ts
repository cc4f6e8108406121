/** Values kept in files, so that a change of what others read is seen in a review. `GOLDEN=write` writes them. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** Compares with `golden/<name>.json`, the order of keys included: whoever reads it may compare texts. */
export function expectGolden(name: string, value: unknown): void {
  const path = fileURLToPath(new URL(`./golden/${name}.json`, import.meta.url));
  if (process.env.GOLDEN === "write") writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
  const kept: unknown = JSON.parse(readFileSync(path, "utf8"));
  expect(value).toEqual(kept);
  expect(JSON.stringify(value)).toBe(JSON.stringify(kept));
}
