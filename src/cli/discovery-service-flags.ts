/** The flags of the Discovery Service. */
import { DISCOVERY_SERVICE } from "./command.ts";
import { type Flag, rows } from "./flag.ts";

const HOUR_MS = 3_600_000;

/** How long an id is kept that nobody asks for, where nobody says. */
export const UNUSED = { text: "720h", ms: 720 * HOUR_MS } as const;

/** In the order of help. */
export const DISCOVERY_SERVICE_FLAGS: readonly Flag[] = [
  ...rows("discovery-service", DISCOVERY_SERVICE, {
    "http-addr": {
      kind: "address",
      word: "HOST:PORT",
      default: "127.0.0.1:4300",
      meaning: "where the service listens; beyond this machine it needs -token-file and TLS, or -insecure",
    },
    store: {
      word: "sqlite:FILE",
      default: "sqlite:./rollcall-discovery.db",
      meaning: "what it keeps; one service at a time",
    },
    "forget-unused": {
      kind: "duration",
      word: "DURATION",
      defaultText: UNUSED.text,
      range: [HOUR_MS, 10 * 365 * 24 * HOUR_MS],
      meaning: "how long an id is kept that nobody asks for; one with registers or members stays",
    },
  }),
  ...rows("security", DISCOVERY_SERVICE, {
    "tls-ca": { word: "FILE", meaning: "who signs the certificates of callers, PEM" },
    "token-file": { word: "FILE", meaning: "holds the bearer token that callers must show" },
    insecure: { kind: "bool", word: "", meaning: "listen beyond this machine without token or without TLS" },
  }),
];
