import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expand } from "../../src/cli/expand.ts";

const env = { NAME: "value", EMPTY: "", _x1: "under" };

describe("expand", () => {
  it.each([
    ["$NAME", "value"],
    ["${NAME}", "value"],
    ["a-$NAME.b", "a-value.b"],
    ["${NAME}$_x1", "valueunder"],
    ["$EMPTY", ""],
    ["${EMPTY:-fallback}", "fallback"],
    ["${NONE:-a $ b}", "a $ b"],
    ["${NONE:-}", ""],
    ["$$NAME", "$NAME"],
    ["pa$$$$", "pa$$"],
    ["no variable", "no variable"],
  ])("makes of %s %s", (text, wanted) => expect(expand("-disco-config", text, env)).toBe(wanted));

  it.each([
    ["$NONE", "-disco-config: a.0: the variable NONE is not set; ${NONE:-…} gives a default"],
    ["${NONE}", "-disco-config: a.0: the variable NONE is not set; ${NONE:-…} gives a default"],
    ["100$", "-disco-config: a.0: a $ begins no variable here; write $$ for a dollar"],
    ["$1", "-disco-config: a.0: a $ begins no variable here; write $$ for a dollar"],
    ["${NAME", "-disco-config: a.0: a $ begins no variable here; write $$ for a dollar"],
  ])("refuses %s, naming the place", (text, line) => {
    expect(() => expand("-disco-config", { a: [text] }, env)).toThrow(line);
  });

  it("changes strings only, and no keys", () => {
    const value = { $NAME: [1, true, null, { deep: "$NAME" }] };
    expect(expand("", value, env)).toEqual({ $NAME: [1, true, null, { deep: "value" }] });
  });

  it("does not expand what a variable holds, nor lets it change the structure", () => {
    expect(expand("", { a: "$X" }, { X: '$NAME","b":"' })).toEqual({ a: '$NAME","b":"' });
  });

  it("gives back any text whose dollars are doubled", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const doubled = JSON.parse(JSON.stringify(value), (_key, item: unknown) =>
          typeof item === "string" ? item.replaceAll("$", "$$$$") : item,
        );
        expect(expand("", doubled, {})).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
