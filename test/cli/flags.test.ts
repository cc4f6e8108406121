import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLIENT, STORE } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { envName, FLAGS, type Flag, findFlag, flagsOf } from "../../src/cli/flags.ts";
import { parseLine } from "../../src/cli/parse.ts";
import { resolve } from "../../src/cli/resolve.ts";
import { Settings } from "../../src/config.ts";
import { parseDuration } from "../../src/lib/duration.ts";
import { filesOf, rollcall } from "./fake-io.ts";

const agentFlags = flagsOf("agent").filter((flag) => flag.name !== "config");
const word = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,12}$/);
const port = fc.integer({ min: 1, max: 65535 });

/** A value of a flag, as it would be typed. */
function textOf(flag: Flag): fc.Arbitrary<string> {
  switch (flag.kind) {
    case "bool":
      return fc.constantFrom("true", "false");
    case "int":
      return fc.integer({ min: flag.range?.[0] ?? 0, max: flag.range?.[1] ?? 9 }).map(String);
    case "duration":
      return fc
        .tuple(fc.integer({ min: 1, max: 500 }), fc.constantFrom("s", "m"))
        .map((parts) => parts.join(""))
        .filter((text) => (parseDuration(text) ?? 0) <= (flag.range?.[1] ?? Number.POSITIVE_INFINITY));
    case "enum":
      return fc.constantFrom(...(flag.values ?? []));
    case "list":
      return fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join(" "));
    case "json":
      return fc.dictionary(word, fc.oneof(word, fc.integer())).map((value) => JSON.stringify(value));
    case "address":
      return fc
        .tuple(
          fc.oneof(
            fc.ipV4(),
            word.map((name) => `h${name.replaceAll(/[._-]/g, "")}`),
          ),
          port,
        )
        .map((p) => p.join(":"));
    case "string":
      return word;
    default:
      return flag.kind satisfies never;
  }
}

const flagAndText = fc
  .constantFrom(...agentFlags)
  .chain((flag) => textOf(flag).map((text) => ({ flag, text })));

async function settingsOf(
  argv: readonly string[],
  world: { env?: Record<string, string>; files?: Record<string, string> } = {},
) {
  const line = parseLine(argv);
  if (line.kind !== "run") return expect.unreachable("this asks for help");
  return resolve(line, { env: world.env ?? {}, files: filesOf(world.files ?? {}) });
}

describe("the table", () => {
  it("has every key of Settings", () => {
    const keys = new Set(FLAGS.filter((flag) => flag.name !== "config").map((flag) => flag.key));
    // The database's own command follows `--` and is no flag.
    keys.add("command");
    expect([...keys].sort()).toEqual(Object.keys(Settings.shape).sort());
  });

  it("gives no command two flags of one name or one key", () => {
    for (const { name } of COMMANDS) {
      const flags = flagsOf(name);
      expect(new Set(flags.map((flag) => flag.name)).size, name).toBe(flags.length);
      expect(new Set(flags.map((flag) => flag.key)).size, name).toBe(flags.length);
    }
  });

  it("has defaults that parse, and one-line meanings without a full stop", async () => {
    await expect(settingsOf(["agent"])).resolves.toBeTruthy();
    for (const flag of FLAGS) expect(flag.meaning, flag.name).toMatch(/^[^\n]{10,140}[^.\n]$/);
  });

  it("allows what the schema of Settings allows", () => {
    for (const flag of FLAGS) {
      const field = Object.entries(Settings.shape).find(([key]) => key === flag.key)?.[1];
      for (const value of flag.values ?? [])
        expect(field?.safeParse(value).success, `${flag.name} ${value}`).toBe(true);
    }
  });

  it("takes an agent's whole line for every command that works beside it", () => {
    for (const name of [...STORE, ...CLIENT]) {
      for (const flag of agentFlags)
        expect(findFlag(name, flag.name), `${name} -${flag.name}`).not.toBeNull();
    }
  });

  it("has different flags for -genesis: who creates, and which is given up", () => {
    expect(findFlag("agent", "genesis")?.key).toBe("genesis");
    expect(findFlag("genesis init", "genesis")?.key).toBe("genesis");
    expect(findFlag("genesis rebirth", "genesis")?.key).toBe("old_genesis");
  });
});

