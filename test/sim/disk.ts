/**
 * A virtual disk: what is not synced may be lost or torn when the power fails, and survives when only the process
 * is killed. Names are lost from the last one backwards, as on a journalling file system; texts in any way.
 */
import { basename, dirname } from "node:path";
import type { Disk, Standing } from "../../src/lib/files.ts";
import type { Chance } from "./chance.ts";

type File = { readonly kind: "file"; text: string; durable: string };
type Directory = {
  readonly kind: "directory";
  names: Map<string, File | Directory>;
  durable: Map<string, File | Directory>;
  /** What the names were after each change since the last sync. */
  since: Map<string, File | Directory>[];
};

export type VirtualDisk = {
  /** The disk as one process uses it: `turn` does the work in its time. */
  open(turn: <T>(what: string, effect: () => T) => Promise<T>): Disk;
  /** The power fails: gives what of it was lost. */
  fail(): { readonly torn: boolean; readonly lost: boolean };
  setFull(full: boolean): void;
  isFull(): boolean;
  /** Takes everything in a directory away. */
  empty(directory: string): void;
  /** A look from outside; null: not there. `durable`: as it would be after the power fails, at worst. */
  text(path: string, durable?: boolean): string | null;
  names(directory: string): readonly string[];
};

/** Where everything is on every machine. */
export const DATA_DIR = "/data/agent";
export const DB_DIR = "/db";

const STANDING: Standing = { dev: 1, mode: 0o700, uid: 0, gid: 0 };

/** A disk with the directories given, each in `/`. `failed` is told what a full disk has failed to write. */
export function virtualDisk(
  chance: Chance,
  directories: readonly string[],
  failed: (path: string, text: string) => void,
): VirtualDisk {
  let full = false;
  const root = directory();
  for (const name of directories) root.names.set(name, directory());
  root.durable = new Map(root.names);

  const find = (path: string): File | Directory | undefined => {
    let at: File | Directory | undefined = root;
    for (const name of path.split("/").filter((part) => part !== ""))
      at = at?.kind === "directory" ? at.names.get(name) : undefined;
    return at;
  };
  const folder = (path: string): Directory => {
    const found = find(path);
    if (found?.kind === "directory") return found;
    throw fault(found === undefined ? "ENOENT" : "ENOTDIR", path);
  };
  const file = (path: string): File => {
    const found = find(path);
    if (found?.kind === "file") return found;
    throw fault(found === undefined ? "ENOENT" : "EISDIR", path);
  };
  const change = (path: string, edit: (names: Map<string, File | Directory>, name: string) => void) => {
    const above = folder(dirname(path));
    edit(above.names, basename(path));
    above.since.push(new Map(above.names));
  };
  const room = (path: string, text = "") => {
    if (!full) return;
    failed(path, text);
    throw fault("ENOSPC", path);
  };

  return {
    open: (turn) => ({
      read: (path) => turn(`read ${path}`, () => file(path).text),
      write: (path, text) =>
        turn(`write ${path}`, () => {
          let found = find(path);
          if (found === undefined) {
            room(path, text);
            found = { kind: "file", text: "", durable: "" };
            const made = found;
            change(path, (names, name) => names.set(name, made));
          }
          if (found.kind === "directory") throw fault("EISDIR", path);
          // Of a text that does not fit, the beginning is there.
          found.text = full ? text.slice(0, Math.floor(chance.next() * text.length)) : text;
          room(path, text);
        }),
      sync: (path) =>
        turn(`sync ${path}`, () => {
          const found = path === "/" ? root : find(path);
          if (found === undefined) throw fault("ENOENT", path);
          if (found.kind === "file") found.durable = found.text;
          else {
            found.durable = new Map(found.names);
            found.since = [];
          }
        }),
      rename: (from, to) =>
        turn(`rename ${to}`, () => {
          const found = find(from);
          if (found === undefined) throw fault("ENOENT", from);
          const above = folder(dirname(to));
          const source = folder(dirname(from));
          source.names.delete(basename(from));
          above.names.set(basename(to), found);
          above.since.push(new Map(above.names));
          if (source !== above) source.since.push(new Map(source.names));
        }),
      remove: (path) =>
        turn(`remove ${path}`, () => {
          file(path);
          change(path, (names, name) => names.delete(name));
        }),
      list: (path) => turn(`list ${path}`, () => [...folder(path).names.keys()]),
      make: (path) =>
        turn(`make ${path}`, () => {
          if (find(path) !== undefined) throw fault("EEXIST", path);
          room(path);
          change(path, (names, name) => names.set(name, directory()));
        }),
      standing: (path) =>
        turn(`look at ${path}`, () => {
          if (path !== "/") folder(path);
          return STANDING;
        }),
    }),
    fail() {
      const told = { torn: false, lost: false };
      lose(root, chance, told);
      return told;
    },
    setFull(next) {
      full = next;
    },
    isFull: () => full,
    empty(path) {
      const found = find(path);
      if (found?.kind !== "directory") return;
      found.names = new Map();
      found.durable = new Map();
      found.since = [];
    },
    text(path, durable = false) {
      if (!durable) {
        const found = find(path);
        return found?.kind === "file" ? found.text : null;
      }
      let at: File | Directory | undefined = root;
      for (const name of path.split("/").filter((part) => part !== ""))
        at = at?.kind === "directory" ? at.durable.get(name) : undefined;
      return at?.kind === "file" ? at.durable : null;
    },
    names: (path) => [...folder(path).names.keys()],
  };
}

function directory(): Directory {
  return { kind: "directory", names: new Map(), durable: new Map(), since: [] };
}

/** What was not synced: a beginning of the changes of names is kept, and of each text the old, the new, or neither. */
function lose(at: File | Directory, chance: Chance, told: { torn: boolean; lost: boolean }): void {
  if (at.kind === "file") {
    if (at.text === at.durable) return;
    const how = chance.whole(0, 4);
    if (how === 0) at.text = at.durable;
    if (how > 1) at.text = at.text.slice(0, Math.floor(chance.next() * at.text.length));
    told.torn ||= how > 1;
    told.lost ||= how === 0;
    at.durable = at.text;
    return;
  }
  const kept = chance.whole(0, at.since.length);
  if (kept < at.since.length) told.lost = true;
  at.names = kept === 0 ? new Map(at.durable) : new Map(at.since[kept - 1]);
  at.durable = new Map(at.names);
  at.since = [];
  for (const one of at.names.values()) lose(one, chance, told);
}

function fault(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
