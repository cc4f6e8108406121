import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lookAt, park } from "../../src/agent/database.ts";
import { tempDir } from "../support/temp.ts";
import { mounted } from "./support/mounted.ts";

/** A database's directory with a file in it. */
function used(): { outer: string; dir: string } {
  const outer = tempDir("database");
  const dir = join(outer, "db");
  mkdirSync(dir);
  writeFileSync(join(dir, "raft.db"), "data");
  return { outer, dir };
}

describe("lookAt", () => {
  it("tells unknown, empty and present apart", async () => {
    const { outer, dir } = used();
    expect(await lookAt(null)).toBe("unknown");
    expect(await lookAt(join(outer, "missing"))).toBe("empty");
    expect(await lookAt(join(outer, "missing", "deeper"))).toBe("empty");
    expect(await lookAt(dir)).toBe("present");
    mkdirSync(join(outer, "blank", "lost+found"), { recursive: true });
    expect(await lookAt(join(outer, "blank"))).toBe("empty");
    writeFileSync(join(outer, "blank", ".hidden"), "");
    expect(await lookAt(join(outer, "blank"))).toBe("present");
  });

  it("throws `disk` for what is no directory", async () => {
    const { dir } = used();
    await expect(lookAt(join(dir, "raft.db"))).rejects.toMatchObject({
      code: "disk",
      message: expect.stringContaining("look at the database's directory"),
    });
  });
});

describe("park", () => {
  it("renames the directory whole and leaves an empty one with the same mode", async () => {
    const { outer, dir } = used();
    chmodSync(dir, 0o2775);
    expect(await park(dir, "c1")).toBeNull();
    expect(readdirSync(outer).sort()).toEqual(["db", "db.discarded-c1"]);
    expect(readdirSync(dir)).toEqual([]);
    expect(statSync(dir).mode & 0o7777).toBe(0o2775);
    expect(readFileSync(join(outer, "db.discarded-c1", "raft.db"), "utf8")).toBe("data");
  });

  it("leaves the new directory to the owner of the old one", async (context) => {
    if (process.getuid?.() !== 0) return context.skip("only root can give a directory away");
    const { dir } = used();
    chownSync(dir, 65534, 65534);
    expect(await park(dir, "c1")).toBeNull();
    expect([statSync(dir).uid, statSync(dir).gid]).toEqual([65534, 65534]);
  });

  it("does nothing where there is nothing", async () => {
    const outer = tempDir("database");
    mkdirSync(join(outer, "empty"));
    for (const dir of [null, join(outer, "empty"), join(outer, "missing")])
      expect(await park(dir, "c1")).toBeNull();
    expect(readdirSync(outer)).toEqual(["empty"]);
  });

  it("sets aside a second time under the same claim, and never over what is there", async () => {
    const { outer, dir } = used();
    for (const [round, content] of ["data", "again", "and again"].entries()) {
      writeFileSync(join(dir, "raft.db"), content);
      expect(await park(dir, "c1")).toBeNull();
      expect(readdirSync(outer)).toHaveLength(round + 2);
    }
    const kept = readdirSync(outer).filter((name) => name !== "db");
    expect(kept.map((name) => readFileSync(join(outer, name, "raft.db"), "utf8")).sort()).toEqual([
      "again",
      "and again",
      "data",
    ]);
  });

  it("stays beside the directory whatever the claim is called", async () => {
    const outer = tempDir("database");
    const dir = join(outer, "a", "db");
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "x"), "");
    expect(await park(dir, "../../c1")).toBeNull();
    expect(readdirSync(outer)).toEqual(["a"]);
    expect(readdirSync(join(outer, "a"))).toHaveLength(2);
  });

  it("takes a trailing slash and a relative path", async () => {
    const { outer, dir } = used();
    expect(await park(`${dir}/`, "c1")).toBeNull();
    expect(readdirSync(outer).sort()).toEqual(["db", "db.discarded-c1"]);
  });

  it("refuses a mount point, touches nothing, and gives commands that do it", async (context) => {
    const outer = tempDir("it's here");
    const dir = join(outer, "db");
    const ran = await mounted(dir, async () => {
      writeFileSync(join(dir, "raft.db"), "data");
      const parked = await park(dir, "c1");
      expect(parked?.problem).toContain("mount point");
      expect(readdirSync(outer)).toEqual(["db"]);
      expect(readdirSync(dir)).toEqual(["raft.db"]);
      for (const command of parked?.commands ?? []) execFileSync("sh", ["-c", command]);
      expect(readdirSync(dir)).toEqual([]);
      expect(readFileSync(join(outer, "db.discarded-c1", "raft.db"), "utf8")).toBe("data");
      expect(await park(dir, "c1")).toBeNull();
    });
    if (!ran) context.skip("needs the right to mount a tmpfs");
  });

  it("renames a link and leaves its target alone", async () => {
    const { outer, dir } = used();
    const link = join(outer, "link");
    symlinkSync(dir, link);
    expect(await park(link, "c1")).toBeNull();
    expect(readdirSync(link)).toEqual([]);
    expect(readdirSync(join(outer, "link.discarded-c1"))).toEqual(["raft.db"]);
    expect(readdirSync(dir)).toEqual(["raft.db"]);
  });

  it("says what stood in the way, with the commands", async (context) => {
    const outer = tempDir("database");
    const dir = join(outer, "ro", "db");
    const ran = await mounted(join(outer, "ro"), async (remountReadOnly) => {
      mkdirSync(dir);
      writeFileSync(join(dir, "x"), "");
      remountReadOnly();
      const parked = await park(dir, "c1");
      expect(parked?.problem).toContain("EROFS");
      expect(parked?.commands).toHaveLength(2);
    });
    if (!ran) context.skip("needs the right to mount a tmpfs");
    rmdirSync(join(outer, "ro"));
  });
});
