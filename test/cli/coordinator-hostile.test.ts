/** Whatever a coordinator answers, no terminal obeys it, and a mistake is one line. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EventType } from "../../src/core/events.ts";
import { CALM, run } from "../core/clusters.ts";
import { type Reply, type StandIn, served, standIn } from "./coordinator-stand-in.ts";
import { rollcall } from "./fake-io.ts";

const WAYS = ["GET", "POST", "DELETE"].flatMap((method) =>
  [
    "/v1/clusters",
    "/v1/clusters/x",
    "/v1/clusters/x/nodes",
    "/v1/clusters/x/refresh",
    "/v1/events",
    "/v1/discoveries",
    "/v1/discoveries/x",
    "/v1/discoveries/x/accept",
    "/v1/settings",
    "/v1/settings/x",
    "/v1/apply",
  ].map((path) => `${method} ${path}`),
);

let said: Reply = { body: "" };
let coordinator: StandIn;
beforeAll(async () => {
  coordinator = await standIn({
    ...Object.fromEntries(WAYS.map((way) => [way, () => said])),
    "GET /v1/events/stream": () => ({ ...said, body: `data: ${said.body}\n\n` }),
  });
});
afterAll(() => coordinator.close());

/** Texts that a terminal would obey, in pieces. */
const evil = fc
  .array(
    fc.constantFrom(
      "\u001b[31m",
      "\u001b]0;title\u0007",
      "\u009b2J",
      "\r",
      "\n",
      "\b",
      "\u202e",
      "\u2028",
      "\0",
      "a",
      "é",
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((pieces) => pieces.join(""));
const text = fc.oneof(evil, fc.string(), fc.constantFrom("toString", "__proto__", "up", "leader", ""));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    text,
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true }),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(text, tie("value"), { maxKeys: 3 }),
  ),
}));

/** What parses and has something evil where a text or anything else stands. */
const known = served("x", run(CALM));
const maybe = fc.option(text);
const nodes = fc
  .record({
    node_id: maybe,
    agent_addr: text,
    listed: fc.boolean(),
    stale: fc.boolean(),
    agent: fc.option(fc.record({ status: text, code: text })),
    report: fc.option(fc.record({ status: text, role: text, version: maybe })),
    shards: fc.array(fc.record({ lag: fc.option(fc.record({ unit: text, value: fc.integer() })) }), {
      maxLength: 2,
    }),
    problem: maybe,
    info: value,
  })
  .map((more) => ({ ...known.nodes[0], ...more }));
const views = fc.record({
  display_name: maybe,
  discovery: maybe,
  genesis_id: maybe,
  health: text,
  reasons: fc.array(fc.record({ message: text, node: maybe }), { maxLength: 3 }),
  kinds: fc.array(fc.record({ version: maybe, nodes: fc.integer() }), { maxLength: 3 }),
  leader: maybe,
  conditions: fc.record({ primary_conflict: fc.option(fc.array(text, { maxLength: 3 })) }),
  nodes: fc.array(nodes, { maxLength: 3 }),
  lag: value,
});
const clusters = fc
  .record({ cluster_id: text, enabled: fc.boolean(), view: views })
  .map(({ view, ...more }) => ({ ...known.detail, ...more, view: { ...known.detail.view, ...view } }));
const events = fc.record({
  id: text,
  type: fc.oneof(text, fc.constantFrom(...EventType.options.map((type) => `rollcall.${type}`))),
  subject: text,
  time: text,
  data: fc.record({ before: value, after: value }),
});
const objects = fc.record({
  name: value,
  settings: value,
  run: value,
  problems: value,
  next_at: value,
  late_ms: value,
});
const applied = fc.record({
  applied: fc.array(fc.record({ kind: text, name: text, changed: fc.boolean() })),
});
const refused = fc.record({
  error: fc.record({ code: text, message: text, hint: text, problems: fc.array(text, { minLength: 1 }) }),
});

const page = (item: fc.Arbitrary<unknown>) =>
  fc.record({ items: fc.array(item, { maxLength: 3 }), next: fc.constant(null) });

/** Each command, and what it is to be answered. */
const FITTING: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  clusters: page(clusters),
  "cluster show x": clusters,
  nodes: page(clusters),
  "nodes -cluster=x": page(nodes),
  events: page(events),
  "events --follow": events,
  "get discoveries": page(objects),
  "get discoveries x": objects,
  "get settings": page(objects),
  "get settings x": objects,
  "delete discovery x": value,
  "delete cluster x": value,
  "cluster refresh x": objects,
  "discovery accept x": value,
  "apply -f -": applied,
};
const exchange = fc.constantFrom(...Object.entries(FITTING)).chain(([command, fitting]) =>
  fc.record({
    command: fc.constant(command),
    reply: fc.oneof(
      { weight: 4, arbitrary: fc.record({ status: fc.constant(200), body: fitting }) },
      { weight: 2, arbitrary: fc.record({ status: fc.constantFrom(400, 401, 404, 500), body: refused }) },
      { weight: 1, arbitrary: fc.record({ status: fc.constantFrom(200, 400, 401), body: value }) },
    ),
  }),
);

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

describe("a hostile coordinator", () => {
  it.each(["table", "json", "yaml"])("drives no terminal through -o=%s", async (output) => {
    let good = 0;
    await fc.assert(
      fc.asyncProperty(exchange, async ({ command, reply: { status, body } }) => {
        said = { status, body: JSON.stringify(body) ?? "" };
        const stop = new AbortController();
        const run = await rollcall([...command.split(" "), coordinator.flag, `-o=${output}`], {
          stdin: "kind: A\n",
          // Following ends with the first event; what is none ends it too.
          ...(command.endsWith("--follow") ? { stop: stop.signal, onOut: () => stop.abort() } : {}),
        });
        if (run.code === 0) good++;
        expect(
          output === "yaml" ? run.out.replaceAll(/[\u2028-\u202e\u2066-\u2069]/g, "") : run.out,
        ).not.toMatch(OBEYED);
        expect(run.err).not.toMatch(OBEYED);
        expect([0, 1, 2]).toContain(run.code);
        if (run.code === 1) expect(run.err).toMatch(/^rollcall: [^\n]+\n$/);
        if (run.code === 2) expect(run.err).toMatch(/^(rollcall: [^\n]*\n)+$/);
      }),
      { numRuns: 300 },
    );
    // Otherwise this shows nothing but errors.
    expect(good).toBeGreaterThan(10);
  });

  it.each(["__proto__", "toString", "constructor"])("knows no event of type %s", async (type) => {
    const data = { before: null, after: null };
    const event = { id: "a:1", type: `rollcall.${type}`, subject: "", time: "", data };
    said = { body: JSON.stringify(event) };
    const stop = new AbortController();
    const world = { stop: stop.signal, onOut: () => stop.abort() };
    const { code, out } = await rollcall(["events", "--follow", coordinator.flag], world);
    expect([code, out.trim().split(/ +/)]).toEqual([0, [type, "a"]]);
  });

  it("gives programs what it said, escaped", async () => {
    const { item } = known;
    const view = { ...item.view, display_name: "\u001b[31m\u009b2J\u202e", leader: "n\u007f1" };
    const items = [{ ...item, view }];
    said = { body: { items, next: null } };
    const { out } = await rollcall(["clusters", coordinator.flag, "-o=json"]);
    expect(out).not.toMatch(OBEYED);
    expect(JSON.parse(out)).toEqual({ items });
    const yaml = await rollcall(["clusters", coordinator.flag, "-o=yaml"]);
    const { parse } = await import("yaml");
    expect(parse(yaml.out)).toEqual({ items });
  });
});
