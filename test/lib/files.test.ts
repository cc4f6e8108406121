import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileCache, readIfThere, writeSynced } from "../../src/lib/files.ts";
import { tempDir } from "../support/temp.ts";

describe("writeSynced", () => {
  it("makes and replaces a file that only its owner reads, and leaves nothing beside it", async () => {
    const dir = tempDir("files");
    const path = join(dir, "a.json");
    await writeSynced(path, "one");
    await writeSynced(path, "two");
    expect(readFileSync(path, "utf8")).toBe("two");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(["a.json"]);
  });

  it("replaces what a crash left beside it", async () => {
    const dir = tempDir("files");
    const path = join(dir, "a.json");
    writeFileSync(`${path}.new`, "a torn and much longer text");
    await writeSynced(path, "one");
    expect(readFileSync(path, "utf8")).toBe("one");
    expect(readdirSync(dir)).toEqual(["a.json"]);
  });

  it("throws `disk` and keeps the old text when the new one cannot be written beside it", async () => {
    const dir = tempDir("files");
    const path = join(dir, "a.json");
    await writeSynced(path, "old");
    // A directory in the way fails for root too, which a missing right does not.
    mkdirSync(`${path}.new`);
    await expect(writeSynced(path, "new")).rejects.toMatchObject({
      code: "disk",
      message: expect.stringContaining(`write ${path}: `),
    });
    expect(readFileSync(path, "utf8")).toBe("old");
  });

  it("throws `disk`, keeps the old and removes the new when the rename fails", async () => {
    const dir = tempDir("files");
    const path = join(dir, "a.json");
    mkdirSync(path);
    writeFileSync(join(path, "child"), "");
    await expect(writeSynced(path, "new")).rejects.toMatchObject({ code: "disk" });
    expect(readdirSync(dir)).toEqual(["a.json"]);
    expect(readdirSync(path)).toEqual(["child"]);
  });

  it("throws `disk` on a full disk and keeps the old text", async (context) => {
    const full = "/dev/full";
    if (!statSync(full, { throwIfNoEntry: false })) return context.skip("no /dev/full here");
    const dir = tempDir("files");
    const path = join(dir, "a.json");
    await writeSynced(path, "old");
    symlinkSync(full, `${path}.new`);
    await expect(writeSynced(path, "new")).rejects.toMatchObject({
      code: "disk",
      message: expect.stringContaining("ENOSPC"),
    });
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(dir)).toEqual(["a.json"]);
  });

  it("throws `disk` where the directory is missing", async () => {
    const path = join(tempDir("files"), "missing", "a.json");
    await expect(writeSynced(path, "x")).rejects.toMatchObject({ code: "disk" });
  });
});

describe("readIfThere", () => {
  it("gives the text, null for no file, and throws `disk` for anything else", async () => {
    const dir = tempDir("files");
    writeFileSync(join(dir, "a"), "é\n");
    expect(await readIfThere(join(dir, "a"))).toBe("é\n");
    expect(await readIfThere(join(dir, "b"))).toBeNull();
    await expect(readIfThere(dir)).rejects.toMatchObject({ code: "disk" });
    await expect(readIfThere(join(dir, "a", "b"))).rejects.toMatchObject({ code: "disk" });
  });
});

describe("fileCache", () => {
  it("reads again when the content, the time or the file itself changed", async () => {
    const dir = tempDir("files");
    const path = join(dir, "secret");
    const read = fileCache();
    writeFileSync(path, "one");
    utimesSync(path, 1, 1);
    expect(await read(path)).toBe("one");
    // Same size, time and inode: remembered.
    writeFileSync(path, "two");
    utimesSync(path, 1, 1);
    expect(await read(path)).toBe("one");
    utimesSync(path, 2, 2);
    expect(await read(path)).toBe("two");
    writeFileSync(path, "three");
    utimesSync(path, 2, 2);
    expect(await read(path)).toBe("three");
    // Another file of the same size and time put in its place, as Kubernetes does.
    writeFileSync(`${path}.new`, "third");
    utimesSync(`${path}.new`, 2, 2);
    renameSync(`${path}.new`, path);
    expect(await read(path)).toBe("third");
  });

  it("throws `file` in one line for a missing file, and reads it once it is there", async () => {
    const path = join(tempDir("files"), "secret");
    const read = fileCache();
    await expect(read(path)).rejects.toMatchObject({
      code: "file",
      message: expect.stringContaining(`read ${path}: ENOENT`),
    });
    writeFileSync(path, "now");
    expect(await read(path)).toBe("now");
  });
});
