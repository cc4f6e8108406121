/**
 * Finds the programs of the real servers, or fetches them: on Debian 12 on amd64, from the mirror that apt
 * itself uses, with apt's own download program, which checks the hash. Elsewhere they are found or missing.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { codeOf, RollcallError, reason } from "../../../src/lib/errors.ts";
import { inPath, isExecutable, run } from "../processes.ts";
import { until } from "../wait.ts";
import { type Found, findProgram, PROGRAMS, type Program, serversPrefix, variableOf } from "./find.ts";
import { type Package, PINS, type Pin, type Pinned } from "./pins.ts";

const APT_HELPER = "/usr/lib/apt/apt-helper";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const APT = { env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" } };
const LOCK_DEADLINE_MS = 180_000;

/**
 * Each program's place; what is missing is fetched first. Processes that do this at the same time wait for
 * one another, and one that finds everything in place does nothing. A failure is "missing", with the reason.
 */
export async function ensurePrograms(wanted: readonly Program[] = PROGRAMS): Promise<Map<Program, Found>> {
  return new Map(await Promise.all(wanted.map(async (program) => [program, await ensure(program)] as const)));
}

/** The path of one program, fetched if need be. Throws code `missing_program` with the reason. */
export async function programPath(program: Program): Promise<string> {
  const found = await ensure(program);
  if (found.kind === "found") return found.path;
  throw new RollcallError("missing_program", `find ${program}: ${found.reason}`);
}

async function ensure(program: Program): Promise<Found> {
  const found = findProgram(program);
  // rqlited comes with npm; and a variable that points at nothing is to be corrected, not worked around.
  if (found.kind === "found" || program === "rqlited" || process.env[variableOf(program)]) return found;
  const refusal = await unsupported(program);
  if (refusal !== null) return { kind: "missing", reason: `${found.reason}; not fetched: ${refusal}` };
  try {
    await locked(program, async () => {
      if (findProgram(program).kind === "found") return;
      if (program === "openssl") await installOpenssl();
      else await unpackInto(program, PINS[program]);
    });
  } catch (error) {
    return { kind: "missing", reason: `${found.reason}; fetching failed: ${reason(error)}` };
  }
  return findProgram(program);
}

// The pinned files are for one system; another gets its servers from its own package manager.
async function unsupported(program: Program): Promise<string | null> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const debian12 = /^ID=debian$/m.test(release) && /^VERSION_ID="12"$/m.test(release);
  if (!debian12 || process.arch !== "x64") return "that is done on Debian 12 on amd64 only";
  if (!isExecutable(APT_HELPER) || inPath("dpkg-deb") === null) return "apt is not complete here";
  if (program === "openssl" && process.getuid?.() !== 0) return "that needs root";
  return null;
}

// An abstract socket as the lock: the kernel frees it with its process, so it can never be stale.
async function locked(program: Program, work: () => Promise<void>): Promise<void> {
  const id = createHash("sha256").update(serversPrefix()).digest("hex").slice(0, 16);
  const what = `another installation of ${program} to end`;
  const lock = await until(() => tryLock(`\0rollcall-install-${program}-${id}`), {
    deadlineMs: LOCK_DEADLINE_MS,
    what,
    everyMs: 20,
  });
  try {
    await work();
  } finally {
    lock.close();
  }
}

function tryLock(name: string): Promise<Server | null> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error) => (codeOf(error) === "EADDRINUSE" ? resolve(null) : reject(error)));
    server.listen(name, () => resolve(server));
  });
}

