import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { turns } from "../lib/manual-clock.ts";
import { until } from "../support/wait.ts";
import { at, client, never, opened, strange, within } from "./polling.ts";
import { likeAnAgent, stateOf } from "./strange-server.ts";

afterEach(() => opened.close());

const noDatabase = likeAnAgent(stateOf({ node: { node_id: "n1", incarnation: "i1", kind: "none" } }));

/** An agent that answers only while it is told to. */
async function sleeper() {
  const now = { awake: false };
  const server = await strange((socket, head) => {
    if (now.awake) noDatabase(socket, head);
  });
  return { server, now };
}

describe("an agent that is silent", () => {
  it("is asked every other time after three failures, and every time once it is back", async () => {
    const { server, now } = await sleeper();
    const { poll, counts } = client({ headersMs: 30 });
    const ask = async () => (await poll(at(server), never)).kind;
    for (let i = 0; i < 7; i++) expect(await ask()).toBe("failed");
    expect([server.requests.length, counts().failing]).toEqual([5, 1]);
    now.awake = true;
    expect([await ask(), await ask(), await ask()]).toEqual(["failed", "state", "state"]);
    expect(counts()).toEqual({ kept: 1, polls: 0, failing: 0 });
  });

  it("fails at once, with the last problem, when its poll is left out", async () => {
    const { server } = await sleeper();
    const { poll } = client({ headersMs: 30 });
    const problems: unknown[] = [];
    for (let i = 0; i < 5; i++) problems.push(await poll(at(server), never));
    for (const one of problems)
      expect(one).toMatchObject({ code: "unreachable", problem: "no answer in 0.03 s" });
    expect(server.requests).toHaveLength(4);
  });

  it("and its like take only their own slots", async () => {
    const silent = await Promise.all(Array.from({ length: 6 }, sleeper));
    const good = await strange(noDatabase);
    const { poll, counts } = client({ mostPolls: 4, mostFailing: 2, headersMs: 100 });
    const askAll = () => Promise.all(silent.map(({ server }) => poll(at(server), never)));
    await askAll();
    expect(counts().failing).toBe(6);
    const second = askAll();
    await turns();
    expect(counts().polls).toBe(2);
    expect(await poll(at(good), never)).toMatchObject({ kind: "state" });
    expect(await second).toHaveLength(6);
    expect(silent.map(({ server }) => server.requests.length).reduce((sum, one) => sum + one)).toBe(8);
    expect(counts().polls).toBe(0);
  });

  it("lets the polls of other clusters in before more of its own", async () => {
    const { server, now } = await sleeper();
    const { poll } = client({ mostPolls: 1, headersMs: 200 });
    const order: string[] = [];
    const ask = (cluster_id: string) =>
      poll(at(server, { cluster_id }), never).then(() => void order.push(cluster_id));
    const all = ["a", "a", "a", "b", "c"].map(ask);
    await until(() => server.requests.length === 1, within("the first request"));
    now.awake = true;
    await Promise.all(all);
    expect(order).toEqual(["a", "a", "b", "c", "a"]);
  });

  it("leaves nothing behind, however many are", async () => {
    let pending = 0;
    const clock = {
      ...systemClock,
      after(ms: number, then: () => void) {
        pending += 1;
        const cancel = systemClock.after(ms, () => {
          pending -= 1;
          cancelled = true;
          then();
        });
        let cancelled = false;
        return () => {
          if (!cancelled) pending -= 1;
          cancelled = true;
          cancel();
        };
      },
    };
    const hole = await strange(null);
    const { poll, counts } = client({ headersMs: 100 }, { clock });
    const addresses = Array.from({ length: 200 }, () => at(hole));
    const seen = await Promise.all(addresses.map((one) => poll(one, never)));
    expect(new Set(seen.map((one) => one.kind))).toEqual(new Set(["failed"]));
    expect([counts(), pending]).toEqual([{ kept: 0, polls: 0, failing: 1 }, 0]);
    await until(() => hole.standing() === 0, within("all connections to be closed"));
  });

  it("does not hold a caller who gives up, and that is no failure of its", async () => {
    const { server, now } = await sleeper();
    const { poll, counts } = client({ mostPolls: 1 });
    const stop = new AbortController();
    const asked = poll(at(server), stop.signal);
    const waiting = poll(at(server), stop.signal);
    await until(() => server.requests.length === 1, within("the request"));
    stop.abort(new Error("the refresh ends"));
    await expect(asked).rejects.toThrow("the refresh ends");
    await expect(waiting).rejects.toThrow("the refresh ends");
    await expect(poll(at(server), stop.signal)).rejects.toThrow("the refresh ends");
    expect(counts()).toEqual({ kept: 0, polls: 0, failing: 0 });
    now.awake = true;
    expect(await poll(at(server), never)).toMatchObject({ kind: "state" });
  });

  it("ends with the client", async () => {
    const { server } = await sleeper();
    const { poll, close } = client();
    const asked = poll(at(server), never);
    const waits = expect(asked).rejects.toThrow();
    await until(() => server.requests.length === 1, within("the request"));
    close();
    await waits;
  });
});
