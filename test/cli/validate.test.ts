import { describe, expect, it } from "vitest";
import { rollcall } from "./fake-io.ts";

const validate = (...flags: string[]) => rollcall(["validate", "-disco-mode=consul-kv", ...flags]);
const limits = (out: string) =>
  out
    .replaceAll("\n  ", " ")
    .split("\n")
    .filter((line) => line.startsWith("limit: "));

describe("validate", () => {
  it("says ok, and what will be used", async () => {
    const { code, out } = await validate(
      "-disco-key=prod/orders",
      "-bootstrap-expect=3",
      "-on-init=/init.sh --password=hunter2",
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^ok\n/);
    expect(out).toMatch(/^key +prod\/orders \(consul-kv\)$/m);
    expect(out).toMatch(/^votes +yes, of 3, overdue after 2m$/m);
    expect(out).toMatch(/^hooks +\/init\.sh$/m);
    expect(out).not.toContain("hunter2");
  });

  it("names the limit that -genesis=strict closes, in auto only", async () => {
    const closes = /wiped store and 3 blank voters .* -genesis=strict closes it/;
    expect(limits((await validate("-bootstrap-expect=3")).out)[0]).toMatch(closes);
    const strict = limits((await validate("-bootstrap-expect=3", "-genesis=strict")).out);
    expect(strict.join("\n")).not.toMatch(closes);
    expect(strict.length).toBe(2);
  });

  it("says that one node alone creates the cluster with -bootstrap-expect=1", async () => {
    expect(limits((await validate()).out)[1]).toMatch(/-bootstrap-expect=1: the first node alone creates/);
    expect(limits((await validate("-non-voter")).out).length).toBe(2);
  });

  it.each([
    ["-disco-mode=dns", "rollcall (dns)"],
    ["-disco-mode=dns-srv", "rollcall (dns-srv)"],
    ["-disco-mode=consul-service", "rollcall (consul-service)"],
    ["-disco-mode=file", "rollcall (file)"],
    ["-disco-mode=http", "rollcall (http)"],
    ["-join=10.0.0.1,10.0.0.2,10.0.0.3", "rollcall (static)"],
  ])("says what nobody can promise without a store: %s", async (mode, key) => {
    const { code, out } = await rollcall(["validate", mode, "-bootstrap-expect=3"]);
    expect(code).toBe(0);
    expect(out).toContain(key);
    const [twice, foreign, ...more] = limits(out);
    expect(twice).toMatch(
      /^limit: without a store, 6 or more voters under the key, or .*different -bootstrap-expect/,
    );
    expect(foreign).toMatch(/a foreign program/);
    expect(more).toEqual([]);
  });

  it("says that a single node is a cluster of its own", async () => {
    expect(limits((await rollcall(["validate", "-join=self"])).out)[0]).toMatch(
      /-join=self: this node alone/,
    );
  });

  it("says which name DNS will answer, and what of key and node id has none", async () => {
    const dns = ["-dns-addr=127.0.0.1:5353", "-genesis=strict"];
    const orders = [...dns, "-disco-key=prod/orders"];
    expect((await validate()).out).toMatch(/^DNS +none$/m);
    const { out } = await validate(...orders, "-node-id=node-1");
    expect(out).toMatch(/^DNS +127\.0\.0\.1:5353, leader\.orders\.prod\.rollcall$/m);
    expect(limits(out).length).toBe(2);
    expect(limits((await validate(...orders, "-node-id=10.0.0.1:4001")).out)[2]).toBe(
      "limit: -dns-addr serves no name for this node alone: the node id 10.0.0.1:4001 has the label 1:4001, where DNS allows 1 to 63 of [a-z0-9_-], no hyphen first or last",
    );
    const keyed = await validate(...dns, "-disco-key=a..b");
    expect(keyed.out).toMatch(/^DNS +127\.0\.0\.1:5353, no name to serve$/m);
    expect(limits(keyed.out)[2]).toBe(
      "limit: -dns-addr serves nothing: the key a..b has an empty label between dots",
    );
  });

  it.each([
    [`-disco-mode=file -disco-config={"path":"/a"}`, "path: /a"],
    [
      `-disco-mode=http -disco-config={"url":"http://x","headers_file":{"a":"/t","b":"/b"}}`,
      "headers_file.b: /b",
    ],
    [`-disco-mode=http -disco-config={"url":"https://x","tls":{"ca_cert":"/c"}}`, "tls.ca_cert: /c"],
    [`-disco-mode=disco -disco-url=http://x -disco-id=a -disco-config={"token_file":"/s"}`, "token_file: /s"],
    [`-disco-mode=consul-kv -disco-config={"tls_config":{"ca_file":"/c"}}`, "tls_config.ca_file: /c"],
  ])("notes a file that is not there yet: %s", async (flags, named) => {
    const line = ["validate", "-bootstrap-expect=3", ...flags.split(" ")];
    const { code, out } = await rollcall(line, { files: { "/t": "x" } });
    expect(code).toBe(0);
    expect(
      out
        .replaceAll("\n  ", " ")
        .split("\n")
        .filter((text) => text.startsWith("note: ")),
    ).toEqual([`note: -disco-config: ${named}: no such file; the agent waits for it`]);
  });

  it("notes nothing where every file is there", async () => {
    const config = `-disco-config={"url":"http://x","headers":{"path":"/none"},"headers_file":{"a":"/t"}}`;
    const line = ["validate", "-bootstrap-expect=3", "-disco-mode=http", config];
    expect((await rollcall(line, { files: { "/t": "x" } })).out).not.toContain("note: ");
  });
});
