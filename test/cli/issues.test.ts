import { describe, expect, it } from "vitest";
import * as z from "zod";
import { issueLines } from "../../src/cli/issues.ts";

const inner = z.strictObject({ ca_file: z.string().optional(), verify: z.boolean().default(true) });
const Config = z.strictObject({
  tls_config: inner.optional(),
  list: z.array(inner).optional(),
  port: z.union([z.string(), z.int()]).optional(),
  scheme: z.enum(["http", "https"]).default("http"),
  headers: z.record(z.string().regex(/^[a-z]+$/, "must be the name of a header"), z.string()).optional(),
  needed: z.strictObject({ url: z.string() }).optional(),
  body: z.record(z.string(), z.unknown()).optional(),
  wrapped: z.preprocess((value) => value, inner).optional(),
});

function linesOf(value: unknown): readonly string[] {
  const parsed = Config.safeParse(value);
  return parsed.success ? [] : issueLines(Config, parsed.error);
}

describe("issueLines", () => {
  it.each<[unknown, readonly string[]]>([
    [{ schem: "http" }, ["schem: unknown key (did you mean scheme?)"]],
    [{ tls_config: { ca_fil: "x" } }, ["tls_config.ca_fil: unknown key (did you mean ca_file?)"]],
    [{ list: [{ ca_fil: "x" }] }, ["list.0.ca_fil: unknown key (did you mean ca_file?)"]],
    [{ zebra: 1 }, ["zebra: unknown key"]],
    [{ "hunter 2": 1 }, ["…: unknown key"]],
    [{ tls_config: 1 }, ["tls_config: must be a mapping, not a number"]],
    [{ scheme: "hunter2" }, ["scheme: must be one of http, https"]],
    [7, ["must be a mapping, not a number"]],
    [{ body: "x" }, ["body: must be a mapping, not a text"]],
    [{ list: null }, ["list: must be a list, not null"]],
    [{ headers: { "x a": "1" } }, ["headers.…: must be the name of a header"]],
    [{ needed: {} }, ["needed.url: is required"]],
    [{ a: 1, b: 1, c: 1, d: 1, e: 1 }, ["a: unknown key", "b: unknown key", "c: unknown key", "and 2 more"]],
  ])("says of %j what is wrong", (value, wanted) => expect(linesOf(value)).toEqual(wanted));
});
