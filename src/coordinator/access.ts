/** Who may ask what of the coordinator: changes always with the token where there is one, reading also if told so. */
import { holdsToken } from "../lib/bearer.ts";
import type { Caller } from "../lib/http-server.ts";
import { refusal } from "./refusals.ts";

export type AccessOptions = {
  /** The bearer token as it is now; null: none is configured. Throws when it cannot be read, which lets nobody in. */
  readonly token: () => Promise<string | null>;
  /** Reading needs the token too. */
  readonly reads: boolean;
  /** Whoever is not here for a health check must show a client certificate. */
  readonly certificates: boolean;
};

/** Throws `unauthorized` or `forbidden` for a caller who may not. */
export type Access = (
  wish: "open" | "read" | "change",
  caller: Caller,
  authorization: string | undefined,
) => Promise<void>;

export function openAccess({ token, reads, certificates }: AccessOptions): Access {
  return async (wish, caller, authorization) => {
    if (wish === "open") return;
    if (certificates && !caller.certified)
      throw refusal(
        "unauthorized",
        "this coordinator wants a client certificate",
        "show one that the coordinator's -tls-ca has signed",
      );
    if (wish === "read" && !reads) return;
    const wanted = await token();
    if (wanted !== null) {
      if (holdsToken(authorization, wanted)) return;
      throw refusal(
        "unauthorized",
        wish === "change"
          ? "changes need the bearer token"
          : "this coordinator wants its bearer token for reading too",
        "send `Authorization: Bearer` with the token of the coordinator's -token-file",
      );
    }
    if (caller.loopback) return;
    throw refusal(
      "forbidden",
      wish === "change"
        ? "without a token changes are taken from the coordinator's own machine only"
        : "reading needs a token, and the coordinator has none",
      "start the coordinator with -token-file",
    );
  };
}
