/** Agents in a file that somebody else writes, replaces and spoils. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import * as file from "../../providers/file.ts";
import type { Lookup } from "../../src/core/provider.ts";
import { again, patient } from "../contract/stage.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { opener, problemOf } from "./opener.ts";

const open = opener(file);
let directory: string;
let path: string;
beforeEach(() => {
  directory = tempDir("file");
  path = join(directory, "agents");
});
const TWO = ["10.0.0.1:4100", "10.0.0.2:4100"];

/** What one look gives, or the code and message of what it throws. */
async function looked(text: string, { key = "orders", ...config }: { key?: string; labels?: object } = {}) {
  writeFileSync(path, text);
  const provider = await open({ path, ...config }, key);
  return provider.lookup(patient()).catch((error: { code: string; message: string }) => {
    return `${error.code}: ${error.message.replace(path, "PATH")}`;
  });
}

describe("the configuration of file", () => {
  it.each([
    [{}, "path: Invalid input: expected string, received undefined"],
    [{ path: "" }, "path: must be the path of a file"],
    [{ path: "a", paths: [] }, ': Unrecognized key: "paths"'],
    [{ path: "a", labels: { env: 1 } }, "labels.env: Invalid input: expected string, received number"],
  ])("refuses %j", (config, problem) => {
    expect(problemOf(file.Config, config)).toBe(problem);
  });
});

describe("a list of agents in a file", () => {
  it.each([
    ["a list in YAML", "- 10.0.0.2\n- http://10.0.0.1:4100/\n- 10.0.0.2:4100\n"],
    ["a list in JSON", '["10.0.0.1","10.0.0.2:4100"]'],
    ["a list in YAML's brackets", "[10.0.0.1:4100, 10.0.0.2:4100]\n"],
    ["a mapping in YAML's braces", '{addresses: ["10.0.0.1", "10.0.0.2"]}'],
    ["almost JSON, with a trailing comma and remarks", '["10.0.0.1", # one\n"10.0.0.2",\n] # both'],
    ["addresses, as `static` has them", "addresses: [10.0.0.1, 10.0.0.2]\n"],
    ["http_sd", '[{"targets":["10.0.0.2:4100"],"labels":{"a":"b"}},{"targets":["10.0.0.1:4100"]}]'],
    ["Replicante's nodes", '[{"agent_address":"10.0.0.1"},{"agent_address":"10.0.0.2","node_id":"n2"}]'],
    [
      "Replicante's clusters, of which one is ours",
      '{"clusters":[{"cluster_id":"other","nodes":["10.9.9.9",7]},{"cluster_id":"orders","nodes":["10.0.0.1","10.0.0.2"]}]}',
    ],
  ])("is read: %s", async (_form, text) => {
    expect(await looked(text)).toEqual({ kind: "complete", addresses: TWO });
  });

  it("gives none where none are written", async () => {
    for (const text of ["[]", "addresses: []\n", '[{"targets":[]}]', '[{"cluster_id":"orders","nodes":[]}]'])
      expect(await looked(text), text).toEqual({ kind: "complete", addresses: [] });
  });

  it("takes the groups that have all labels only", async () => {
    const labels = { env: "prod", cluster: "orders" };
    const list = [
      { targets: [TWO[0]], labels: { ...labels, more: "x" } },
      { targets: ["10.9.9.9:4100"], labels: { env: "prod" } },
      { targets: ["10.9.9.8:4100"] },
    ];
    expect(await looked(JSON.stringify(list), { labels })).toEqual({ kind: "complete", addresses: [TWO[0]] });
    expect(await looked(JSON.stringify(list.slice(1)), { labels })).toBe(
      "not_listed: look for agents in PATH: no group has these labels",
    );
    expect(await looked(JSON.stringify([...list, "10.0.0.2"]), { labels })).toEqual({
      kind: "partial",
      addresses: [TWO[0]],
      problems: ["entry 4: has no labels"],
    });
  });

  it("leaves out what it cannot understand, repeats none of it, and calls the rest partial", async () => {
    const text = JSON.stringify([TWO[0], "a b", 7, "http://u:hunter2@b/", { targets: ["b:0"] }]);
    expect(await looked(text)).toEqual({
      kind: "partial",
      addresses: [TWO[0]],
      problems: [
        "entry 2: must begin with an IP address or a host name",
        "entry 3: must be an agent's address",
        "entry 4: must be host:port, or an http or https URL without a path",
        "entry 5: target 1: must have a port from 1 to 65535",
      ],
    });
  });

  const SHAPES = `must be a list of agents' addresses, [{"targets": […]}] or {"clusters": […]}`;
  it.each([
    ["nothing in it", "", `bad_record: look for agents in PATH: ${SHAPES}`],
    ["a mapping of something else", "agents: []\n", `bad_record: look for agents in PATH: ${SHAPES}`],
    [
      "half of some JSON",
      '["10.0.0.1:4100","10.',
      "bad_record: look for agents in PATH: is neither JSON nor YAML: something is missing (a quote, a bracket, or the space after :) at line 1, column 22",
    ],
    [
      "half of some YAML",
      "- 10.0.0.1:4100\n- 10.0",
      "bad_record: look for agents in PATH: ends within a line: it is being written, or lacks the last newline",
    ],
    [
      "nothing that is an agent",
      "- 7\n",
      "bad_record: look for agents in PATH: entry 1: must be an agent's address",
    ],
    [
      "other clusters only",
      '{"clusters":[{"cluster_id":"users","nodes":["10.0.0.1"]}]}',
      "not_listed: look for agents in PATH: the cluster orders is not listed",
    ],
    [
      "more than there can be",
      JSON.stringify(Array.from({ length: 1_001 }, (_, i) => `n${i}`)),
      "too_large: look for agents in PATH: more than 1000 agents",
    ],
  ])("is not believed with %s", async (_what, text, line) => {
    expect(await looked(text)).toBe(line);
  });

  it.each([
    '["10.0.0.1:4100", "10.0.0.2:4100"]',
    '{"addresses": ["10.0.0.1"],\n "more": {"a": [1, null, true]}}\n',
    "[10.0.0.1:4100,\n 10.0.0.2:4100]",
    "{addresses: [10.0.0.1, 10.0.0.2]}",
  ])("is not believed where it is cut off anywhere within %j", async (text) => {
    for (let at = 0; at < text.trimEnd().length; at += 1)
      expect(await looked(text.slice(0, at)), text.slice(0, at)).toMatch(/^bad_record: /);
    expect(await looked(text)).toMatchObject({ kind: "complete" });
  });

  it("cannot be told without the file, in a look or in a watch", async () => {
    const provider = await open({ path });
    await expect(provider.lookup(patient())).rejects.toMatchObject({ code: "file" });
    await expect(firstOf(provider.watch?.(patient()))).rejects.toMatchObject({ code: "file" });
    const nowhere = await open({ path: join(directory, "none", "agents") });
    await expect(firstOf(nowhere.watch?.(patient()))).rejects.toMatchObject({
      code: "file",
      message: expect.stringMatching(/^watch .*: ENOENT/),
    });
  });
});

