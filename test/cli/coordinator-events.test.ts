import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { EventType } from "../../src/core/events.ts";
import { until } from "../support/wait.ts";
import { type Asked, type Pages, type StandIn, standIn } from "./coordinator-stand-in.ts";
import { rollcall, type World } from "./fake-io.ts";

const open: StandIn[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function serve(pages: Pages): Promise<StandIn> {
  const one = await standIn(pages);
  open.push(one);
  return one;
}

type More = { readonly subject?: string; readonly scope?: string };

/** The event at a place in the log. */
function event(seq: number, type: string, before: unknown, after: unknown, more: More = {}) {
  const scope = more.scope ?? "prod/orders";
  return {
    specversion: "1.0",
    id: `${scope}:${seq}`,
    source: "/rollcall/c1",
    type: `rollcall.${type}`,
    subject: more.subject ?? scope,
    time: `2026-11-21T10:00:${String(seq % 60).padStart(2, "0")}.250Z`,
    datacontenttype: "application/json",
    data: { before, after },
  };
}

const n2 = { subject: "prod/orders/n2" };
const report = {
  kind: "rqlite",
  version: "9.1.0",
  status: "healthy",
  role: "replica",
  voter: true,
  api_addr: "10.0.0.2:4001",
  addr: "10.0.0.2:4002",
  genesis_id: "0b5c4e1e-8d1f",
};
const nodes = (...ids: number[]) => ids.map((id) => ({ agent_addr: `10.0.0.${id}:4100` }));
const d = { scope: "discovery:consul-prod" };
const agent = (code: string) => ({ agent: { status: code === "ok" ? "up" : "down", code } });
const identity = (incarnation: string) => ({ identity: { node_id: "n2", incarnation }, report });

/** One or two of every type. */
const every = [
  event(1, "DISCOVERY_SETTINGS_APPLY", null, {}, d),
  event(2, "DISCOVERY_SETTINGS_APPLY", {}, {}, d),
  event(3, "DISCOVERY_SETTINGS_DELETE", {}, null, d),
  event(4, "CLUSTER_NEW", null, {
    discovery: "consul-prod",
    inventory: nodes(1, 2, 3),
    conditions: { leader: { node_id: "n1" } },
  }),
  event(
    5,
    "CLUSTER_CHANGED",
    { display_name: null, inventory: nodes(1, 2), genesis_id: null, discovery: "a" },
    { display_name: "Orders", inventory: nodes(1, 3), genesis_id: "0b5c4e1e-8d1f", discovery: "b" },
  ),
  event(6, "DISCOVERY_CONFLICT", null, ["other"]),
  event(7, "DISCOVERY_CONFLICT", ["other"], null),
  event(8, "DISCOVERY_SUSPECT", null, { discovery: "consul-prod", listed: 5, found: 1 }),
  event(9, "DISCOVERY_SUSPECT", { discovery: "consul-prod", listed: 5, found: 1 }, null),
  event(10, "OBSERVATION_GAP", null, {}, n2),
  event(
    11,
    "AGENT_NEW",
    null,
    { agent_addr: "10.0.0.2:4100", info: { version: "0.2.0", boot_id: "b" }, ...agent("ok") },
    { subject: "prod/orders/10.0.0.2:4100" },
  ),
  event(12, "AGENT_UP", agent("unreachable"), agent("ok"), n2),
  event(13, "AGENT_DOWN", agent("ok"), agent("unreachable"), n2),
  event(14, "AGENT_DOWN", agent("ok"), agent("of_a_later_release"), n2),
  event(
    15,
    "AGENT_INFO_CHANGED",
    { info: { version: "0.1.0", boot_id: "a" } },
    { info: { version: "0.2.0", boot_id: "b" } },
    n2,
  ),
  event(16, "NODE_NEW", null, identity("11111111-aaaa"), n2),
  event(17, "NODE_REPLACED", identity("11111111-aaaa"), identity("22222222-aaaa"), n2),
  event(18, "NODE_CHANGED", { report }, { report: { ...report, role: "leader", voter: false } }, n2),
  event(19, "NODE_CHANGED", { agent_addr: "10.0.0.2:4100" }, { agent_addr: "10.0.0.9:4100" }, n2),
  event(20, "NODE_UP", { report: { ...report, status: "joining" } }, { report }, n2),
  event(21, "NODE_DOWN", { report }, { report: { ...report, status: "unavailable", role: "unknown" } }, n2),
  event(22, "NODE_STALE", null, null, n2),
  event(23, "NODE_REMOVED", {}, null, n2),
  event(24, "SHARD_ALLOCATION_NEW", null, { id: "s", role: "secondary" }, { subject: "prod/orders/n2/s" }),
  event(
    25,
    "SHARD_ALLOCATION_CHANGED",
    { id: "s", role: "secondary" },
    { id: "s", role: "primary" },
    { subject: "prod/orders/n2/s" },
  ),
  event(26, "SHARD_ALLOCATION_LOST", { id: "s", role: "primary" }, null, { subject: "prod/orders/n2/s" }),
  event(27, "LEADER_CHANGED", { node_id: "n1" }, { node_id: "n2" }),
  event(28, "LEADER_CHANGED", { node_id: "n2" }, null),
  event(29, "PRIMARY_CONFLICT", null, ["n1", "n2", "n3"]),
  event(30, "PRIMARY_CONFLICT", ["n1", "n2"], null),
  event(31, "PRIMARY_MISSING", null, { last: "n2" }),
  event(32, "PRIMARY_MISSING", { last: "n2" }, null),
  event(33, "CLUSTER_SPLIT", null, { "0b5c4e1e-8d1f": ["n1", "n2"], "ffffffff-8d1f": ["n3"] }),
  event(34, "CLUSTER_SPLIT", {}, null),
  event(35, "MEMBERSHIP_DRIFT", null, {
    inventory: ["n1", "n2"],
    agents: ["n1", "n2", "n3"],
    database: ["n1", "n3"],
  }),
  event(36, "MEMBERSHIP_DRIFT", {}, null),
  event(37, "CLUSTER_REMOVED", {}, null),
  event(38, "ORCHESTRATE_REPORT", null, { outcome: "done" }),
  event(39, "OF_A_LATER_RELEASE", null, 7),
  event(
    40,
    "AGENT_UP",
    { agent_addr: "10.0.0.2:4100", ...agent("unreachable") },
    { agent_addr: "10.0.0.2:4100", ...agent("ok") },
    { subject: "prod/orders/10.0.0.2:4100" },
  ),
  event(
    41,
    "AGENT_INFO_CHANGED",
    { agent_addr: "10.0.0.2:4100", info: null },
    { agent_addr: "10.0.0.2:4100", info: { version: "0.2.0", boot_id: "b" } },
    { subject: "prod/orders/10.0.0.2:4100" },
  ),
  event(
    42,
    "NODE_CHANGED",
    { report: { ...report, genesis_id: null } },
    { report: { ...report, genesis_id: "0b5c4e1e-8d1f" } },
    n2,
  ),
];

/** The log in pages of ten, and the filters as they were asked for. */
const log: Pages = {
  "GET /v1/events": ({ path }) => {
    const at = Number(new URL(path, "http://x").searchParams.get("after") ?? 0);
    const next = at + 10 < every.length ? String(at + 10) : null;
    return { body: { items: every.slice(at, at + 10), next } };
  },
};

describe("events", () => {
  it("tells every type in one line, from all pages", async () => {
    expect(new Set(every.map(({ type }) => type.slice("rollcall.".length)))).toEqual(
      new Set([...EventType.options, "OF_A_LATER_RELEASE"]),
    );
    const coordinator = await serve(log);
    const { code, out, err } = await rollcall(["events", coordinator.flag]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatchInlineSnapshot(`
      "2026-11-21T10:00:01Z  DISCOVERY_SETTINGS_APPLY   discovery consul-prod: new
      2026-11-21T10:00:02Z  DISCOVERY_SETTINGS_APPLY   discovery consul-prod: changed
      2026-11-21T10:00:03Z  DISCOVERY_SETTINGS_DELETE  discovery consul-prod
      2026-11-21T10:00:04Z  CLUSTER_NEW                prod/orders: found by consul-prod, 3 nodes, led by n1
      2026-11-21T10:00:05Z  CLUSTER_CHANGED            prod/orders: now also 10.0.0.3:4100, no longer 10.0.0.2:4100, name none → Orders, discovery a → b, genesis none → 0b5c4e1e
      2026-11-21T10:00:06Z  DISCOVERY_CONFLICT         prod/orders: is listed by other too
      2026-11-21T10:00:07Z  DISCOVERY_CONFLICT         prod/orders: no other discovery lists it any more
      2026-11-21T10:00:08Z  DISCOVERY_SUSPECT          prod/orders: consul-prod lists only 1 of 5 nodes; the old list is kept
      2026-11-21T10:00:09Z  DISCOVERY_SUSPECT          prod/orders: consul-prod is believed again
      2026-11-21T10:00:10Z  OBSERVATION_GAP            prod/orders n2: changes between two looks were missed
      2026-11-21T10:00:11Z  AGENT_NEW                  prod/orders 10.0.0.2:4100: at 10.0.0.2:4100, rollcall 0.2.0
      2026-11-21T10:00:12Z  AGENT_UP                   prod/orders n2: answers again
      2026-11-21T10:00:13Z  AGENT_DOWN                 prod/orders n2: does not answer
      2026-11-21T10:00:14Z  AGENT_DOWN                 prod/orders n2: of_a_later_release
      2026-11-21T10:00:15Z  AGENT_INFO_CHANGED         prod/orders n2: rollcall 0.1.0 → 0.2.0, restarted
      2026-11-21T10:00:16Z  NODE_NEW                   prod/orders n2: rqlite 9.1.0, healthy, replica
      2026-11-21T10:00:17Z  NODE_REPLACED              prod/orders n2: another disk, incarnation 11111111 → 22222222, rqlite 9.1.0, healthy, replica
      2026-11-21T10:00:18Z  NODE_CHANGED               prod/orders n2: role replica → leader, voter yes → no
      2026-11-21T10:00:19Z  NODE_CHANGED               prod/orders n2: agent 10.0.0.2:4100 → 10.0.0.9:4100
      2026-11-21T10:00:20Z  NODE_UP                    prod/orders n2: status joining → healthy
      2026-11-21T10:00:21Z  NODE_DOWN                  prod/orders n2: status healthy → unavailable, role replica → unknown
      2026-11-21T10:00:22Z  NODE_STALE                 prod/orders n2: its agent is down; what it last said is kept
      2026-11-21T10:00:23Z  NODE_REMOVED               prod/orders n2
      2026-11-21T10:00:24Z  SHARD_ALLOCATION_NEW       prod/orders n2/s: as secondary
      2026-11-21T10:00:25Z  SHARD_ALLOCATION_CHANGED   prod/orders n2/s: secondary → primary
      2026-11-21T10:00:26Z  SHARD_ALLOCATION_LOST      prod/orders n2/s: was primary
      2026-11-21T10:00:27Z  LEADER_CHANGED             prod/orders: n1 → n2
      2026-11-21T10:00:28Z  LEADER_CHANGED             prod/orders: n2 → nobody
      2026-11-21T10:00:29Z  PRIMARY_CONFLICT           prod/orders: n1, n2 and n3 claim to lead
      2026-11-21T10:00:30Z  PRIMARY_CONFLICT           prod/orders: only one claims to lead again
      2026-11-21T10:00:31Z  PRIMARY_MISSING            prod/orders: nobody leads, before it was n2
      2026-11-21T10:00:32Z  PRIMARY_MISSING            prod/orders: somebody leads again
      2026-11-21T10:00:33Z  CLUSTER_SPLIT              prod/orders: n1 and n2 in 0b5c4e1e, n3 in ffffffff
      2026-11-21T10:00:34Z  CLUSTER_SPLIT              prod/orders: one cluster again
      2026-11-21T10:00:35Z  MEMBERSHIP_DRIFT           prod/orders: n2 is not in database; n3 is not in inventory
      2026-11-21T10:00:36Z  MEMBERSHIP_DRIFT           prod/orders: inventory, agents and database agree again
      2026-11-21T10:00:37Z  CLUSTER_REMOVED            prod/orders
      2026-11-21T10:00:38Z  ORCHESTRATE_REPORT         prod/orders: refresh done
      2026-11-21T10:00:39Z  OF_A_LATER_RELEASE         prod/orders
      2026-11-21T10:00:40Z  AGENT_UP                   prod/orders 10.0.0.2:4100: answers
      2026-11-21T10:00:41Z  AGENT_INFO_CHANGED         prod/orders 10.0.0.2:4100: rollcall 0.2.0
      2026-11-21T10:00:42Z  NODE_CHANGED               prod/orders n2: genesis id none → 0b5c4e1e
      "
    `);
  });

  it("gives each event as a line of JSON, or as a document of YAML", async () => {
    const coordinator = await serve(log);
    const { out } = await rollcall(["events", coordinator.flag, "-o=json"]);
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(every);
    const yaml = await rollcall(["events", coordinator.flag, "-o=yaml"]);
    const { parseAllDocuments } = await import("yaml");
    expect([...parseAllDocuments(yaml.out)].map((document) => document.toJS())).toEqual(every);
  });

  it("passes on what is asked for", async () => {
    const coordinator = await serve(log);
    const flags = ["-cluster=prod/orders", "-type=leader-changed,rollcall.NODE_DOWN", "-after=prod/orders:7"];
    await rollcall(["events", coordinator.flag, ...flags]);
    const { searchParams, pathname } = new URL(coordinator.asked[0]?.path ?? "", "http://x");
    expect([pathname, Object.fromEntries(searchParams)]).toEqual([
      "/v1/events",
      { cluster: "prod/orders", type: "LEADER_CHANGED,NODE_DOWN", limit: "100", after: "prod/orders:7" },
    ]);
  });

  it("knows the types", async () => {
    expect(await rollcall(["events", "-type=LEADER_CHANGE"])).toMatchObject({
      code: 2,
      err: 'rollcall: -type: "LEADER_CHANGE" is no type of event (did you mean LEADER_CHANGED?); the README lists them all\n',
    });
  });

  it("reads no further when nobody reads on", async () => {
    const coordinator = await serve(log);
    const gone = new AbortController();
    const { code } = await rollcall(["events", coordinator.flag], {
      unread: gone.signal,
      onOut: () => gone.abort(),
    });
    expect([code, coordinator.asked.length]).toEqual([0, 1]);
  });
});

type Stream = { readonly asked: Asked; readonly response: ServerResponse };

/** A coordinator whose streams the test writes itself. */
async function streaming(more: Pages = {}) {
  const streams: Stream[] = [];
  const coordinator = await serve({
    "GET /v1/events/stream": (asked, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": begins\n\n");
      streams.push({ asked, response });
      return null;
    },
    ...more,
  });
  const opened = (count: number) =>
    until(() => streams[count - 1], { deadlineMs: 10_000, what: `stream ${count}` });
  return { coordinator, opened };
}

function message(position: number): string {
  return `id: ${position}\nevent: rollcall.LEADER_CHANGED\ndata: ${JSON.stringify(event(position, "LEADER_CHANGED", null, { node_id: `n${position}` }))}\n\n`;
}

/** `events --follow` in the background: what it printed so far, and its end. */
function following(coordinator: StandIn, flags: readonly string[] = [], world: World = {}) {
  const stop = new AbortController();
  let out = "";
  const end = rollcall(["events", "--follow", coordinator.flag, ...flags], {
    stop: stop.signal,
    onOut: (text) => {
      out += text;
    },
    ...world,
  });
  const seen = () => [...out.matchAll(/nobody → n(\d+)\n/g)].map(([, id]) => Number(id));
  return {
    seen,
    stop: () => stop.abort(),
    end,
    has: (count: number) =>
      until(() => seen().length >= count, { deadlineMs: 10_000, what: `${count} events to be printed` }),
  };
}

describe("events --follow", () => {
  it("prints events as they come, in any pieces, until it is stopped", async () => {
    const { coordinator, opened } = await streaming();
    const follow = following(coordinator, ["-type=LEADER_CHANGED", "-cluster=prod/orders"]);
    const { asked, response } = await opened(1);
    expect(asked.path).toBe("/v1/events/stream?cluster=prod%2Forders&type=LEADER_CHANGED");
    expect(asked.headers).toMatchObject({ accept: "text/event-stream" });
    expect(asked.headers["last-event-id"]).toBeUndefined();
    const bytes = Buffer.from(message(1) + message(2));
    // In the middle of a line.
    response.write(bytes.subarray(0, 77));
    response.write(bytes.subarray(77));
    await follow.has(2);
    follow.stop();
    expect(await follow.end).toMatchObject({ code: 0, err: "" });
    expect(follow.seen()).toEqual([1, 2]);
  });

  it("goes on where a broken stream ended, and tells nothing twice", async () => {
    const { coordinator, opened } = await streaming();
    const follow = following(coordinator);
    const first = await opened(1);
    first.response.write(message(1) + message(2));
    await follow.has(2);
    first.response.destroy();
    const second = await opened(2);
    expect(second.asked.headers["last-event-id"]).toBe("2");
    // One that a coordinator repeats at the edge.
    second.response.end(message(2) + message(3));
    const third = await opened(3);
    expect(third.asked.headers["last-event-id"]).toBe("3");
    third.response.write(message(4));
    await follow.has(4);
    follow.stop();
    const { code, err } = await follow.end;
    expect([code, follow.seen()]).toEqual([0, [1, 2, 3, 4]]);
    expect(err.replaceAll(/http:\S+?(?=[:\s])(?::\d+)?/g, "URL").replaceAll(/URL: .*;/g, "URL: why;")).toBe(
      `${"rollcall: lost URL: why; trying again\nrollcall: URL is there again\n".repeat(2)}`,
    );
  });

  it("begins after the event that it is told", async () => {
    const { coordinator, opened } = await streaming();
    const follow = following(coordinator, ["-after=prod/orders:17"]);
    expect((await opened(1)).asked.headers["last-event-id"]).toBe("prod/orders:17");
    follow.stop();
    expect((await follow.end).code).toBe(0);
  });

  it("waits out a coordinator that is away for a while", async () => {
    let busy = 2;
    const streams: ServerResponse[] = [];
    const coordinator = await serve({
      "GET /v1/events/stream": (_asked, response) => {
        if (streams.length > 0 && busy-- > 0)
          return {
            status: 503,
            body: { error: { code: "stopping", message: "is being stopped", hint: "" } },
          };
        response.writeHead(200).write(": begins\n\n");
        streams.push(response);
        return null;
      },
    });
    const follow = following(coordinator);
    (await until(() => streams[0], { deadlineMs: 10_000, what: "a stream" })).end();
    (await until(() => streams[1], { deadlineMs: 10_000, what: "another stream" })).write(message(5));
    await follow.has(1);
    follow.stop();
    const { code, err } = await follow.end;
    expect([code, err.match(/lost/g)?.length]).toEqual([0, 1]);
  });

  it("ends with 1 when nobody is there to begin with, or the place is not kept", async () => {
    expect(await rollcall(["events", "--follow", "-coordinator=http://127.0.0.1:1"])).toMatchObject({
      code: 1,
      err: "rollcall: ask http://127.0.0.1:1: nobody listens there; start it with `rollcall coordinator`, or name another with -coordinator\n",
    });
    const gone = {
      status: 410,
      body: { error: { code: "gone", message: "is not kept", hint: "begin anew" } },
    };
    const { coordinator } = await streaming({ "GET /v1/events/stream": gone });
    const { code, err } = await following(coordinator, ["-after=9"]).end;
    expect(code).toBe(1);
    expect(err).toMatch(/^rollcall: ask http:\S+: is not kept; begin anew\n$/);
  });

  it("ends with 0 when nobody reads on", async () => {
    const { coordinator, opened } = await streaming();
    const gone = new AbortController();
    const { end } = following(coordinator, [], { unread: gone.signal, onOut: () => gone.abort() });
    (await opened(1)).response.write(message(1));
    expect(await end).toMatchObject({ code: 0, err: "" });
  });

  it("ends with one line where something else streams", async () => {
    const { coordinator, opened } = await streaming();
    const { end } = following(coordinator);
    (await opened(1)).response.write("data: hello\n\n");
    const { code, err } = await end;
    expect(code).toBe(1);
    expect(err).toMatch(/^rollcall: ask http:\S+: the answer is not JSON; is it a rollcall coordinator\?\n$/);
  });
});
