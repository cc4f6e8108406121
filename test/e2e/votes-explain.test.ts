/** What agents without a store say while they cannot agree: on both sides, and with what resolves it. */

import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Agent } from "../support/agents.ts";
import { freePort } from "../support/loopback.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { listing, type Seat, seated, seatsFor } from "./lists.ts";
import { freshKey, oneGenesis, openFleet } from "./stores.ts";

describe("agents with a list that do not agree", () => {
  const fleet = openFleet();
  afterEach(() => fleet.end());

  const at = async (seat: Seat | undefined, args: readonly string[]): Promise<Agent> => {
    const [agent] = await seated(fleet, seat === undefined ? [] : [seat], args);
    if (agent === undefined) throw new Error("no such seat");
    return agent;
  };
  /** Waits until everything that it says has this in it. */
  const says = (agent: Agent, text: string | RegExp) => {
    let last = "";
    return until(
      async () => {
        const { summary, unblock } = await agent.explain();
        last = [summary, ...unblock].join("\n");
        return typeof text === "string" ? last.includes(text) : text.test(last);
      },
      { deadlineMs: 30_000, what: `${agent.id} to say ${text}` },
    ).catch((error: unknown) => {
      throw new Error(`${agent.id} does not say ${text}, but: ${last}`, { cause: error });
    });
  };

  it("say on both sides that they expect different numbers, and form once they agree", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b"]);
    const a = await at(seats[0], listing(seats, key, 2));
    const b = await at(seats[1], listing(seats, key, 3));
    expect((await a.waitsFor("expect_differs")).summary).toContain("b with 3");
    expect((await b.waitsFor("expect_differs")).summary).toContain("a with 2");
    await b.restart({ args: listing(seats, key, 2) });
    await oneGenesis([a, b]);
  });

  it("say on both sides that they have different keys", async () => {
    const seats = await seatsFor(["a", "b"]);
    const [x, y] = [freshKey(), freshKey()];
    const a = await at(seats[0], listing(seats, x, 2));
    const b = await at(seats[1], listing(seats, y, 2));
    await says(a, `b belongs to another cluster, ${y}`);
    await says(b, `a belongs to another cluster, ${x}`);
    await says(b, `the same -disco-key: this one has ${y}`);
  });

  it("say on both sides that they have different keys where only one of them knows of the other", async () => {
    const seats = await seatsFor(["a", "b"]);
    const [x, y] = [freshKey(), freshKey()];
    const a = await at(seats[0], listing(seats, x, 2));
    const b = await at(seats[1], listing(seats.slice(1), y, 2));
    await says(a, `b belongs to another cluster, ${y}`);
    await says(b, `a at ${seats[0]?.at} calls this agent with another -disco-key, ${x}`);
  });

  it("know their own database in the list", async () => {
    const [seat] = await seatsFor(["a"]);
    const database = `${seat?.address}:${await freePort(seat?.address ?? "")}`;
    const a = await at(seat, [...listing([{ at: database }], freshKey(), 2), "-db-adv-addr", database]);
    await says(a, `${database} is this node's own database (-db-adv-addr), not an agent: give the agents'`);
  });

  it("say on both sides that their secrets differ, or that one has none", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b", "c"]);
    const secret = (name: string) => {
      const file = join(tempDir("secret"), name);
      writeFileSync(file, `${name} secret of the cluster`);
      return ["-cluster-secret-file", file];
    };
    const a = await at(seats[0], [...listing(seats, key, 3), ...secret("one")]);
    const b = await at(seats[1], [...listing(seats, key, 3), ...secret("another")]);
    const c = await at(seats[2], listing(seats, key, 3));
    for (const agent of [a, b, c])
      for (const seat of seats.filter(({ id }) => id !== agent.id))
        await says(agent, new RegExp(`${seat.at}.*secret.*Give every agent the same -cluster-secret-file`));
    expect((await a.explain()).counted).toEqual(["a"]);
  });

  it("name a database whose address stands where an agent's should", async () => {
    const [seat] = await seatsFor(["a"]);
    const database = createServer((_, response) => {
      response.writeHead(404, { "X-Rqlite-Version": "v8.26.8" }).end("404 page not found");
    });
    await new Promise<void>((resolve) => database.listen(0, "127.0.0.1", resolve));
    try {
      const where = `127.0.0.1:${(database.address() as AddressInfo).port}`;
      const a = await at(seat, listing([{ at: seat?.at ?? "" }, { at: where }], freshKey(), 2));
      await says(a, `${where} is rqlited, not a rollcall agent. Give the agents' addresses`);
    } finally {
      database.close();
    }
  });

  it("say on both sides that one of them advertises an address that nobody reaches", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b", "c"]);
    const dead = `${seats[1]?.address}:${await freePort(seats[1]?.address ?? "")}`;
    const a = await at(seats[0], listing(seats.slice(0, 1), key, 3));
    const b = await at(seats[1], [...listing(seats, key, 3), "-http-adv-addr", dead]);
    await says(b, `a answers this agent, but cannot reach it at ${dead}`);
    await says(a, `No agent answers: connect ECONNREFUSED ${dead}`);
    await b.restart({ args: listing(seats, key, 3) });
    await oneGenesis([a, b, await at(seats[2], listing(seats, key, 3))]);
  });

  it("say that the one that creates the cluster is out of reach, and that others cannot reach this one", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b"]);
    const dead = `${seats[1]?.address}:${await freePort(seats[1]?.address ?? "")}`;
    const a = await at(seats[0], listing(seats.slice(0, 1), key, 2));
    // It can ask for votes, and is not to be asked.
    const b = await at(seats[1], [...listing(seats, key, 2), "-http-adv-addr", dead]);
    const { genesis_id } = await b.settled();
    expect((await a.waitsFor("owner")).unblock.join()).toContain(dead);
    await b.restart({ args: listing(seats, key, 2) });
    expect(await a.settled()).toMatchObject({ kind: "join", genesis_id });
  });

  it("refuse to guess where each of several is told to create the cluster alone", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b"]);
    const a = await at(seats[0], listing(seats, key, 1));
    expect((await a.waitsFor("not_alone")).unblock.join()).toContain("-join self");
    const b = await at(seats[1], listing(seats, key, 1));
    for (const agent of [a, b])
      expect((await agent.waitsFor("too_many_voters")).unblock.join()).toContain("-bootstrap-expect 2");
  });

  it("do not wait for one that only joins", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b", "c"]);
    const a = await at(seats[0], [...listing(seats, key, 2), "-genesis", "never"]);
    await a.waitsFor("others");
    const rest = await seated(fleet, seats.slice(1), listing(seats, key, 2));
    await oneGenesis([a, ...rest]);
    expect((await a.settled()).kind).toBe("join");
  });

  it("say that others cannot connect to a loopback address", async () => {
    // Addresses for documentation (RFC 3849), which lead nowhere.
    const a = await fleet.one("a", ["-join", "[2001:db8::1],[2001:db8::2]", "-bootstrap-expect", "2"]);
    await says(a, "advertises a loopback address, which others cannot reach: give -http-adv-addr");
  });

  it("refuse the second of two with one node id", async () => {
    const key = freshKey();
    const seats = await seatsFor(["a", "b", "c"]);
    const first = await at({ ...seats[0], id: "same" } as Seat, listing(seats, key, 2));
    const second = await at({ ...seats[1], id: "same" } as Seat, listing(seats, key, 2));
    for (const agent of [first, second])
      expect((await agent.waitsFor("duplicate_node_id")).unblock.join()).toContain("-node-id");
    expect((await first.explain()).summary).toContain(`at ${seats[1]?.at} uses the node id same`);
    const third = await at(seats[2], listing(seats, key, 2));
    expect((await third.waitsFor("voters")).counted).toEqual(["c"]);
    await second.stop();
    await oneGenesis([first, third]);
  });
});