describe("a watched file", () => {
  it("may be written over: what is half-written ends the watch, and the next one has the whole", async () => {
    writeFileSync(path, JSON.stringify(TWO));
    const provider = await open({ path });
    const watch = provider.watch?.(patient())[Symbol.asyncIterator]();
    await watch?.next();
    const waiting = watch?.next();
    writeFileSync(path, '["10.0.0.1:4100","10.0');
    await expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/^(bad_record|file)$/) });
    writeFileSync(path, JSON.stringify([...TWO, "10.0.0.3:4100"]));
    const next = await again(() => firstOf(provider.watch?.(patient())));
    expect(next.addresses).toHaveLength(3);
  });

  it("may go and come back", async () => {
    writeFileSync(path, JSON.stringify(TWO));
    const provider = await open({ path });
    const watch = provider.watch?.(patient())[Symbol.asyncIterator]();
    await watch?.next();
    const waiting = watch?.next();
    rmSync(path);
    await expect(waiting).rejects.toMatchObject({ code: "file" });
    writeFileSync(path, '["10.0.0.3"]');
    expect((await firstOf(provider.watch?.(patient()))).addresses).toEqual(["10.0.0.3:4100"]);
  });

  it("may be a link that Kubernetes turns to another directory", async () => {
    const version = (name: string, text: string) => {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, "agents"), text);
      symlinkSync(name, join(directory, "..data_tmp"));
      renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
    };
    version("..1", JSON.stringify(TWO));
    symlinkSync(join("..data", "agents"), path);
    const provider = await open({ path });
    const seen: Lookup[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      for await (const found of provider.watch?.(stop.signal) ?? []) seen.push(found);
    })().catch(() => {});
    const untilSeen = (addresses: string) =>
      until(() => seen.at(-1)?.addresses.join() === addresses, { deadlineMs: 5_000, what: addresses });
    await untilSeen(TWO.join());
    version("..2", '["10.0.0.3"]');
    await untilSeen("10.0.0.3:4100");
    version("..3", '["10.0.0.4"]');
    await untilSeen("10.0.0.4:4100");
    stop.abort();
    await watching;
    expect(seen).toHaveLength(3);
  });

  it("tells nothing of a content that stays, nor of its neighbours", async () => {
    writeFileSync(path, JSON.stringify(TWO));
    const provider = await open({ path });
    const watch = provider.watch?.(patient())[Symbol.asyncIterator]();
    await watch?.next();
    const waiting = watch?.next();
    writeFileSync(join(directory, "neighbour"), "x");
    writeFileSync(`${path}.new`, JSON.stringify([...TWO].reverse()));
    renameSync(`${path}.new`, path);
    writeFileSync(`${path}.new`, '["10.0.0.3"]');
    renameSync(`${path}.new`, path);
    expect((await waiting)?.value.addresses).toEqual(["10.0.0.3:4100"]);
  });
});

async function firstOf(watch: AsyncIterable<Lookup> | undefined): Promise<Lookup> {
  for await (const found of watch ?? []) return found;
  throw new Error("the watch ended without a look");
}
