/** A server's certificates in files, and their renewal while it runs. */
import type { Clock } from "./clock.ts";
import { reason } from "./errors.ts";
import type { Listening, ServerTls } from "./http-server.ts";
import type { Log } from "./log.ts";

/** Where the PEM texts are. */
export type TlsFiles = {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string | null;
  readonly clientAuth: boolean;
};

/** A file's text as it is now. */
type ReadFile = (path: string) => Promise<string>;

/** How often certificates on disk are compared with those in use. */
const RENEW_MS = 5_000;

/** The certificates as they are now; null: plain HTTP. Throws what `file` throws. */
export async function readTls(files: TlsFiles | null, file: ReadFile): Promise<ServerTls | null> {
  if (files === null) return null;
  const [cert, key] = await Promise.all([file(files.certFile), file(files.keyFile)]);
  const ca = files.caFile === null ? null : await file(files.caFile);
  return { cert, key, ca, clientAuth: files.clientAuth };
}

/** Takes new certificates into use when their files change; a broken one is told once, and the old ones stay. */
export async function renewTls(
  files: TlsFiles | null,
  first: ServerTls | null,
  server: Pick<Listening, "renew">,
  { file, clock, log }: { file: ReadFile; clock: Clock; log: Log },
  signal: AbortSignal,
): Promise<void> {
  let last = JSON.stringify(first);
  while (first !== null && !signal.aborted) {
    await clock.sleep(RENEW_MS, signal);
    try {
      const next = await readTls(files, file);
      if (next === null || JSON.stringify(next) === last) continue;
      last = JSON.stringify(next);
      server.renew(next);
      log.info({}, "certificates renewed");
    } catch (error) {
      log.error({ error: reason(error) }, "certificates cannot be renewed");
    }
  }
}
