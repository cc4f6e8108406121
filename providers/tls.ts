/** PEM texts for TLS connections, from the files and inline values of a provider's configuration. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { RollcallError, reason } from "../src/lib/errors.ts";
import { namesCertificates } from "../src/lib/pem.ts";

/** Where the texts are. Inline values and files of one kind exclude each other; the schemas see to that. */
export type TlsSources = {
  readonly caFile?: string | undefined;
  /** A directory: every file in it, not below it, is a CA certificate. */
  readonly caPath?: string | undefined;
  readonly caPem?: string | undefined;
  readonly certFile?: string | undefined;
  readonly certPem?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly keyPem?: string | undefined;
};

/** PEM texts; `ca` may hold several certificates. Null: not given. */
export type Pems = { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };

/** Reads what is named. `file` remembers unchanged files, so this may run before every call. Throws as `file` does, and as `authorityIn`. */
export async function readPems(sources: TlsSources, file: (path: string) => Promise<string>): Promise<Pems> {
  const text = async (path: string | undefined, pem: string | undefined) => (path ? file(path) : pem || null);
  const authorities = [sources.caFile ? await authorityIn(sources.caFile, file) : sources.caPem || null];
  if (sources.caPath) {
    for (const path of await filesIn(sources.caPath)) authorities.push(await file(path));
  }
  const ca = authorities.filter((pem) => pem !== null).join("\n");
  return {
    ca: ca === "" ? null : ca,
    cert: await text(sources.certFile, sources.certPem),
    key: await text(sources.keyFile, sources.keyPem),
  };
}

/** The authorities in a file. Throws as `file` does, and `file` where there is none: TLS would only trust nobody. */
export async function authorityIn(path: string, file: (path: string) => Promise<string>): Promise<string> {
  const pem = await file(path);
  if (namesCertificates(pem)) return pem;
  throw new RollcallError("file", `read ${path}: is no certificate in PEM`);
}

// A ProviderContext gives files, not directories; this is the one place where a provider lists one.
async function filesIn(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    // Kubernetes mounts hold `..data` links to directories beside the files' own links.
    const files = entries.filter((entry) => !entry.isDirectory() && !entry.name.startsWith(".."));
    return files.map((entry) => join(directory, entry.name)).sort();
  } catch (error) {
    throw new RollcallError("file", `read ${directory}: ${reason(error)}`, { cause: error });
  }
}
