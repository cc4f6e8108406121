import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDocument, readJson } from "../../src/cli/document.ts";
import { jsonProblem } from "../../src/cli/json-problem.ts";

describe("jsonProblem", () => {
  it.each([
    ['{"a":1,}', 'a key in "quotes"', 1, 8],
    ['{"a" 1}', ":", 1, 6],
    ['{"a":1\n "b":2}', ", or }", 2, 2],
    ["[1 2]", ", or ]", 1, 4],
    ['{"a":abc}', "a value", 1, 6],
    ['{"a":01}', "a value", 1, 6],
    ['{"a":"x', "the end of a string", 1, 6],
    ["{} x", "nothing more", 1, 4],
    ["", "a value", 1, 1],
  ])("finds the place in %j", (text, wanted, line, column) => {
    expect(jsonProblem(text)).toEqual({ expected: wanted, line, column });
  });

  it("agrees with the engine on what is JSON", () => {
    const damaged = fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 })).map(([text, at, put]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + put + text.slice(cut + 1);
    });
    fc.assert(
      fc.property(fc.oneof(fc.json(), damaged, fc.string()), (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect(jsonProblem(text) === null).toBe(isJson);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("documents", () => {
  const secret = "hunter2hunter2";

  it("reads JSON and YAML alike", async () => {
    const wanted = { a: 1, b: ["x"], c: { d: true } };
    expect(await readDocument("f.yaml", "a: 1\nb: [x]\nc:\n  d: true\n")).toEqual(wanted);
    expect(await readDocument("f.json", `\uFEFF${JSON.stringify(wanted)}`)).toEqual(wanted);
    expect(await readDocument("f.yaml", "# nothing\n")).toEqual({});
  });

  it.each([
    ["f.yaml", `a: 1\n b: "${secret}"\n`, /^f\.yaml: is not YAML: wrong indentation.* at line 1, column 4$/],
    ["f.yaml", `token: *${secret}\n`, /^f\.yaml: is not YAML: /],
    [
      "f.yaml",
      `a: 1\na: ${secret}\n`,
      /^f\.yaml: is not YAML: a key that is there already at line 2, column 1$/,
    ],
    ["f.yaml", `- ${secret}\n`, /^f\.yaml: must be a mapping/],
    ["f.yaml", secret, /^f\.yaml: must be a mapping/],
    ["f.yaml", `a: !!js/function ${secret}\n? [x]\n: 1\n`, /^f\.yaml: is not YAML: /],
    [
      "f.json",
      `{"token": "${secret}",}`,
      /^f\.json: is not JSON: expected a key in "quotes" at line 1, column \d+$/,
    ],
  ])("refuses a bad %s with its place and without its text", async (where, text, line) => {
    const error = await readDocument(where, text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "usage", message: expect.stringMatching(line) });
    expect(String(error)).not.toContain(secret);
  });

  it("refuses JSON that is no object", () => {
    expect(() => readJson("-x", "[1]")).toThrow("-x: must be a mapping");
  });
});
