import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type MemberRef, Outcome } from "../../src/core/model.ts";
import type { OutcomeValues } from "../../src/core/outcome-values.ts";
import { envText, hostsText, jsonText, type OutputFacts, outputText } from "../../src/core/outputs.ts";
import { tempDir } from "../support/temp.ts";

const values: OutcomeValues = {
  kind: "join",
  role: "replica",
  join: "10.0.0.2:4002",
  members: "10.0.0.1:4002,10.0.0.2:4002",
  leader: "10.0.0.2:4001",
  args: ["-join", "10.0.0.2:4002"],
};

function member(id: string, api_addr: string, addr = ""): MemberRef {
  return { id, incarnation: `${id}-1`, agent_addr: "", api_addr, addr };
}

function facts(more: Partial<OutputFacts> = {}, leader: MemberRef | null = null): OutputFacts {
  const members = [member("n1", "10.0.0.1:4001"), member("n2", "10.0.0.2:4001")];
  const outcome = Outcome.parse({
    kind: "join",
    genesis_id: "g1",
    formation: "single",
    members,
    leader,
    revision: 3,
  });
  return { outcome, members, node: member("n1", "10.0.0.1:4001"), role: "replica", values, ...more };
}

const NAMES = ["KIND", "ROLE", "JOIN", "MEMBERS", "LEADER", "ARGS"].map((name) => `OUTCOME_${name}`);

/** What a shell has in its variables after it sourced the text: strict, and with nothing but `printf` after it. */
function sourced(file: string, text: string): string[] {
  writeFileSync(file, text);
  const script = `set -eu; . "$1"; printf '%s\\0' ${NAMES.map((name) => `"$${name}"`).join(" ")}`;
  const out = execFileSync("sh", ["-c", script, "sh", file], { encoding: "utf8", env: {} });
  return out.split("\0").slice(0, -1);
}

describe("the environment file", () => {
  const file = join(tempDir("outputs"), "outcome.env");

  it("has one variable a line", () => {
    expect(envText(values)).toBe(
      [
        "# Kept by rollcall: what this node's database is to do.",
        "OUTCOME_KIND='join'",
        "OUTCOME_ROLE='replica'",
        "OUTCOME_JOIN='10.0.0.2:4002'",
        "OUTCOME_MEMBERS='10.0.0.1:4002,10.0.0.2:4002'",
        "OUTCOME_LEADER='10.0.0.2:4001'",
        "OUTCOME_ARGS='-join 10.0.0.2:4002'",
        "",
      ].join("\n"),
    );
  });

  it.each([
    "it's",
    "'; touch /tmp/never; '",
    "$(exit 7)`exit 7`",
    "\\",
    "a\nexit 7\n",
    "-n",
    '"',
    "!!",
    "~ * ?",
    "é€😀",
    "'\\''",
  ])("is sourced to the very value %j", (text) => {
    const given = { ...values, join: text, leader: text, members: `${text}${text}` };
    expect(sourced(file, envText(given))).toEqual([
      "join",
      "replica",
      text,
      text + text,
      text,
      "-join 10.0.0.2:4002",
    ]);
  });

  it("is sourced to the very values, whatever they are", () => {
    const characters = [..."'\"$`\\\n\t ;&|()<>*?[]{}!#~=-a1é😀\r\u0001"];
    const hostile = fc.string({ unit: fc.constantFrom(...characters) });
    fc.assert(
      fc.property(hostile, hostile, hostile, fc.array(hostile), (one, two, three, args) => {
        const given = { ...values, join: one, members: two, leader: three, args };
        expect(sourced(file, envText(given))).toEqual(["join", "replica", one, two, three, args.join(" ")]);
      }),
      { numRuns: 150 },
    );
  });

  it("leaves out what no shell can hold", () => {
    expect(sourced(file, envText({ ...values, join: "a\0b" }))[2]).toBe("ab");
  });

  it("can be split into arguments", () => {
    writeFileSync(file, envText({ ...values, args: ["-join", "[fd00::2]:4002", "-x"] }));
    const script = '. "$1"; set -f; set -- $OUTCOME_ARGS; printf "%s|" "$@"';
    expect(execFileSync("sh", ["-c", script, "sh", file], { encoding: "utf8" })).toBe(
      "-join|[fd00::2]:4002|-x|",
    );
  });
});

