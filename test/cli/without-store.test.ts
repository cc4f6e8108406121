/** The commands in the modes without a store: what they print, and what they refuse. */
import { describe, expect, it } from "vitest";
import { GENESIS_COMMANDS } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import type { Lookup, Provider } from "../../src/core/provider.ts";
import { rollcall } from "./fake-io.ts";

const finding =
  (found: Lookup, mode = "dns") =>
  (): Provider => ({ mode, lookup: async () => found, close: async () => {} });
const dns = ["-disco-mode=dns", "-disco-key=prod/orders"];
const partial: Lookup = {
  kind: "partial",
  addresses: ["10.0.0.1:4100", "[fd00::1]:4100"],
  problems: ["n3.example: NXDOMAIN", "n4.example: SERVFAIL"],
  ttlMs: 5_000,
};

describe("discover without a store", () => {
  it("prints the agents, and what is missing", async () => {
    const { code, out } = await rollcall(["discover", ...dns], { provider: finding(partial) });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "key      prod/orders (dns)
      agents   2 (partial: there may be more)
      problem  n3.example: NXDOMAIN
      problem  n4.example: SERVFAIL

      AGENT
      10.0.0.1:4100
      [fd00::1]:4100
      "
    `);
  });

  it("prints neither problems nor a list where there is none", async () => {
    const none: Lookup = { kind: "complete", addresses: [] };
    const { out } = await rollcall(["discover", "-join=self"], { provider: finding(none, "static") });
    expect(out).toBe("key     rollcall (static)\nagents  0\n");
  });

  it("prints JSON, without what only a store has", async () => {
    const { out } = await rollcall(["discover", ...dns, "-o=json"], { provider: finding(partial) });
    const { kind, addresses, problems } = partial;
    expect(JSON.parse(out)).toEqual({ key: "prod/orders", mode: "dns", kind, addresses, problems });
  });

  it("lets no record drive the terminal", async () => {
    const forged: Lookup = { ...partial, problems: ["\u001b[2J\nforged: NXDOMAIN"] };
    const { out } = await rollcall(["discover", ...dns], { provider: finding(forged) });
    expect(out).toContain("[2J forged: NXDOMAIN");
    expect(out).not.toContain("\u001b");
  });
});

describe("the genesis commands without a store", () => {
  const refused = "no store keeps a genesis record; the agents agree among themselves\n";
  const all = COMMANDS.filter(({ name }) => GENESIS_COMMANDS.some((command) => command === name));

  it.each(all.map(({ name }) => name))("say in one line that there is no record: %s", async (name) => {
    const words = name.split(" ");
    // No provider is opened, nothing is asked, and other flags that are missing are not the matter.
    const lines = [
      ["-disco-mode=dns", "-disco-mode=dns"],
      ["-disco-mode=dns-srv", "-disco-mode=dns-srv"],
      ["-disco-mode=file", "-disco-mode=file"],
      ["-disco-mode=http", "-disco-mode=http"],
      ["-join=self", "-join"],
      ["-join=a,b", "-join"],
    ] as const;
    for (const [flag, named] of lines) {
      const ended = await rollcall([...words, flag]);
      expect(ended).toEqual({ code: 2, out: "", err: `rollcall: ${named}: ${refused}`, asked: [] });
    }
  });
});

describe("-join", () => {
  it("comes from the environment and from a file too", async () => {
    const files = { "f.yaml": "join: a,b:4200\nbootstrap_expect: 2\n" };
    const env = { ROLLCALL_JOIN: "a,b:4200", ROLLCALL_BOOTSTRAP_EXPECT: "2" };
    for (const run of [
      await rollcall(["validate", "-config=f.yaml"], { files }),
      await rollcall(["validate"], { env }),
    ]) {
      expect([run.code, run.err]).toEqual([0, ""]);
      expect(run.out).toContain("rollcall (static)");
    }
  });

  it("is named where what it gives is refused", async () => {
    const problems = ["addresses: Too big: expected array to have <=1000 items"];
    const { code, err } = await rollcall(["validate", "-join=a", "-bootstrap-expect=2"], { problems });
    expect([code, err]).toEqual([2, `rollcall: -join: ${problems[0]}\n`]);
  });
});
