import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { openScreen } from "../../examples/demo/screen.ts";

function shown(color: boolean, columns: number | null) {
  let text = "";
  const screen = openScreen({
    write: (more) => {
      text += more;
    },
    color,
    columns,
    sinceMs: () => 12_345,
  });
  return { screen, text: () => text };
}

describe("the demo's screen", () => {
  it("has a column for the time, one for the name, and text that wraps below itself", () => {
    const { screen, text } = shown(false, 60);
    screen.event("node-1", "outcome `join`: it asks node-2, and then node-3, to take it in");
    expect(text().split("\n")).toEqual([
      " 12.3s  node-1    outcome join: it asks node-2, and then",
      "                  node-3, to take it in",
      "",
    ]);
  });

  it("has a column for the types of events, and one beside it for what they say", () => {
    const { screen, text } = shown(false, 60);
    screen.news("node-1", { type: "NODE_UP", look: "green", text: "demo node-2: unavailable → healthy" });
    screen.news("node-1", { type: "DISCOVERY_SETTINGS_APPLY", look: "red", text: "discovery inventory" });
    expect(text().split("\n")).toEqual([
      " 12.3s  node-1    NODE_UP             demo node-2:",
      "                                      unavailable → healthy",
      " 12.3s  node-1    DISCOVERY_SETTINGS_APPLY  discovery",
      "                                      inventory",
      "",
    ]);
  });

  it("colours node names wherever they are, and shows the same words", () => {
    const plain = shown(false, null);
    const colored = shown(true, null);
    for (const { screen } of [plain, colored]) {
      screen.event("node-1", "waits for node-2 (`GET /v1/explain`)");
      screen.table([
        ["NODE", "ROLE"],
        ["node-3", "replica"],
      ]);
    }
    expect(colored.text()).toContain("\u001b[35mnode-2\u001b[39m");
    expect(colored.text()).toContain("\u001b[33mnode-3\u001b[39m");
    expect(stripVTControlCharacters(colored.text())).toBe(plain.text());
  });

  it("is never wider than 96 columns, and never parts what is in backticks", () => {
    const { screen, text } = shown(false, 300);
    for (let n = 1; n < 40; n += 1) screen.event("all", `${"word ".repeat(n)}\`one two three\` end`);
    const lines = text().split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(96);
    expect(lines.filter((line) => line.includes("one two three"))).toHaveLength(39);
  });
});
