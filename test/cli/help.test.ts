import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { envName, flagsOf } from "../../src/cli/flags.ts";
import { helpText } from "../../src/cli/help.ts";
import { commandTable, flagTable } from "../../src/cli/markdown.ts";
import { parseLine } from "../../src/cli/parse.ts";

const topics = [null, "genesis", ...COMMANDS.map(({ name }) => name)];

describe("help", () => {
  it("fits into 100 columns", () => {
    for (const topic of topics) {
      const long = helpText(topic)
        .split("\n")
        .filter((line) => line.length > 100 || line !== line.trimEnd());
      expect(long, String(topic)).toEqual([]);
    }
  });

  it("names every flag of a command with its variable and default", () => {
    for (const { name } of COMMANDS) {
      const text = helpText(name).replaceAll(/\s+/g, " ");
      for (const flag of flagsOf(name)) {
        expect(text).toContain(` -${flag.name}${flag.word === "" ? "" : ` ${flag.word}`} `);
        if (envName(flag) !== null) expect(text).toContain(`$${envName(flag)}`);
        if (flag.default !== null && flag.kind !== "bool")
          expect(text).toContain(`(default ${flag.default})`);
      }
    }
  });

  it("gives examples that parse", () => {
    for (const line of COMMANDS.flatMap(({ examples }) => examples)) {
      const words = line
        .split(" ")
        .slice(1)
        .map((word) => word.replaceAll("'", ""));
      expect(() => parseLine(words), line).not.toThrow();
    }
  });

  it("says what every exit code means", () => {
    expect(helpText(null)).toMatch(/Exit codes\n {2}0 .*\n {2}1 .*\n {2}2 .*\n {2}3 /);
  });

  it("looks like this", () => {
    expect(helpText("genesis")).toMatchInlineSnapshot(`
      "Usage: rollcall genesis COMMAND [FLAGS]

        genesis show         prints the genesis record
        genesis init         creates the genesis record, so that voters may create the cluster
        genesis adopt        brings a running cluster under rollcall, without a restart
        genesis restore      writes this node's marker back into a store that lost the record
        genesis rebirth      gives up a cluster for good, so that its key may have a new one
        genesis assume-lost  without a store: says that a voter is gone for good

      rollcall help genesis COMMAND, or -h after it, explains one.
      "
    `);
    expect(helpText("discover").split("\n").slice(7, 17).join("\n")).toMatchInlineSnapshot(`
      "Discovery
        -disco-mode MODE              where the peers are found and, where that is a store, the genesis is
                                      agreed upon
                                      [consul-kv|etcd-kv|disco|dns|dns-srv|consul-service|file|http]
                                      (required unless -join is given) $ROLLCALL_DISCO_MODE
        -disco-config JSON|FILE       how to reach it: JSON when it begins with {, else a JSON or YAML
                                      file; $VAR, \${VAR:-default} and $$ expand in its strings (default
                                      {}) $ROLLCALL_DISCO_CONFIG
        -disco-key KEY                the cluster's name everywhere: 1 to 4 segments of [a-z0-9._-] joined
                                      by / (default rollcall; in mode disco, -disco-id)"
    `);
  });
});

describe("the README's tables", () => {
  it("have a row for every flag of the agent and every command", () => {
    const rows = flagTable().split("\n");
    expect(rows.length).toBe(flagsOf("agent").length + 3);
    for (const row of rows.slice(0, -1)) expect(row.replaceAll("\\|", "").split("|").length, row).toBe(6);
    for (const { name } of COMMANDS) expect(commandTable()).toContain(`| \`rollcall ${name}\` | `);
  });

  it("show only what a command adds to the agent's flags", () => {
    expect(flagTable("genesis rebirth")).toMatchInlineSnapshot(`
      "| flag | default | environment | meaning |
      | --- | --- | --- | --- |
      | \`-genesis OLD_ID\` | required | – | the genesis that is given up |
      | \`-confirm KEY\` | asked on a terminal | – | the cluster's key once more, as confirmation |
      "
    `);
  });
});