describe("a value", () => {
  it("means the same in four spellings, the environment and a file", async () => {
    await fc.assert(
      fc.asyncProperty(flagAndText, async ({ flag, text }) => {
        const [name, env] = [flag.name, envName(flag) ?? ""];
        const wanted = await settingsOf(["agent", `-${name}=${text}`]);
        expect(await settingsOf(["agent", `--${name}=${text}`])).toEqual(wanted);
        if (flag.kind !== "bool") {
          expect(await settingsOf(["agent", `-${name}`, text])).toEqual(wanted);
          expect(await settingsOf(["agent", `--${name}`, text])).toEqual(wanted);
        } else if (text === "true") {
          expect(await settingsOf(["agent", `-${name}`])).toEqual(wanted);
          expect(await settingsOf(["agent", `--${name}`])).toEqual(wanted);
        }
        expect(await settingsOf(["agent"], { env: { [env]: text } })).toEqual(wanted);
        const files = { "f.json": JSON.stringify({ [flag.key]: text }) };
        expect(await settingsOf(["agent", "-config", "f.json"], { files })).toEqual(wanted);
        expect(await settingsOf(["agent"], { files, env: { ROLLCALL_CONFIG: "f.json" } })).toEqual(wanted);
      }),
    );
  });

  it("comes from the flag, else the environment, else the file, else the default", async () => {
    const differing = fc.constantFrom(...agentFlags).chain((flag) => {
      const texts = fc.uniqueArray(textOf(flag), { minLength: 1, maxLength: 3 });
      return fc
        .tuple(texts, fc.subarray(["flag", "env", "file"]))
        .map(([given, who]) => ({ flag, given, who }));
    });
    await fc.assert(
      fc.asyncProperty(differing, async ({ flag, given, who }) => {
        const textBy = (source: string) =>
          given[["flag", "env", "file"].indexOf(source) % given.length] ?? "";
        const has = (source: string) => who.includes(source);
        const argv = ["agent", ...(has("flag") ? [`-${flag.name}=${textBy("flag")}`] : []), "-config=f.yaml"];
        const env = has("env") ? { [envName(flag) ?? ""]: textBy("env") } : {};
        const files = { "f.yaml": has("file") ? JSON.stringify({ [flag.key]: textBy("file") }) : "" };
        const winner = ["flag", "env", "file"].find(has);
        const wanted = await settingsOf(
          winner === undefined ? ["agent"] : ["agent", `-${flag.name}=${textBy(winner)}`],
        );
        expect(await settingsOf(argv, { env, files })).toEqual(wanted);
      }),
    );
  });
});

describe("bad input", () => {
  const argument = fc.oneof(
    fc.string(),
    fc.constantFrom(...COMMANDS.flatMap(({ name }) => name.split(" ")), "--", "-", "=", "-h"),
    fc.constantFrom(...FLAGS.map((flag) => `-${flag.name}`)),
    flagAndText.map(({ flag, text }) => `-${flag.name}=${text}`),
    fc
      .tuple(fc.constantFrom(...FLAGS.map((flag) => flag.name)), fc.string())
      .map(([name, text]) => `--${name}=${text}`),
  );

  it("never gives more than one line, and 2", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(argument, { maxLength: 6 }), async (argv) => {
        // Agents and stores are for other tests; here nothing may start.
        const { code, out, err } = await rollcall(["validate", ...argv]);
        expect([code, err === "", out === ""]).toEqual(code === 0 ? [0, true, false] : [2, false, true]);
        expect(err).toMatch(code === 0 ? /^$/ : /^rollcall: [^\n]+\n$/);
      }),
      { numRuns: 500 },
    );
  });

  it("never gives more than one line for a bad environment or file", async () => {
    const text = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...agentFlags), text, async (flag, value) => {
        const env: Record<string, string> = { ROLLCALL_DISCO_MODE: "etcd-kv", [envName(flag) ?? ""]: value };
        const files = { "f.yaml": `${flag.key}: ${value}` };
        for (const run of [
          await rollcall(["validate"], { env }),
          await rollcall(["validate", "-config=f.yaml"], { files }),
        ]) {
          expect(run.err).toMatch(run.code === 0 ? /^$/ : /^rollcall: [^\n]+\n$/);
          expect([0, 2]).toContain(run.code);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("never repeats a secret", async () => {
    const secret = "s3cr3tS3CR3T";
    const places = fc.constantFrom(
      [`-disco-config={"token":"${secret}"`],
      [`-disco-config={"token":"${secret}",}`],
      [`-disco-config={token:"${secret}"}`],
      ["-disco-config", `{"a":${secret}}`],
      ["-disco-config", "{", `token:${secret}`, "}"],
      ["-disco-config", `"token":"${secret}"`],
      ["-disco-config", `token: ${secret}`],
      [`-token=${secret}`],
      ["-password", secret],
      ["-insecure", secret],
      [`-${secret} x=${secret}`],
      [`-disco-url=http://user:${secret}@host/`],
      [`-disco-url=${secret}`],
      ["--", secret],
    );
    const before = fc.subarray(["-disco-mode=disco", "-disco-id=x", "-log-level=info", "-disco-key=k"]);
    await fc.assert(
      fc.asyncProperty(before, places, async (argv, place) => {
        const { out, err } = await rollcall(["validate", ...argv, ...place]);
        expect(out + err).not.toContain(secret);
      }),
    );
  });

  it("suggests the flag for a name with any one letter missing or doubled", async () => {
    const long = agentFlags.filter((flag) => flag.name.length > 5);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...long), fc.nat(), fc.boolean(), async (flag, nat, doubled) => {
        const at = nat % flag.name.length;
        const name = flag.name.slice(0, doubled ? at + 1 : at) + flag.name.slice(doubled ? at : at + 1);
        // Some names with a letter less are flags too, or nearer to another.
        if (findFlag("agent", name) !== null || name.startsWith("-")) return;
        const { code, err } = await rollcall(["agent", `-${name}=x`]);
        expect(code).toBe(2);
        expect(err).toContain("did you mean -");
      }),
    );
  });
});
