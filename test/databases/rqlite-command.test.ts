import { describe, expect, it } from "vitest";
import { addresses, argumentsAt, checkCommand, readCommand } from "../../src/databases/rqlite-command.ts";

const words = (line: string) => line.split(" ");

describe("readCommand", () => {
  it("reads Go's flags in all their spellings, and the data directory", () => {
    const { flags, dataDir } = readCommand(
      words(
        "rqlited -node-id 1 --http-addr=h:1 -fk -raft-addr h:2 -raft-non-voter=false -raft-addr=h:3 /data",
      ),
    );
    expect(Object.fromEntries(flags)).toEqual({
      "node-id": "1",
      "http-addr": "h:1",
      fk: "true",
      "raft-addr": "h:3",
      "raft-non-voter": "false",
    });
    expect(dataDir).toBe("/data");
  });

  it("never takes the data directory for the value of a flag it does not know", () => {
    expect(readCommand(words("rqlited -some-switch /data"))).toEqual({
      flags: new Map([["some-switch", "true"]]),
      dataDir: "/data",
    });
  });

  it("leaves placeholders out and knows no directory without one", () => {
    expect(readCommand(words("rqlited -fk {{args}} /data")).dataDir).toBe("/data");
    expect(readCommand(words("rqlited -fk")).dataDir).toBeNull();
    expect(readCommand(words("sh -c ./start.sh")).dataDir).toBeNull();
  });
});

describe("argumentsAt", () => {
  it.each([
    ["rqlited /data", 1],
    ["/usr/bin/rqlited /data", 1],
    ["setpriv --reuid nobody rqlited /data", 4],
    ["docker-entrypoint.sh rqlited /data", 2],
    ["./start.sh {{args}}", null],
    ["my-rqlited /data", null],
  ])("of %s is %s", (line, at) => {
    expect(argumentsAt(words(line))).toBe(at);
  });
});

describe("checkCommand", () => {
  it.each([
    ["rqlited -http-addr h:1 -raft-addr h:2 /data", true, null],
    ["rqlited -raft-non-voter /data", false, null],
    ["rqlited -raft-non-voter=false /data", true, null],
    ["rqlited {{args}} /data", true, null],
    ["./start.sh", true, null],
    ["rqlited -join h:1 /data", true, "-join: the agent decides that; leave it out"],
    ["run --bootstrap-expect=3 {{args}}", true, "-bootstrap-expect: the agent decides that; leave it out"],
    ["rqlited -disco-mode consul-kv /data", true, "-disco-mode: the agent decides that; leave it out"],
    ["rqlited -join-interval=1s /data", true, "-join-interval: the agent decides that; leave it out"],
    [
      "rqlited -raft-non-voter /data",
      true,
      "-raft-non-voter: the agent counts this node as a voter; give -non-voter before --",
    ],
    [
      "rqlited -raft-non-voter=false /data",
      false,
      "-raft-non-voter=false: the agent's -non-voter says otherwise; leave it out",
    ],
    ["/bin/rqlited -fk", true, "/bin/rqlited: has no data directory as its last argument"],
    ["rqlited /data {{args}}", true, "{{args}}: must stand before the data directory"],
  ])("of %s, voter %s: %s", (line, voter, problem) => {
    expect(checkCommand(words(line), voter)).toBe(problem);
  });

  it("takes a value that looks like a flag of ours for a value", () => {
    expect(checkCommand(["rqlited", "-auth", "-join", "/data"], true)).toBeNull();
  });
});

describe("addresses", () => {
  it("are rqlited's own where the agent does not start it", () => {
    expect(addresses([], "10.0.0.1")).toEqual({
      addr: "127.0.0.1:4001",
      advAddr: "10.0.0.1:4001",
      peerAddr: "10.0.0.1:4002",
      dataDir: null,
      nodeId: null,
    });
  });

  it("come from the command, advertised ones first", () => {
    const line =
      "rqlited -node-id a -http-addr h:1 -http-adv-addr out:11 -raft-addr=h:2 -raft-adv-addr=out:12 -http-cert c /data";
    expect(addresses(words(line), "10.0.0.1")).toEqual({
      addr: "https://h:1",
      advAddr: "out:11",
      peerAddr: "out:12",
      dataDir: "/data",
      nodeId: "a",
    });
  });

  it.each(["0.0.0.0:1", "[::]:1", ":1"])("are this machine's where it listens on %s", (everywhere) => {
    const { addr, advAddr, peerAddr } = addresses(
      ["rqlited", "-http-addr", everywhere, "-raft-addr", everywhere, "/data"],
      "[fd00::1]",
    );
    expect({ addr, advAddr, peerAddr }).toEqual({
      addr: "127.0.0.1:1",
      advAddr: "[fd00::1]:1",
      peerAddr: "[fd00::1]:1",
    });
  });

  it("are what rqlited listens on where the command says nothing", () => {
    const { addr, advAddr, peerAddr } = addresses(["rqlited", "/data"], "10.0.0.1");
    expect({ addr, advAddr, peerAddr }).toEqual({
      addr: "localhost:4001",
      advAddr: "localhost:4001",
      peerAddr: "localhost:4002",
    });
  });
});
