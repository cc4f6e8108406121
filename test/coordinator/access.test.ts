import { describe, expect, it } from "vitest";
import { type AccessOptions, openAccess } from "../../src/coordinator/access.ts";
import type { Caller } from "../../src/lib/http-server.ts";

type Wish = "open" | "read" | "change";
const here: Caller = { loopback: true, certified: false };
const away: Caller = { loopback: false, certified: false };
const bearer = "Bearer the token";

/** What a caller is told: `let in`, or the code of the refusal. */
async function told(
  options: Partial<Omit<AccessOptions, "token">> & { readonly token?: string },
  wish: Wish,
  caller: Caller,
  authorization?: string,
): Promise<string> {
  const { token = null, ...rest } = options;
  const access = openAccess({ reads: false, certificates: false, ...rest, token: async () => token });
  return access(wish, caller, authorization).then(
    () => "let in",
    (error: { code: string }) => error.code,
  );
}

describe("with -tls-client-auth", () => {
  const certificates = { certificates: true };
  const certified = { loopback: false, certified: true };

  it("nobody reads or changes anything without a certificate, also not on the same machine or with the token", async () => {
    for (const wish of ["read", "change"] as const)
      for (const caller of [here, away])
        for (const given of [undefined, bearer])
          expect(await told({ ...certificates, token: "the token" }, wish, caller, given)).toBe(
            "unauthorized",
          );
  });

  it("health checks need none", async () => {
    expect(await told(certificates, "open", away)).toBe("let in");
  });

  it("a certificate lets in to read, and takes no token's place", async () => {
    const both = { ...certificates, token: "the token" };
    expect(await told(both, "read", certified)).toBe("let in");
    expect(await told({ ...both, reads: true }, "read", certified)).toBe("unauthorized");
    expect(await told(both, "change", certified)).toBe("unauthorized");
    expect(await told(both, "change", certified, bearer)).toBe("let in");
    // Without a token changes are for this machine, certificate or not.
    expect(await told(certificates, "change", certified)).toBe("forbidden");
    expect(await told(certificates, "change", { loopback: true, certified: true })).toBe("let in");
  });

  it("says what to show", async () => {
    const access = openAccess({ token: async () => null, reads: false, certificates: true });
    await expect(access("read", here, undefined)).rejects.toMatchObject({
      message: "this coordinator wants a client certificate",
      hint: "show one that the coordinator's -tls-ca has signed",
    });
  });
});

describe("without it", () => {
  it("a certificate is worth nothing", async () => {
    const certified = { loopback: false, certified: true };
    expect(await told({}, "change", certified)).toBe("forbidden");
    expect(await told({ token: "the token" }, "change", certified)).toBe("unauthorized");
    expect(await told({}, "read", away)).toBe("let in");
  });
});