// Unpacked beside its final place and moved there whole: another process sees all of it or nothing.
async function unpackInto(program: Pinned, pin: Pin): Promise<void> {
  const prefix = serversPrefix();
  await mkdir(join(prefix, "bin"), { recursive: true });
  const work = await mkdtemp(join(prefix, `.${program}-`));
  try {
    const { file, origin } = await fetchPackage(pin, work);
    await run("dpkg-deb", ["--extract", file, join(work, "all")]);
    const tree = join(work, "tree");
    await mkdir(join(tree, dirname(pin.binary)), { recursive: true });
    await rename(join(work, "all", pin.binary), join(tree, pin.binary));
    const entry = pin.libraries === undefined ? pin.binary : await withLibraries(pin, pin.libraries, work);
    await writeFile(join(tree, "stamp"), `${pin.sha256}\n${origin}\n`);
    await rm(join(prefix, program), { recursive: true, force: true });
    await rename(tree, join(prefix, program));
    await linkOver(`../${program}/${entry}`, join(prefix, "bin", basename(pin.binary)));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

// Gives the script that starts the program with its libraries, once it has shown that it starts.
async function withLibraries(pin: Pin, libraries: readonly Package[], work: string): Promise<string> {
  const tree = join(work, "tree");
  for (const library of libraries) {
    const { file } = await fetchPackage(library, work);
    await run("dpkg-deb", ["--extract", file, join(work, "libraries")]);
  }
  await rename(join(work, "libraries/usr/lib/x86_64-linux-gnu"), join(tree, "lib"));
  const lines = [
    "#!/bin/sh",
    'here=$(dirname "$(readlink -f "$0")")',
    `LD_LIBRARY_PATH="$here/lib" exec "$here/${pin.binary}" "$@"`,
  ];
  await writeFile(join(tree, "start"), `${lines.join("\n")}\n`, { mode: 0o755 });
  await run(join(tree, "start"), ["--version"]);
  return "start";
}

async function linkOver(target: string, link: string): Promise<void> {
  await symlink(target, `${link}.new`);
  await rename(`${link}.new`, link);
}

// The pinned file; where a point release has replaced it, what its suite's signed index names now.
async function fetchPackage(pin: Package, work: string): Promise<{ file: string; origin: string }> {
  const mirror = await mirrorOfApt();
  const file = join(work, `${pin.package}.deb`);
  try {
    await run(
      APT_HELPER,
      ["-qq", "download-file", `${mirror}/${pin.path}`, file, `SHA256:${pin.sha256}`],
      APT,
    );
    return { file, origin: basename(pin.path) };
  } catch (pinned) {
    try {
      return await fetchFromIndex(pin, mirror, join(work, `apt-${pin.package}`));
    } catch (index) {
      throw new RollcallError("fetch", `fetch ${pin.package}: ${reason(pinned)}; ${reason(index)}`, {
        cause: index,
      });
    }
  }
}

// The address of Debian's mirror as apt's own sources give it. `apt-get indextargets` would need lists.
async function mirrorOfApt(): Promise<string> {
  const { stdout } = await run("apt-get", ["update", "--print-uris"], APT);
  const mirror = /^'([^']*)\/dists\/bookworm\/InRelease'/m.exec(stdout)?.[1];
  if (mirror === undefined)
    throw new RollcallError("fetch", "find apt's mirror: its sources name no bookworm suite");
  return mirror;
}

// A private apt folder for one suite: apt checks the signature, and the system's own lists stay as they are.
async function fetchFromIndex(
  pin: Package,
  mirror: string,
  folder: string,
): Promise<{ file: string; origin: string }> {
  for (const part of ["lists/partial", "cache/archives/partial", "parts", "out"]) {
    await mkdir(join(folder, part), { recursive: true });
  }
  const sources = join(folder, "sources.list");
  await writeFile(sources, `deb [signed-by=${KEYRING}] ${mirror} ${pin.suite} main\n`);
  const settings = {
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": join(folder, "parts"),
    "Dir::State::lists": join(folder, "lists"),
    "Dir::Cache": join(folder, "cache"),
    "APT::Sandbox::User": "root",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const out = join(folder, "out");
  await run("apt-get", ["-qq", ...options, "update"], APT);
  await run("apt-get", ["-qq", ...options, "download", pin.package], { ...APT, cwd: out });
  const origin = (await readdir(out)).find((name) => name.endsWith(".deb"));
  if (origin === undefined)
    throw new RollcallError("fetch", `fetch ${pin.package} of ${pin.suite}: apt gave no file`);
  return { file: join(out, origin), origin };
}

// The only program that is installed rather than unpacked: it is of this very suite, and nearly always there.
async function installOpenssl(): Promise<void> {
  const install = [
    "-qq",
    "-y",
    "--no-install-recommends",
    "--no-upgrade",
    "-o",
    "DPkg::Lock::Timeout=60",
    "install",
  ];
  try {
    await run("apt-get", [...install, "openssl"], APT);
  } catch {
    await run("apt-get", ["-qq", "update"], APT);
    await run("apt-get", [...install, "openssl"], APT);
  }
}
