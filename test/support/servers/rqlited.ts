/**
 * A real rqlite node whose command line, place and files are the test's: for whoever starts rqlited as an agent
 * would. `startRqlite` is for those who only need one.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Reply, type RequestOptions, request } from "../http.ts";
import { freePlace, loopbackAddress, type Place } from "../loopback.ts";
import { type Exit, type Process, type Start, start } from "../processes.ts";
import { tempDir } from "../temp.ts";
import { RQLITE_PORTS, type RqlitePorts, rqlitedProgram } from "./rqlite.ts";

/** One node. It has a place and a data directory from the first; nothing runs before `start`. */
export type Rqlited = {
  readonly name: string;
  readonly dataDir: string;
  /** `host:port` of its HTTP and of its Raft, where it is now. */
  readonly addr: () => string;
  readonly peerAddr: () => string;
  /** Its command: the program, the addresses, `extra`, and the data directory. */
  command(extra?: readonly string[]): string[];
  /** Runs a command whose program is rqlited; does not wait for anything. Kills what ran before. */
  start(command: readonly string[]): Promise<void>;
  /** From the next start on it listens somewhere else, with its data. */
  move(): Promise<void>;
  /** Writes a file that rqlited may read and remove. */
  write(path: string, text: string): Promise<void>;
  /** Ends it and forgets its data. */
  wipe(): Promise<void>;
  readonly exit: () => Exit | null;
  readonly output: () => string;
  stop(): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): void;
  request(path: string, options?: RequestOptions): Promise<Reply>;
  /** Runs one SQL statement on the node that leads, wherever this one passes it on to; the body of the answer. */
  execute(sql: string): Promise<string>;
  /** What this node itself has, be it behind or not. */
  rows(sql: string): Promise<unknown>;
};

/** A node that was never started. Its HTTP is asked without TLS by the methods here. */
export async function newRqlited(name: string): Promise<Rqlited> {
  const { own, program, user } = await rqlitedProgram();
  const address = await loopbackAddress();
  const dataDir = join(tempDir(name), "data");
  let place: Place<RqlitePorts> = await freePlace(address, RQLITE_PORTS);
  let child: Process | null = null;
  const at = (port: RqlitePorts) => `${place.address}:${place.ports[port]}`;
  const ask: Rqlited["request"] = (path, options) => request(`http://${at("http")}${path}`, options);
  return {
    name,
    dataDir,
    addr: () => at("http"),
    peerAddr: () => at("raft"),
    command: (extra = []) => [program, "-http-addr", at("http"), "-raft-addr", at("raft"), ...extra, dataDir],
    async start([word = program, ...args]) {
      await child?.kill();
      await mkdir(dataDir, { recursive: true });
      await own(dataDir);
      const what: Start = { name, program: word, args, ...(user === undefined ? {} : { user }) };
      child = await start(what);
    },
    async move() {
      place = await freePlace(address, RQLITE_PORTS);
    },
    async write(path, text) {
      await mkdir(dirname(path), { recursive: true });
      await own(dirname(path));
      await writeFile(path, text);
      await own(path);
    },
    async wipe() {
      await child?.kill();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    },
    exit: () => child?.exit() ?? null,
    output: () => `${child?.stdout() ?? ""}${child?.stderr() ?? ""}`,
    async stop() {
      await child?.stop();
    },
    async kill() {
      await child?.kill();
    },
    pause: async () => void (await child?.pause()),
    resume: () => void child?.signal("SIGCONT"),
    request: ask,
    async execute(sql) {
      const headers = { "content-type": "application/json" };
      return (await ask("/db/execute", { method: "POST", headers, body: JSON.stringify([sql]) })).body;
    },
    async rows(sql) {
      const reply = await ask(`/db/query?level=none&q=${encodeURIComponent(sql)}`);
      return (JSON.parse(reply.body) as { results: { values?: unknown }[] }).results[0]?.values;
    },
  };
}
