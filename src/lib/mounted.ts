/** A service in the server of another. */
import type { Metric } from "./metrics.ts";

/** A service that answers all that begins with a path, by its own rules. */
export type Mounted = {
  /** As `/discovery`. */
  readonly base: `/${string}`;
  /** `env` is what the server gives of the connection. Never throws. */
  readonly fetch: (request: Request, env: object) => Response | Promise<Response>;
  /** What it adds to /metrics. */
  readonly metrics: () => readonly Metric[];
  /** What it adds to /openapi.json. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Aborted, with the error as its reason, when it cannot go on. */
  readonly broken: AbortSignal;
  /** Ends requests that it holds, before the server closes. Safe twice. */
  end(): void;
  /** Ends them too, and closes what it keeps, after the server closed. Safe twice. */
  close(): void;
};
