import { describe, expect, it } from "vitest";
import { rollcall } from "./fake-io.ts";

/** Arguments → the one line. */
const refused: readonly (readonly [string, string])[] = [
  [
    "",
    "no command; one of agent, discover, provider, validate, status, explain, leave, genesis, coordinator, apply, get, delete, clusters, nodes, events, cluster, discovery, version, help; rollcall help says more",
  ],
  ["-disco-mode=disco agent", "the command comes before the flags; one of agent, discover"],
  ["agnet", 'unknown command "agnet" (did you mean agent?); one of agent'],
  [
    "genesis",
    "genesis: which one; one of genesis show, genesis init, genesis adopt, genesis restore, genesis rebirth, genesis assume-lost",
  ],
  [
    "genesis ini",
    'genesis: unknown command "genesis ini"; one of genesis show, genesis init, genesis adopt, genesis restore, genesis rebirth, genesis assume-lost (did you mean genesis init?)',
  ],
  [
    "discovery foo",
    'discovery: unknown command "discovery foo"; one of discovery accept, or discovery itself, which takes flags only',
  ],
  [
    "discovery acept",
    'discovery: unknown command "discovery acept"; one of discovery accept, or discovery itself',
  ],
  ["help agnet", 'unknown command "agnet" (did you mean agent?)'],
  ["agent -disco-mod=dns", "-disco-mod: unknown flag (did you mean -disco-mode?)"],
  ["agent --mode dns", "-mode: unknown flag (did you mean -disco-mode?)"],
  ["agent -zebra", "-zebra: unknown flag; rollcall help agent lists all"],
  ["agent -db rqlit", '-db: "rqlit" must be rqlite, http or none (did you mean rqlite?)'],
  ["agent -joi a:1", "-joi: unknown flag (did you mean -join?)"],
  ["version -disco-mode=disco", "-disco-mode: version takes no flags"],
  [
    "agent -disco-mode=static",
    '-disco-mode: "static" is what -join makes; give the agents with -join instead',
  ],
  [
    "agent -disco-mode=consul",
    '-disco-mode: "consul" must be consul-kv, etcd-kv, disco, dns, dns-srv, consul-service, file or http (did you mean consul-kv?)',
  ],
  ["agent -genesis=autto", '-genesis: "autto" must be auto, strict or never (did you mean auto?)'],
  ["agent -bootstrap-expect=three", '-bootstrap-expect: "three" must be a whole number'],
  ["agent -bootstrap-expect=0", '-bootstrap-expect: "0" must be a whole number from 1 to 99'],
  ["agent -bootstrap-expect -1", '-bootstrap-expect: "-1" must be a whole number from 1 to 99'],
  ["agent -bootstrap-expect-timeout=120", '-bootstrap-expect-timeout: "120" must be a duration; write 120s'],
  ["agent -bootstrap-expect-timeout=0", '-bootstrap-expect-timeout: "0" must be from 1ms to 168h'],
  ["agent -http-addr=:4100", '-http-addr: ":4100" has no host; write 0.0.0.0 for every interface'],
  ["agent -http-addr=host", '-http-addr: "host" has no port; write host:4100'],
  ["agent -dns-addr=0.0.0.0", '-dns-addr: "0.0.0.0" has no port; write 0.0.0.0:5300'],
  ["coordinator -http-addr=::1", '-http-addr: "::1" must be host:port, with an IPv6 address in brackets'],
  ["coordinator -http-addr=host", '-http-addr: "host" has no port; write host:4200'],
  ["discovery -http-addr=host", '-http-addr: "host" has no port; write host:4300'],
  ["status -addr=host", '-addr: "host" has no port; write host:4100'],
  ["agent -insecure=maybe", '-insecure: "maybe" must be true or false'],
  ["agent -insecure false", "-insecure: takes its value after =, as in -insecure=false"],
  ["agent -disco-key", "-disco-key: needs a value, KEY"],
  ["agent -disco-key -disco-mode disco", "-disco-key: needs a value, KEY, but -disco-mode follows"],
  ["agent -disco-key=", "-disco-key: is empty; leave it out, or give a string"],
  [
    "agent -disco-key=Prod",
    "-disco-key: must be 1 to 4 segments of [a-z0-9._-] joined by /, as in prod/orders",
  ],
  ["agent -disco-key=a/../b", "-disco-key: must be 1 to 4 segments"],
  ["agent -disco-key=a/b/c/d/e", "-disco-key: must be 1 to 4 segments"],
  ["agent -node-id=a/b", "-node-id: must be 1 to 128 characters of [A-Za-z0-9._:@-]"],
  ["agent -disco-key=a --disco-key b", "-disco-key: is given twice"],
  ["agent stray", "agent: takes flags only, and they begin with -"],
  [
    "agent -disco-key a stray",
    "agent: what follows the value of -disco-key is no flag; is something not quoted?",
  ],
  ["cluster show a b", "cluster show: takes one ID, and then only flags; is something not quoted?"],
  ["coordinator -retain 1", '-retain: "1" must be a duration; write 1h'],
  ["coordinator -retain 3600", '-retain: "3600" must be a duration; write 3600s'],
  ["agent -disco-key=a --", "--: needs the database's command after it"],
  ["version -- ls", "version: takes no arguments after --"],
  ["agent -", "agent: takes flags only, and they begin with -"],
  ["agent -on-init=[1]", '-on-init: "[1]" must be one or more strings, the command first'],
  ["agent -on-init=[x]", '-on-init: "[x]" begins with [ and is not a JSON array of strings'],
  ["agent -o=json", "-o: unknown flag"],
  ["genesis rebirth", "-genesis: is required: the id of the genesis that is given up"],
  ["genesis rebirth -genesis=strict", "-genesis: takes the old genesis id here"],
];

describe("the command line", () => {
  it.each(refused)("refuses `%s` in one line", async (line, wanted) => {
    const { code, out, err } = await rollcall(line.split(" ").filter((word) => word !== ""));
    expect(err.startsWith(`rollcall: ${wanted}`), err).toBe(true);
    expect([code, out]).toEqual([2, ""]);
  });

  it.each([
    "help",
    "-h",
    "--help",
    "help agent",
    "agent -h",
    "agent -disco-mode=x -bogus -help",
    "agent -disco-key --help",
    "help genesis",
    "genesis -h",
    "help genesis init",
    "genesis init --h",
    "version -h",
    "help help",
    "help -h",
  ])("explains on `%s`", async (line) => {
    const { code, out, err } = await rollcall(line.split(" "));
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("rollcall");
  });

  it("takes what looks like a flag as a value after =", async () => {
    const { err } = await rollcall(["validate", "-disco-mode=etcd-kv", "-disco-config=-h.json"]);
    expect(err).toBe("rollcall: -disco-config: -h.json: no such file\n");
  });

  it.each(["version", "-version", "--version"])("prints its version on %s", async (word) => {
    const { code, out } = await rollcall([word]);
    expect([code, out]).toEqual([0, "rollcall 1.2.3 (node v24, linux x64)\n"]);
  });
});
