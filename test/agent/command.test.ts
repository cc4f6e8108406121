import { describe, expect, it } from "vitest";
import {
  checkPlaceholders,
  childEnvironment,
  fillCommand,
  START_VARIABLE,
  takesArguments,
} from "../../src/agent/command.ts";
import type { OutcomeValues } from "../../src/core/outcome-values.ts";

const values: OutcomeValues = {
  kind: "join",
  role: "replica",
  join: "b:4002,c:4002",
  members: "a:4002,b:4002,c:4002",
  leader: "b:4001",
  args: ["-join", "b:4002,c:4002"],
};

describe("fillCommand", () => {
  it("puts the adapter's arguments where they belong", () => {
    expect(fillCommand(["rqlited", "-node-id", "a", "/data"], 3, values)).toEqual([
      "rqlited",
      "-node-id",
      "a",
      "-join",
      "b:4002,c:4002",
      "/data",
    ]);
  });

  it("puts them in the place of {{args}} instead, where that stands", () => {
    expect(fillCommand(["env", "A=1", "db", "{{args}}", "/data"], 1, values)).toEqual([
      "env",
      "A=1",
      "db",
      "-join",
      "b:4002,c:4002",
      "/data",
    ]);
    expect(fillCommand(["db", "{{args}}", "/data"], 1, { ...values, args: [] })).toEqual(["db", "/data"]);
  });

  it("adds nothing where there is no place", () => {
    expect(fillCommand(["sh", "-c", "exec db"], null, values)).toEqual(["sh", "-c", "exec db"]);
    expect([
      takesArguments(["db"], null),
      takesArguments(["db"], 1),
      takesArguments(["db", "{{args}}"], null),
    ]).toEqual([false, true, true]);
  });

  it("fills each placeholder with one argument", () => {
    const command = ["db", "{{kind}}", "{{role}}", "{{join}}", "{{members}}", "{{leader}}", "{{join}}"];
    expect(fillCommand(command, null, values)).toEqual([
      "db",
      "join",
      "replica",
      "b:4002,c:4002",
      "a:4002,b:4002,c:4002",
      "b:4001",
      "b:4002,c:4002",
    ]);
  });

  it("leaves an empty argument where there is nothing to say, so that a flag before it keeps its value", () => {
    expect(fillCommand(["db", "--join", "{{join}}", "/data"], null, { ...values, join: "" })).toEqual([
      "db",
      "--join",
      "",
      "/data",
    ]);
  });

  it("leaves everything else as it is", () => {
    const command = ["db", "{{.Message}}", "a {{b}} c", "{join}", "{{}}", "", "toString", "{{constructor}}"];
    expect(fillCommand(command, null, values)).toEqual(command);
  });
});

describe("checkPlaceholders", () => {
  it.each([
    [["db", "{{joins}}"], "{{joins}}: unknown placeholder (did you mean {{join}}?)"],
    [["db", "{{ join }}"], "{{ join }}: unknown placeholder (did you mean {{join}}?)"],
    [["db", "{{Members}}"], "{{Members}}: unknown placeholder (did you mean {{members}}?)"],
    [
      ["db", "{{port}}"],
      "{{port}}: unknown placeholder; there are {{args}}, {{kind}}, {{role}}, {{join}}, {{members}}, {{leader}}",
    ],
    [
      ["db", "{{constructor}}"],
      "{{constructor}}: unknown placeholder; there are {{args}}, {{kind}}, {{role}}, {{join}}, {{members}}, {{leader}}",
    ],
    [["db", "--join={{join}}"], "--join={{join}}: {{join}} must be an argument of its own"],
    [["{{kind}}", "x"], "{{kind}}: a placeholder cannot stand for the program"],
  ])("refuses %j", (command, line) => {
    expect(checkPlaceholders(command)).toBe(line);
  });

  it.each([
    [["db", "{{args}}", "{{kind}}", "{{role}}", "{{join}}", "{{members}}", "{{leader}}"]],
    [["db", "{{.Message}}", "{{ range .X }}", "a{{b}}c", "{join}", "{{a b}}", ""]],
    [[]],
  ])("takes %j", (command) => {
    expect(checkPlaceholders(command)).toBeNull();
  });
});

describe("childEnvironment", () => {
  it("adds the outcome and the nonce", () => {
    expect(childEnvironment({ PATH: "/bin", OUTCOME_KIND: "old" }, values, "n-1")).toEqual({
      PATH: "/bin",
      OUTCOME_KIND: "join",
      OUTCOME_ROLE: "replica",
      OUTCOME_JOIN: "b:4002,c:4002",
      OUTCOME_MEMBERS: "a:4002,b:4002,c:4002",
      OUTCOME_LEADER: "b:4001",
      OUTCOME_ARGS: "-join b:4002,c:4002",
      [START_VARIABLE]: "n-1",
    });
  });

  it("leaves out what speaks to the agent's own service", () => {
    const env = { NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "1", WATCHDOG_PID: "2" };
    expect(Object.keys(childEnvironment(env, values, "n")).filter((name) => name in env)).toEqual([]);
  });
});
