/** What agents are shown and trusted by: tokens and certificates, read again when their files change. */
import { createSecureContext, type SecureContext } from "node:tls";
import type { DiscoverySettings } from "../core/settings.ts";
import { tokenIn } from "../lib/bearer.ts";
import type { Clock } from "../lib/clock.ts";
import { RollcallError, reason } from "../lib/errors.ts";
import { holdsCertificates } from "../lib/pem.ts";

/** `context` is the same object for as long as the files hold the same; null: the system's trust, and nothing to show. */
export type AgentCredentials = { readonly token: string | null; readonly context: SecureContext | null };

type Settings = Pick<DiscoverySettings, "tls" | "token_file">;
type Kept = { at: number; readonly read: () => Promise<AgentCredentials>; now: Promise<AgentCredentials> };

/** Looking at files for every poll would cost as much as the poll. */
const LOOK_EVERY_MS = 1_000;
/** Discoveries with credentials of their own; one that was forgotten costs new connections. */
const MOST_KEPT = 256;

const NONE: AgentCredentials = { token: null, context: null };

/** `file` gives a file's text and reads it again when it changed. What `current` gives rejects with `own`, naming the file: no agent is to blame. */
export function openAgentCredentials(clock: Clock, file: (path: string) => Promise<string>) {
  const kept = new Map<string, Kept>();
  return {
    current({ tls, token_file }: Settings): Promise<AgentCredentials> | AgentCredentials {
      if (tls === null && token_file === null) return NONE;
      const name = JSON.stringify([tls, token_file]);
      const now = clock.now();
      const old = kept.get(name);
      if (old !== undefined && now - old.at < LOOK_EVERY_MS) return old.now;
      const read = old?.read ?? reader({ tls, token_file }, file);
      kept.delete(name);
      kept.set(name, { at: now, read, now: read() });
      for (const oldest of kept.keys()) if (kept.size > MOST_KEPT) kept.delete(oldest);
      return kept.get(name)?.now ?? NONE;
    },
  };
}

/** Reads one set of files; the context is made anew only when a text is another. */
function reader({ tls, token_file }: Settings, file: (path: string) => Promise<string>) {
  let builtFrom = "";
  let context: SecureContext | null = null;
  const read = async (path: string | null) => (path === null ? undefined : await file(path));
  return async (): Promise<AgentCredentials> => {
    try {
      const [ca, cert, key, token] = await Promise.all([
        ...[tls?.ca_file ?? null, tls?.cert_file ?? null, tls?.key_file ?? null].map(read),
        tokenIn(token_file, file),
      ]);
      const from = JSON.stringify([ca, cert, key]);
      if (tls !== null && from !== builtFrom) {
        // It would be taken for an authority that has signed nothing.
        if (ca != null && !holdsCertificates(ca))
          throw new Error(`${tls.ca_file} ${ca.trim() === "" ? "is empty" : "holds no certificate"}`);
        context = contextOf(ca ?? undefined, cert ?? undefined, key ?? undefined);
        builtFrom = from;
      }
      return { token: token ?? null, context };
    } catch (error) {
      throw new RollcallError("own", `our own credentials: ${reason(error)}`, { cause: error });
    }
  };
}

function contextOf(ca?: string, cert?: string, key?: string): SecureContext {
  return createSecureContext({
    minVersion: "TLSv1.2",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
}
