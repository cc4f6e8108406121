import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, isLoopback, isWildcard, parseAddress } from "../../src/core/address.ts";

describe("parseAddress", () => {
  it.each([
    ["127.0.0.1:4100", "127.0.0.1", 4100],
    ["[::1]:4100", "::1", 4100],
    ["[2001:DB8:0:0::1]:65535", "2001:db8::1", 65535],
    ["[::ffff:10.0.0.1]:1", "::ffff:a00:1", 1],
    ["Node-1.Example:80", "node-1.example", 80],
    ["my_host:80", "my_host", 80],
    ["n1.example.com.:80", "n1.example.com", 80],
  ])("reads %s", (text, host, port) => {
    expect(parseAddress(text)).toEqual({ ok: true, value: { host, port } });
  });

  it.each([
    ["", /host/],
    [":4100", /no host; write 0\.0\.0\.0/],
    ["host", /no port; write host:4100/],
    ["[::1]", /no port; write \[::1\]:4100/],
    ["host:", /port from 1/],
    ["host:0", /port from 1/],
    ["host:65536", /port from 1/],
    ["host:http", /port from 1/],
    ["::1:4100", /brackets/],
    ["[10.0.0.1]:4100", /not an IPv6/],
    ["[fe80::1%eth0]:4100", /zone/],
    ["http://host:4100", /without a scheme/],
    ["0:4100", /complete IP/],
    ["127.1:4100", /complete IP/],
    ["10.0.0.256:4100", /complete IP/],
    [".:1", /IP address or a host name/],
    ["a..:1", /IP address or a host name/],
    ["10.0.0.1.:1", /complete IP/],
    ["a b:1", /IP address or a host name/],
    ["-x:1", /IP address or a host name/],
    ["user@host:1", /IP address or a host name/],
  ])("refuses %j", (text, problem) => {
    expect(parseAddress(text)).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });

  it("takes a default port only where one is given", () => {
    expect(parseAddress("host", 4100)).toEqual({ ok: true, value: { host: "host", port: 4100 } });
  });

  it("reads what it writes", () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65535 }), (text, port) => {
        const first = parseAddress(text.includes(":") ? `[${text}]:${port}` : `${text}:${port}`);
        if (!first.ok) return expect.unreachable(first.problem);
        expect(parseAddress(formatAddress(first.value))).toEqual(first);
      }),
    );
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseAddress(text)));
  });
});

describe("hosts", () => {
  const hostOf = (text: string) => {
    const parsed = parseAddress(`${text}:1`);
    return parsed.ok ? parsed.value.host : expect.unreachable(parsed.problem);
  };

  it.each(["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "[::1]", "[0:0::1]", "[::ffff:127.0.0.1]"])(
    "finds that %s is this machine",
    (text) => expect(isLoopback(hostOf(text))).toBe(true),
  );

  it.each(["10.0.0.1", "0.0.0.0", "localhost.example", "[::]", "[::ffff:10.0.0.1]", "host127.0.0.1.example"])(
    "finds that %s is not only this machine",
    (text) => expect(isLoopback(hostOf(text))).toBe(false),
  );

  it.each(["0.0.0.0", "[::]", "[0:0:0:0:0:0:0:0]", "[::ffff:0.0.0.0]"])(
    "finds that %s is every interface",
    (text) => expect(isWildcard(hostOf(text))).toBe(true),
  );
});
