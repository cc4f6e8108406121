import { createHash, randomUUID } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type DataDir, openDataDir, readMarker } from "../../src/agent/identity.ts";
import type { Kept } from "../../src/core/genesis-state.ts";
import { turns } from "../lib/manual-clock.ts";
import { chanceOf } from "../sim/chance.ts";
import { virtualDisk } from "../sim/disk.ts";
import { type Process, start } from "../support/processes.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { mounted } from "./support/mounted.ts";
import { sealedBy } from "./support/records.ts";

const open = (dir: string, nodeId: string | null = null) =>
  openDataDir(dir, { key: "rollcall", nodeId, hostName: "host-1" }, randomUUID);

/** Opens, looks and closes. */
async function look<T>(dir: string, work: (opened: DataDir) => T | Promise<T>, nodeId: string | null = null) {
  const opened = await open(dir, nodeId);
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

const HOLDER = fileURLToPath(new URL("./support/hold-data-dir.ts", import.meta.url));

/** Another process with the directory open, or the code it failed with. */
async function another(dir: string): Promise<{ process: Process; said: string }> {
  const child = await start({ name: "another agent", program: process.execPath, args: [HOLDER, dir] });
  const said = await until(() => child.stdout().trim(), { deadlineMs: 10_000, what: "the other process" });
  return { process: child, said };
}

describe("identity", () => {
  it("is on disk for good once the directory is open, wherever an agent before was killed", async () => {
    const dir = "/data/deep/agent";
    const given = { key: "rollcall", nodeId: "n1", hostName: "host-1" };
    const lock = async () => async () => {};
    for (let at = 1; at <= 20; at++) {
      const disk = virtualDisk(chanceOf(at), ["data"], () => {});
      let left = at;
      const killed = disk.open(
        (_, effect) =>
          new Promise((resolve) => {
            if (left-- > 0) resolve(effect());
          }),
      );
      void openDataDir(dir, given, randomUUID, { disk: killed, lock });
      await turns();
      const whole = disk.open(async (_, effect) => effect());
      const { identity } = await openDataDir(dir, given, randomUUID, { disk: whole, lock });
      const durable = disk.text(`${dir}/identity.json`, true);
      expect(durable, `killed after ${at} steps`).toContain(identity.kept.incarnation);
    }
  });

  it("is made at the first start, synced, under the host's name, for its owner only", async () => {
    const dir = join(tempDir("identity"), "deep", "data");
    await look(dir, ({ identity }) => {
      expect(identity.nodeId).toBe("host-1");
      expect(identity.kept).toEqual({
        incarnation: expect.stringMatching(/^[0-9a-f-]{36}$/),
        claim: null,
        stamp: null,
        marker: null,
        opened: false,
        votes: null,
      });
      expect(JSON.parse(readFileSync(join(dir, "identity.json"), "utf8"))).toEqual({
        v: 1,
        key: "rollcall",
        node_id: "host-1",
        ...identity.kept,
        sum: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    });
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(readdirSync(dir)).toEqual(["identity.json"]);
  });

  it("keeps incarnation, id and everything saved across restarts", async () => {
    const dir = tempDir("identity");
    const marker = sealedBy("n1");
    const first = await look(
      dir,
      async ({ identity, save }) => {
        const kept: Kept = {
          ...identity.kept,
          claim: { claim_id: "c1", init_id: "i1", base: { value: "{}", revision: "7" } },
          stamp: { claim_id: "c1", done: true },
          marker,
          opened: true,
        };
        await save(kept, null);
        return kept;
      },
      "n1",
    );
    await look(dir, ({ identity }) =>
      expect(identity).toEqual({ key: "rollcall", nodeId: "n1", kept: first }),
    );
    await look(dir, ({ identity }) => expect(identity.nodeId).toBe("n1"), "n1");
    expect(await readMarker(dir, "rollcall")).toEqual(marker);
  });

  it("refuses another -node-id as usage, and changes nothing", async () => {
    const dir = tempDir("identity");
    await look(dir, () => {}, "n1");
    const before = readFileSync(join(dir, "identity.json"), "utf8");
    await expect(open(dir, "n2")).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(/^-node-id: n2 .*n1$/),
      hint: expect.any(String),
    });
    expect(readFileSync(join(dir, "identity.json"), "utf8")).toBe(before);
    expect(readdirSync(dir)).toEqual(["identity.json"]);
  });

  it("belongs to one cluster: under another key it is refused, and gives no marker", async () => {
    const dir = tempDir("identity");
    await look(dir, () => {}, "n1");
    const before = readFileSync(join(dir, "identity.json"), "utf8");
    const given = { key: "other/orders", nodeId: "n1", hostName: "h" };
    const refused = {
      code: "usage",
      message: expect.stringMatching(/^-disco-key: .*rollcall.*other\/orders/),
    };
    await expect(openDataDir(dir, given, randomUUID)).rejects.toMatchObject(refused);
    await expect(readMarker(dir, "other/orders")).rejects.toMatchObject(refused);
    expect(readFileSync(join(dir, "identity.json"), "utf8")).toBe(before);
  });

  it("takes a file whose checksum fits, and one without", async () => {
    for (const sum of [{}, { sum: createHash("sha256").update(JSON.stringify(good)).digest("hex") }]) {
      const dir = tempDir("identity");
      writeFileSync(join(dir, "identity.json"), JSON.stringify({ ...good, ...sum }));
      await look(dir, ({ identity }) => expect(identity.kept.incarnation).toBe("x"));
    }
  });

  const good = {
    v: 1,
    key: "rollcall",
    node_id: "n1",
    incarnation: "x",
    claim: null,
    stamp: null,
    marker: null,
    opened: false,
  };
  it.each([
    ["empty", "", /is not JSON/],
    ["cut off", JSON.stringify(good).slice(0, 40), /is not JSON/],
    ["no object", "[]", /object/],
    ["of a wrong type", JSON.stringify({ ...good, opened: "yes" }), /opened/],
    ["without an incarnation", JSON.stringify({ ...good, incarnation: "" }), /incarnation/],
    ["of a later version", JSON.stringify({ ...good, v: 2 }), /later version.*reads v 1/],
    ["with a damaged marker", JSON.stringify({ ...good, marker: { state: "sealed" } }), /marker/],
    [
      "with a flipped bit in it",
      JSON.stringify({
        ...good,
        sum: createHash("sha256").update(JSON.stringify(good)).digest("hex"),
      }).replace('"x"', '"y"'),
      /checksum/,
    ],
    ["with a later marker", JSON.stringify({ ...good, marker: { ...sealedBy("n1"), v: 2 } }), /has v 2/],
  ])("does not guess at a file that is %s", async (_, text, problem) => {
    const dir = tempDir("identity");
    const path = join(dir, "identity.json");
    writeFileSync(path, text);
    await expect(open(dir)).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringMatching(problem),
      hint: expect.stringContaining("restore the file"),
    });
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(readdirSync(dir)).toEqual(["identity.json"]);
    await expect(readMarker(dir, "rollcall")).rejects.toMatchObject({ code: "damaged" });
  });

  it("has no marker where there is no file", async () => {
    expect(await readMarker(tempDir("identity"), "rollcall")).toBeNull();
  });

  it("keeps a marker that is given up in a file of its own", async () => {
    const dir = tempDir("identity");
    const aside = sealedBy("n1", "g1");
    await look(dir, ({ identity, save }) => save(identity.kept, aside));
    expect(JSON.parse(readFileSync(join(dir, "marker.g1.json"), "utf8"))).toEqual(aside);
    expect(await readMarker(dir, "rollcall")).toBeNull();
  });

  it("keeps a marker beside it whatever its genesis is called, and nowhere else", async () => {
    const outer = tempDir("identity");
    const dir = join(outer, "data");
    const aside = sealedBy("n1", "../../escaped");
    await look(dir, ({ identity, save }) => save(identity.kept, aside));
    expect(readdirSync(dir).sort()).toEqual(["identity.json", "marker...%2F..%2Fescaped.json"]);
    expect(readdirSync(outer)).toEqual(["data"]);
  });

  it("throws `disk` when saving fails, and the file is as before", async () => {
    const dir = tempDir("identity");
    await look(dir, async ({ identity, save }) => {
      const before = readFileSync(join(dir, "identity.json"), "utf8");
      mkdirSync(join(dir, "identity.json.new"));
      await expect(save({ ...identity.kept, opened: true }, null)).rejects.toMatchObject({ code: "disk" });
      expect(readFileSync(join(dir, "identity.json"), "utf8")).toBe(before);
    });
  });

  it("throws `disk` where the directory cannot be made", async () => {
    const file = join(tempDir("identity"), "file");
    writeFileSync(file, "");
    await expect(open(join(file, "data"))).rejects.toMatchObject({
      code: "disk",
      message: expect.stringMatching(/^-data-dir: make .*file\/data: ENOTDIR/),
    });
  });

  it("throws `disk` on a file system that may only be read", async (context) => {
    const dir = tempDir("identity");
    const ran = await mounted(dir, async (remountReadOnly) => {
      remountReadOnly();
      const message = `-data-dir: ${dir} cannot be written to`;
      await expect(open(dir)).rejects.toMatchObject({ code: "disk", message });
    });
    if (!ran) context.skip("needs the right to mount a tmpfs");
  });

  it("says that a directory takes no file, or is none", async () => {
    await expect(open("/proc")).rejects.toMatchObject({
      code: "disk",
      message: "-data-dir: /proc cannot be written to",
    });
    const file = join(tempDir("identity"), "file");
    writeFileSync(file, "");
    await expect(open(file)).rejects.toMatchObject({
      code: "disk",
      message: `-data-dir: ${file} is no directory`,
    });
  });

  it("says which length of path it can lock", async () => {
    const dir = join(tempDir("identity"), "x".repeat(90));
    await expect(open(dir)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("too long"),
    });
  });
});

