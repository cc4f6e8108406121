/** Secrets, tokens and certificates, read from their files whenever those change, and never logged. */
import type { AgentConfig } from "../config.ts";
import { secretIn, tokenIn } from "../lib/bearer.ts";
import type { ServerTls } from "../lib/http-server.ts";
import type { Credentials } from "./peer-client.ts";

export type AgentCredentials = Credentials & {
  readonly token: () => Promise<string | null>;
  readonly serverTls: () => Promise<ServerTls | null>;
};

/** `file` gives a file's text and reads it again when it changed. */
export function openCredentials(
  { tls, tokenFile, clusterSecretFile }: AgentConfig,
  file: (path: string) => Promise<string>,
): AgentCredentials {
  return {
    token: () => tokenIn(tokenFile, file),
    secret: () => secretIn(clusterSecretFile, file),
    async clientTls() {
      if (tls === null) return null;
      const [cert, key, ca] = await Promise.all([
        file(tls.certFile),
        file(tls.keyFile),
        tls.caFile && file(tls.caFile),
      ]);
      return { cert, key, ...(ca ? { ca } : {}) };
    },
    async serverTls() {
      if (tls === null) return null;
      const [cert, key, ca] = await Promise.all([
        file(tls.certFile),
        file(tls.keyFile),
        tls.caFile && file(tls.caFile),
      ]);
      return { cert, key, ca: ca || null, clientAuth: tls.clientAuth };
    },
  };
}
