/** A disk on which every sync takes longer: the system's own call, after a wait. Needs a C compiler and Linux. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inPath } from "../test/support/processes.ts";

const SOURCE = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void wait_first(void) {
  const char *ms = getenv("SYNC_DELAY_MS");
  if (ms) usleep(atoi(ms) * 1000);
}
int fsync(int fd) {
  wait_first();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
int fdatasync(int fd) {
  wait_first();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
`;

/** What to add to a program's environment so that its syncs take `ms` longer; null: it cannot be done here. */
export function slowSync(dir: string, ms: number): Record<string, string> | null {
  if (process.platform !== "linux" || inPath("cc") === null) return null;
  const [source, library] = [join(dir, "slow-sync.c"), join(dir, "slow-sync.so")];
  writeFileSync(source, SOURCE);
  execFileSync("cc", ["-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"]);
  return { LD_PRELOAD: library, SYNC_DELAY_MS: String(ms) };
}
