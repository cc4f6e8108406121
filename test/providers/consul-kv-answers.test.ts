import { createServer as overHttp, type RequestListener, type Server } from "node:http";
import { createServer as overHttps } from "node:https";
import { afterEach, describe, expect, it } from "vitest";
import * as mode from "../../providers/consul-kv.ts";
import type { Lookup } from "../../src/core/provider.ts";
import { freshKey, patient, record } from "../contract/stage.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { describeWith } from "../support/servers/index.ts";
import { opener } from "./opener.ts";

const signal = patient();
const base64 = (text: string) => Buffer.from(text).toString("base64");
const openWith = opener(mode);

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe("consul-kv and answers of other kinds", () => {
  const listening = async (
    answer: RequestListener,
    at = "127.0.0.1",
    tls?: Certificates,
  ): Promise<string> => {
    const server = tls === undefined ? overHttp(answer) : overHttps(tls.server, answer);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, at, resolve));
    const bound = server.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    return at.includes(":") ? `[${at}]:${port}` : `${at}:${port}`;
  };
  const rowAt = (key: string, index: number) =>
    JSON.stringify([{ Key: `${key}/genesis`, Value: base64(`at ${index}`), ModifyIndex: index }]);

  it.each([
    ["a page", (text: string) => ({ status: 200, type: "text/html", text }), "<html>", "store_error"],
    [
      "JSON of another kind",
      (text: string) => ({ status: 200, type: "application/json", text }),
      '{"a":1}',
      "store_error",
    ],
    ["broken JSON", (text: string) => ({ status: 200, type: "application/json", text }), "[{", "store_error"],
    ["a redirect", (text: string) => ({ status: 307, type: "text/plain", text }), "elsewhere", "store_error"],
    [
      "too many requests",
      (text: string) => ({ status: 429, type: "text/plain", text }),
      "slow down",
      "store_unreachable",
    ],
    [
      "no leader",
      (text: string) => ({ status: 500, type: "text/plain", text }),
      "No cluster leader",
      "store_unreachable",
    ],
  ])("throws for %s", async (_, shape, text, code) => {
    const address = await listening((_asked, answer) => {
      const { status, type } = shape(text);
      answer.writeHead(status, { "content-type": type, "x-consul-index": "7" }).end(text);
    });
    const provider = await openWith({ address });
    await expect(provider.genesis?.read(signal)).rejects.toMatchObject({ code });
    await expect(provider.lookup(signal)).rejects.toMatchObject({ code });
    expect((await provider.genesis?.swap(null, record("i", ""), signal))?.kind).toBe("unknown");
  });

  it("says why in words", async () => {
    const address = await listening((_asked, answer) => {
      answer.writeHead(500, { "content-type": "text/plain" }).end("No cluster leader");
    });
    const failed = (await openWith({ address })).genesis?.read(signal);
    await expect(failed).rejects.toThrow(`read genesis: 500 No cluster leader (${address})`);
    const nobody = (await openWith({ address: "127.0.0.1:1" })).genesis?.read(signal);
    await expect(nobody).rejects.toThrow("read genesis: connection refused (127.0.0.1:1)");
    const unknown = (await openWith({ address: "nowhere.invalid:1" })).genesis?.read(signal);
    await expect(unknown).rejects.toThrow(/^read genesis: .*host/);
  });

  it("gives up on an answer that breaks off, and on none", async () => {
    const address = await listening((asked, answer) => {
      if (asked.url?.includes("/leader")) return;
      answer.writeHead(200, { "content-type": "application/json", "content-length": "100" }).write("[");
      setImmediate(() => answer.destroy());
    });
    const provider = await openWith({ address, timeout: "200ms" });
    const late = { code: "store_timeout", message: `read genesis: no answer in 0.2 s (${address})` };
    await expect(provider.genesis?.read(signal)).rejects.toMatchObject(late);
    await expect(provider.leaderKey?.read(signal)).rejects.toMatchObject({ code: "store_timeout" });
    expect(await provider.genesis?.swap(null, record("i", ""), signal)).toMatchObject({
      kind: "unknown",
      cause: { code: "store_timeout" },
    });
  });

  it("begins a watch anew when the index goes back, and never waits from below 1", async () => {
    const key = freshKey();
    const answers = [40, 41, 7, 7, 0, 12];
    const asked: (string | null)[] = [];
    const address = await listening((request, answer) => {
      const url = new URL(request.url ?? "", "http://consul");
      const json = { "content-type": "application/json" };
      // The look for hidden rows that follows a look-up without members.
      if (!url.searchParams.has("recurse")) return void answer.writeHead(404, json).end();
      asked.push(url.searchParams.get("index"));
      const index = answers.shift();
      // What is held and never answered ends with the test.
      if (index === undefined) return;
      answer.writeHead(200, { ...json, "x-consul-index": String(index) }).end(rowAt(key, index));
    });
    const provider = await openWith({ address }, key);
    const stop = new AbortController();
    const seen: (string | undefined)[] = [];
    const follow = async () => {
      for await (const found of provider.watch?.(stop.signal) ?? []) seen.push(revisionOf(found));
    };
    const following = follow();
    await expect.poll(() => seen).toEqual(["40", "41", "7", "0", "12"]);
    await expect.poll(() => asked).toEqual([null, "40", "41", null, "7", null, "12"]);
    stop.abort();
    await expect(following).rejects.toMatchObject({ code: "aborted" });
  });

  it("refuses a watch without an index, which would never wait", async () => {
    const address = await listening((_asked, answer) => {
      answer.writeHead(404).end();
    });
    await expect((await openWith({ address })).lookup(signal)).rejects.toMatchObject({ code: "store_error" });
  });

  it("reaches IPv6 addresses", async () => {
    const hosts: (string | undefined)[] = [];
    const address = await listening((asked, answer) => {
      hosts.push(asked.headers.host);
      answer.writeHead(404, { "x-consul-index": "1" }).end();
    }, "::1");
    expect(await (await openWith({ address })).genesis?.read(signal)).toBeNull();
    expect(hosts).toEqual([address]);
  });

  describeWith("openssl", "with TLS", () => {
    it("reaches IPv6 addresses, and checks the address in the certificate", async () => {
      const tls = await makeCertificates(["::1"]);
      const other = await makeCertificates(["::2"]);
      const nothing: RequestListener = (_asked, answer) => void answer.writeHead(404).end();
      const right = await listening(nothing, "::1", tls);
      const wrong = await listening(nothing, "::1", other);
      const config = (address: string, { ca }: Certificates) => ({
        address,
        scheme: "https",
        tls_config: { ca_file: ca.certFile },
      });
      expect(await (await openWith(config(right, tls))).genesis?.read(signal)).toBeNull();
      const failed = (await openWith(config(wrong, other))).genesis?.read(signal);
      await expect(failed).rejects.toThrow(/IP: ::1 is not in the cert's list/);
    });
  });
});

function revisionOf(found: Lookup): string | undefined {
  return found.genesis?.revision;
}