describe("the lock", () => {
  it("keeps a second agent of this process out, until the first has closed", async () => {
    const dir = tempDir("lock");
    const first = await open(dir);
    await expect(open(dir)).rejects.toMatchObject({
      code: "locked",
      message: `-data-dir: ${dir} is in use by another agent`,
    });
    await first.close();
    await first.close();
    expect(existsSync(join(dir, "agent.lock"))).toBe(false);
    await look(dir, () => {});
  });

  it("keeps an agent of another process out, both ways", async () => {
    const dir = tempDir("lock");
    const other = await another(dir);
    expect(other.said).toBe("open");
    await expect(open(dir)).rejects.toMatchObject({ code: "locked" });
    // A stopped process holds its directory as well.
    await other.process.pause();
    await expect(open(dir)).rejects.toMatchObject({ code: "locked" });
    await other.process.kill();
    const mine = await open(dir);
    const late = await another(dir);
    expect(late.said).toBe("locked");
    await late.process.ended;
    await mine.close();
  });

  it("is taken over from a process that was killed", async () => {
    const dir = tempDir("lock");
    const other = await another(dir);
    const incarnation = JSON.parse(readFileSync(join(dir, "identity.json"), "utf8")).incarnation;
    await other.process.kill();
    expect(existsSync(join(dir, "agent.lock"))).toBe(true);
    await look(dir, ({ identity }) => expect(identity.kept.incarnation).toBe(incarnation));
    expect(readdirSync(dir)).toEqual(["identity.json"]);
  });

  it("goes to exactly one of many that start at once on a killed agent's directory", async () => {
    const dir = tempDir("lock");
    for (let round = 0; round < 100; round++) {
      await leaveDeadSocket(join(dir, "agent.lock"));
      const tries = await Promise.allSettled(
        Array.from({ length: 8 }, async (_, rank) => {
          await turns(rank * (round % 7));
          return open(dir);
        }),
      );
      const won = tries.filter((one) => one.status === "fulfilled");
      const lost = tries.filter((one) => one.status === "rejected");
      for (const one of won) await one.value.close();
      expect(won).toHaveLength(1);
      for (const one of lost) expect(one.reason).toMatchObject({ code: "locked" });
      expect(readdirSync(dir)).toEqual(["identity.json"]);
    }
  });

  it("does not mind callers that hang up, or say something", async () => {
    const dir = tempDir("lock");
    await look(dir, async () => {
      for (let i = 0; i < 20; i++)
        await new Promise<void>((resolve) => {
          const socket = connect(join(dir, "agent.lock"), () => {
            if (i % 2 === 0) socket.write("x".repeat(1000));
            socket.destroy();
          });
          socket.on("error", () => {});
          socket.once("close", () => resolve());
        });
      await expect(open(dir)).rejects.toMatchObject({ code: "locked" });
    });
  });

  it("is given back although a caller keeps its connection", async () => {
    const dir = tempDir("lock");
    const caller = await look(
      dir,
      () =>
        new Promise<Socket>((resolve) => {
          const socket = connect({ path: join(dir, "agent.lock"), allowHalfOpen: true }, () =>
            resolve(socket),
          );
        }),
    );
    expect(readdirSync(dir)).toEqual(["identity.json"]);
    caller.destroy();
  });

  it("is not taken from a stopped process whose queue of connections is full", async () => {
    const dir = tempDir("lock");
    const other = await another(dir);
    await other.process.pause();
    const waiting: Socket[] = [];
    const full = new Promise<void>((resolve) => {
      for (let i = 0; i < 1_500; i++)
        waiting.push(connect(join(dir, "agent.lock")).on("error", () => resolve()));
    });
    await full;
    await expect(open(dir)).rejects.toMatchObject({ code: "locked" });
    for (const socket of waiting) socket.destroy();
    await other.process.kill();
  });
});

/** What a killed agent leaves: a socket that nobody listens to. */
async function leaveDeadSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  linkSync(path, `${path}.dead`);
  await new Promise((resolve) => server.close(resolve));
  renameSync(`${path}.dead`, path);
}

describe("a data directory that cannot be made", () => {
  it("is one error and not an endless try, also where the parent takes no directories", async () => {
    for (const dir of ["/proc/rollcall", "/proc/rollcall/deeper"])
      await expect(
        openDataDir(dir, { key: "rollcall", nodeId: "n1", hostName: "h" }, randomUUID),
      ).rejects.toMatchObject({
        code: "disk",
      });
  });
});
