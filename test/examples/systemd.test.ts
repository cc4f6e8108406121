import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inPath, start } from "../support/processes.ts";
import { withoutLeaks } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { configured, filled, type Started } from "./configured.ts";

const FOLDER = "examples/systemd";
const unit = readFileSync(`${FOLDER}/rollcall.service`, "utf8");

/** A file's lines without comments. */
function lines(text: string): string[] {
  return text.split("\n").filter((line) => !/^\s*(#|$)/.test(line));
}

/** The values of a setting of the unit, in order. */
function all(name: string): string[] {
  return lines(unit)
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1));
}

/** `NAME=VALUE` as systemd reads it; quotes are taken off. */
function assignment(line: string): [string, string] {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1).replace(/^'(.*)'$/, "$1")];
}

const CREDENTIALS = "/run/credentials/rollcall.service";

/** What the unit starts, with the variables of its own and of rollcall.env. */
function started(): Started {
  const own = all("Environment").map(assignment);
  const file = lines(readFileSync(`${FOLDER}/rollcall.env`, "utf8")).map(assignment);
  const env = Object.fromEntries(
    [...own, ...file].map(([name, value]) => [name, value.replaceAll("%d", CREDENTIALS)]),
  );
  const [program = "", ...argv] = (all("ExecStart")[0] ?? "").split(" ");
  expect(program).toBe("/usr/local/bin/rollcall");
  const credentials = all("LoadCredential").map((line) => [
    `${CREDENTIALS}/${line.split(":", 1)[0]}`,
    "x".repeat(32),
  ]);
  return {
    argv: argv.map((word) => filled(word, /\$\{(\w+)\}/g, env)),
    env,
    files: Object.fromEntries(credentials),
  };
}

describe("the systemd unit", () => {
  it("starts an agent that the program takes", async () => {
    expect(await configured(started())).toMatchObject({
      nodeId: "node-1",
      // Also at 127.0.0.1, where `rollcall explain` may ask without a token.
      httpAddr: { host: "0.0.0.0", port: 4100 },
      httpAdvAddr: { host: "10.0.0.1", port: 4100 },
      dataDir: "/var/lib/rollcall",
      disco: { mode: "consul-kv", key: "prod/rqlite", provider: { address: "127.0.0.1:8500" } },
      formation: "symmetric",
      clusterSecretFile: `${CREDENTIALS}/cluster-secret`,
      insecure: false,
      db: { kind: "rqlite", advAddr: "10.0.0.1:4001", peerAddr: "10.0.0.1:4002", dataDir: "/var/lib/rqlite" },
    });
  });

  it("would not start with a flag or a variable that is misspelt", async () => {
    const good = started();
    const argv = good.argv.map((word) => (word === "-http-addr" ? "-htp-addr" : word));
    await expect(configured({ ...good, argv })).rejects.toThrow(/-htp-addr: unknown flag/);
    const env = { ...good.env, ROLLCALL_STOP_TIMOUT: "1s" };
    await expect(configured({ ...good, env })).rejects.toThrow("ROLLCALL_STOP_TIMOUT: no flag");
    const { ROLLCALL_DISCO_MODE: _, ...none } = good.env;
    await expect(configured({ ...good, env: none })).rejects.toThrow(/-disco-mode: is required/);
  });

  it("takes the agent's own word, and leaves the database to the agent", async () => {
    expect(all("Type")).toEqual(["notify"]);
    // The word comes from systemd-notify, which is another process.
    expect(all("NotifyAccess")).toEqual(["all"]);
    expect(all("KillMode")).toEqual(["process"]);
    const { supervision } = await configured(started());
    const stopMs = Number(all("TimeoutStopSec")[0]) * 1_000;
    expect(stopMs).toBeGreaterThan((supervision?.stopTimeoutMs ?? 0) + 5_000);
  });

  it("has the two directories to write to, and room for temporary files that outlives the agent", async () => {
    const { dataDir, db } = await configured(started());
    const state = (all("StateDirectory")[0] ?? "").split(" ").map((name) => `/var/lib/${name}`);
    expect(state).toEqual([dataDir, db.dataDir]);
    expect(all("DynamicUser")).toEqual(["yes"]); // Which also makes the file system read-only.
    expect(unit).not.toMatch(/^(MemoryDenyWriteExecute|PrivateUsers|ReadWritePaths)=/m);
    expect(all("Environment")).toContain(`TMPDIR=/var/cache/${all("CacheDirectory")[0]}`);
  });
});

const analyze = inPath("systemd-analyze");
const suite =
  analyze === null ? "systemd's opinion [skipped: no systemd-analyze in PATH]" : "systemd's opinion";

describe.skipIf(analyze === null)(suite, () => {
  /** What `systemd-analyze` says of a unit whose programs are there. */
  async function asked(words: readonly string[], text: string) {
    const file = join(tempDir("unit"), "rollcall.service");
    writeFileSync(file, text.replaceAll("/usr/local/bin/rollcall", process.execPath));
    const child = await start({ program: "systemd-analyze", args: [...words, file], env: { LC_ALL: "C" } });
    const { code } = await child.ended;
    return { code, said: `${child.stdout()}${child.stderr()}`.trim() };
  }
  const verify = ["verify", "--man=no", "--recursive-errors=no"];

  withoutLeaks(() => {
    it("has nothing against the unit", async () => {
      expect(await asked(verify, unit)).toEqual({ code: 0, said: "" });
    });

    it("would have against a misspelt setting and a wrong value", async () => {
      const misspelt = await asked(verify, unit.replace("\nKillMode=", "\nKilMode="));
      expect(misspelt.said).toMatch(/Unknown key (name )?'KilMode'/);
      const wrong = await asked(verify, unit.replace("KillMode=process", "KillMode=processes"));
      expect(wrong.said).toMatch(/Failed to parse .*processes/i);
    });

    it("finds it little exposed, as it would not without what the unit forbids itself", async () => {
      const security = ["security", "--offline=yes", "--no-pager", "--threshold=20"];
      const { code, said } = await asked(security, unit);
      expect(code, said).toBe(0);
      const open = unit.replace(
        /^(DynamicUser|Protect|Private|Restrict[A-Z]|SystemCall|Capability).*$/gm,
        "",
      );
      expect((await asked(security, open)).code).not.toBe(0);
    });
  });
});
