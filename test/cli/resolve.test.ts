import { describe, expect, it } from "vitest";
import { rollcall, type World } from "./fake-io.ts";

const ok = ["validate", "-disco-mode=etcd-kv"];

describe("the environment", () => {
  it.each<[string, Record<string, string>, string]>([
    ["a bad value", { ROLLCALL_HTTP_ADDR: "x" }, 'ROLLCALL_HTTP_ADDR: "x" has no port; write x:4100'],
    ["a bad key", { ROLLCALL_DISCO_KEY: "UP" }, "ROLLCALL_DISCO_KEY: must be 1 to 4 segments"],
    ["a missing file", { ROLLCALL_CONFIG: "no.yaml" }, "ROLLCALL_CONFIG: no.yaml: no such file"],
  ])("names its variable for %s", async (_what, env, line) => {
    const { code, err } = await rollcall(ok, { env });
    expect([code, err.startsWith(`rollcall: ${line}`)], err).toEqual([2, true]);
  });

  it("ignores empty and unknown variables, and those of other commands", async () => {
    const env = {
      ROLLCALL_HTTP_ADDR: "",
      ROLLCALL_SERVICE_HOST: "10.0.0.1",
      ROLLCALL_PORT: "tcp://1",
      ROLLCALL_ADDR: "bad",
    };
    expect(await rollcall(ok, { env })).toMatchObject({ code: 0, err: "" });
  });

  it("does not take what belongs on the line", async () => {
    const env = { ROLLCALL_CONFIRM: "rollcall", ROLLCALL_OLD_GENESIS: "x" };
    const { err } = await rollcall(["genesis", "init", "-disco-mode=etcd-kv", "-bootstrap-expect=3"], {
      env,
    });
    expect(err).toContain("-confirm: is required");
  });
});

describe("a -config file", () => {
  const withFile = (content: string, more: Partial<World> = {}) =>
    rollcall(["validate", "-config=f.yaml"], { ...more, files: { "f.yaml": content, ...more.files } });

  it("gives every kind of value natively", async () => {
    const { code, out, err } = await withFile(
      `
disco_mode: consul-kv
disco_key: prod/orders
disco_config: {address: "$HOST:8500", token_file: /run/token}
bootstrap_expect: 3
bootstrap_expect_timeout: 90s
non_voter: false
on_init: [/init.sh, "a b"]
tls_cert:
`,
      { env: { HOST: "consul" } },
    );
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("prod/orders (consul-kv)");
    expect(out).toContain("yes, of 3, overdue after 90s");
  });

  it.each([
    ["disco_mod: disco", "f.yaml: disco_mod: unknown key (did you mean disco_mode?)"],
    ["disco-mode: disco", "f.yaml: disco-mode: unknown key (did you mean disco_mode?)"],
    ["config: x", "f.yaml: config: unknown key"],
    ["confirm: x", "f.yaml: confirm: unknown key"],
    ["db: mysql", 'f.yaml: db: "mysql" must be rqlite, http or none'],
    ["command: rqlited", "f.yaml: command: unknown key"],
    ["'hunter 2': x", "f.yaml: has an unknown key"],
    ["node_id: 7", "f.yaml: node_id: 7 must be in quotes"],
    ["bootstrap_expect: 1.5", "f.yaml: bootstrap_expect: 1.5 must be a whole number from 1 to 99"],
    ["bootstrap_expect_timeout: 120", "f.yaml: bootstrap_expect_timeout: 120 must have a unit, as in 120s"],
    ["insecure: 'no'", 'f.yaml: insecure: "no" must be true or false'],
    ["on_init: {a: 1}", 'f.yaml: on_init: {"a":1} must be a command'],
    ["disco_key: ''", "f.yaml: disco_key: is empty"],
    ["disco_config: [1]", "f.yaml: disco_config: must be JSON or a file"],
    ["a: [1", "f.yaml: is not YAML: "],
    [
      "disco_mode: etcd-kv\ndisco_config: {a: $NONE}",
      "f.yaml: disco_config: a: the variable NONE is not set",
    ],
  ])("refuses %j in one line", async (content, line) => {
    const { code, err } = await withFile(content);
    expect([code, err.startsWith(`rollcall: ${line}`)], err).toEqual([2, true]);
  });

  it("serves a command that uses little of it, and looks at that only", async () => {
    const files = { "f.yaml": "disco_mode: nonsense\nhttp_addr: 127.0.0.1:1\n" };
    const { err } = await rollcall(["status", "-config=f.yaml"], { files });
    expect(err).toBe("rollcall: ask 127.0.0.1:1: nobody listens there; -addr names another agent\n");
  });
});

describe("a list in a -config file", () => {
  it("is refused for -join with how it is written", async () => {
    const files = { "f.yaml": "join: [n1, n2]\n" };
    const { code, err } = await rollcall(["validate", "-config=f.yaml"], { files });
    expect([code, err]).toEqual([
      2,
      'rollcall: f.yaml: join: ["n1","n2"] must be one string, as in "n1,n2"\n',
    ]);
  });
});

describe("-disco-config", () => {
  const withConfig = (text: string, world: World = {}) => rollcall([...ok, "-disco-config", text], world);

  it.each<[string, World]>([
    ["{}", {}],
    [' {"a":1}', {}],
    ["c.json", { files: { "c.json": '{"a":1}' } }],
    ["c.yaml", { files: { "c.yaml": "a: 1\n" } }],
    ["my config.yaml", { files: { "my config.yaml": "a: 1\n" } }],
  ])("takes %j", async (text, world) =>
    expect(await withConfig(text, world)).toMatchObject({ code: 0, err: "" }),
  );

  it.each<[string, World, string]>([
    ["/etc/disco.json", {}, "-disco-config: /etc/disco.json: no such file"],
    ['{"a":1,}', {}, '-disco-config: is not JSON: expected a key in "quotes" at line 1, column 8'],
    ["a: b", {}, "-disco-config: is neither JSON, which begins with {, nor the path of a file that is there"],
    ["[1]", {}, "-disco-config: is neither JSON"],
    [
      "c.json",
      { files: { "c.json": '{"a":1 "b"}' } },
      "-disco-config: c.json: is not JSON: expected , or } at line 1, column 8",
    ],
    [
      "c.yaml",
      { files: { "c.yaml": "a: 1\na: 2" } },
      "-disco-config: c.yaml: is not YAML: a key that is there already at line 2, column 1",
    ],
    ['{"a":"$NONE"}', {}, "-disco-config: a: the variable NONE is not set"],
    [
      "{}",
      { problems: ["x.y: unknown key (did you mean z?)", "a: must be string"] },
      "-disco-config: x.y: unknown key (did you mean z?); a: must be string",
    ],
  ])("refuses %j in one line", async (text, world, line) => {
    const { code, err } = await withConfig(text, world);
    expect([code, err.startsWith(`rollcall: ${line}`)], err).toEqual([2, true]);
  });
});