describe("the JSON file", () => {
  it("has the outcome and what goes with it", () => {
    const given = facts({}, member("n2", "10.0.0.2:4001"));
    expect(JSON.parse(jsonText(given))).toEqual({
      v: 1,
      outcome: given.outcome,
      node: given.node,
      role: "replica",
      leader: given.outcome.leader,
      members: given.members,
      values,
    });
    expect(jsonText(given)).toMatch(/^\{\n {2}"v": 1,\n/);
  });
});

describe("the hosts file", () => {
  it("has a line for every member, and a second name for the leader", () => {
    const members = [
      member("n1", "10.0.0.1:4001"),
      member("n2", "[FD00::2]:4001"),
      member("n3", "http://10.0.0.3:4001/path"),
      member("n4", "", "10.0.0.4:4002"),
      member("n5", "https://[::1]:4001"),
    ];
    expect(hostsText(members, member("n2", "x"))).toBe(
      [
        "# Kept by rollcall: the members' databases.",
        "10.0.0.1\tn1",
        "FD00::2\tn2 rollcall-leader",
        "10.0.0.3\tn3",
        "10.0.0.4\tn4",
        "::1\tn5",
        "",
      ].join("\n"),
    );
  });

  it.each([
    ["a database at a host name", member("n1", "db-1.example:4001"), "# n1 is at db-1.example"],
    ["a member without a database", member("n1", ""), "# n1 has no database address"],
    ["an id with a blank", member("n 1", "10.0.0.1:1"), '# 10.0.0.1 is "n 1", which is no host name'],
    [
      "an id that would add a line",
      member("n1\n6.6.6.6 bank", "10.0.0.1:1"),
      '# 10.0.0.1 is "n1\\n6.6.6.6 bank", which is no host name',
    ],
    ["a host that would add a line", member("n1", "a\n6.6.6.6 bank:1"), '# n1 is at "a\\n6.6.6.6 bank"'],
    [
      "the name of this machine",
      member("localhost", "10.0.0.1:1"),
      "# 10.0.0.1 is localhost, which is no host name",
    ],
    [
      "the second name of the leader",
      member("rollcall-leader", "10.0.0.1:1"),
      "# 10.0.0.1 is rollcall-leader, which is no host name",
    ],
    [
      "an id that is an address",
      member("10.0.0.9", "10.0.0.1:1"),
      "# 10.0.0.1 is 10.0.0.9, which is no host name",
    ],
    ["half an address", member("n1", "10.1:4001"), "# n1 is at 10.1"],
    ["something in brackets", member("n1", "[nonsense]:4001"), "# n1 is at nonsense"],
  ])("makes a comment of %s", (_, one, line) => {
    expect(hostsText([one], null).split("\n").slice(1)).toEqual([line, ""]);
  });

  it("never has a line that is neither a comment nor an address with plain names", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), fc.string({ unit: "binary" }), (id, addr) => {
        const lines = hostsText([member(id, addr), member(id, `10.0.0.1:1`)], null).split(
          /[\n\r\u0085\u2028\u2029\v\f]/u,
        );
        expect(lines.filter((line) => !/^(#.*|[0-9a-f.:]+\t[\w.-]+|)$/i.test(line))).toEqual([]);
        expect(lines).toHaveLength(4);
      }),
    );
  });
});

describe("what a file should hold", () => {
  it("is nothing known without an outcome, but no environment of an earlier one", () => {
    expect((["env", "json", "hosts"] as const).map((kind) => outputText(kind, null))).toEqual([
      "remove",
      "leave",
      "leave",
    ]);
  });

  it("is what the hosts file had while the directory was not seen yet", () => {
    expect(outputText("hosts", facts({ members: null }))).toBe("leave");
    expect(outputText("env", facts({ members: null }))).toEqual({ text: envText(values) });
  });

  it("is no environment while the database must not be started", () => {
    const given = facts({ values: null });
    expect(outputText("env", given)).toBe("remove");
    expect(outputText("json", given)).toEqual({ text: jsonText(given) });
    expect(outputText("env", facts())).toEqual({ text: envText(values) });
    expect(outputText("hosts", given)).toEqual({ text: hostsText(given.members ?? [], null) });
  });
});
