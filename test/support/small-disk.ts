/**
 * A disk that is full on demand: a small file system in memory, seen only by what is started inside, which is gone with
 * the process that holds it, also when this one is killed. Needs root, `mount`, `unshare` and `nsenter`.
 */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { codeOf } from "../../src/lib/errors.ts";
import { type Inside, run } from "./processes.ts";
import { hold } from "./root.ts";

export type SmallDisk = {
  /** As a process that is to see it has it. */
  readonly inside: Inside;
  /** Where this process sees a file below the directory it is mounted at. */
  path(name: string): string;
  /** Not a byte more fits on it. */
  fill(): void;
  /** There is room again. */
  free(): void;
  end(): Promise<void>;
};

const SIZE = "128k";
const BLOCK = 4096;

/** Mounts one at a directory, which is there and stays as it is for everybody else. `size` is as `mount` takes it. */
export async function openSmallDisk(dir: string, size = SIZE): Promise<SmallDisk> {
  const holder = await hold("mnt");
  const inside = { pid: holder.pid, kind: "mnt" } as const;
  await run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "rollcall-test", dir], { inside });
  const path = (name: string) => `/proc/${holder.pid}/root${dir}/${name}`;
  return {
    inside,
    path,
    fill() {
      const file = openSync(path("ballast"), "w");
      try {
        for (;;) writeSync(file, Buffer.alloc(BLOCK));
      } catch (error) {
        if (codeOf(error) !== "ENOSPC") throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(path("ballast"), { force: true }),
    end: async () => void (await holder.kill()),
  };
}
