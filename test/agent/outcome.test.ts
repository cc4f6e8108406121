import { describe, expect, it } from "vitest";
import { openOutcome } from "../../src/agent/outcome.ts";
import type { Settled } from "../../src/core/genesis-state.ts";
import { Outcome } from "../../src/core/model.ts";
import { turns } from "../lib/manual-clock.ts";
import { memberOf, refTo, sealedBy } from "./support/records.ts";

const settled = (kind: Settled["kind"], members = ["n1", "n2", "n3"]): Settled => ({
  kind,
  record: sealedBy("n1", "g1", members),
});
const never = () => new AbortController().signal;

describe("outcome", () => {
  it("is none before the node has settled", () => {
    expect(openOutcome().current()).toBeNull();
  });

  it("has the shape that is promised, and the first revision is 1", () => {
    const outcome = openOutcome();
    outcome.update(settled("join"), []);
    expect(Outcome.parse(outcome.current())).toEqual({
      kind: "join",
      genesis_id: "g1",
      formation: "single",
      members: ["n1", "n2", "n3"].map((id) => refTo(id)),
      leader: null,
      revision: 1,
    });
  });

  it("rises by one with each change, and not without one", () => {
    const outcome = openOutcome();
    outcome.update(settled("join"), []);
    outcome.update(settled("join"), []);
    // Founders that registered with the addresses of the record change nothing.
    outcome.update(settled("join"), [memberOf("n1"), memberOf("n2")]);
    expect(outcome.current()?.revision).toBe(1);
    outcome.update(settled("join"), [memberOf("n2", { api_addr: "10.0.0.2:4001" })]);
    expect(outcome.current()?.revision).toBe(2);
    expect(outcome.current()?.members.map((m) => m.api_addr)).toEqual([
      "n1.test:4001",
      "10.0.0.2:4001",
      "n3.test:4001",
    ]);
  });

  it("goes on with the revision of the agent before it", () => {
    const first = openOutcome();
    first.update(settled("existing"), []);
    first.update(settled("existing"), [memberOf("n2", { api_addr: "10.0.0.2:4001" })]);
    const same = openOutcome(first.current());
    expect(same.current()).toBeNull();
    same.update(settled("existing"), [memberOf("n2", { api_addr: "10.0.0.2:4001" })]);
    expect(same.current()?.revision).toBe(2);
    let changes = 0;
    const other = openOutcome(first.current(), () => {
      changes += 1;
    });
    other.update(settled("existing"), [memberOf("n2", { api_addr: "10.0.0.9:4001" })]);
    expect([other.current()?.revision, changes]).toEqual([3, 1]);
  });

  it("counts who has joined the same genesis, and nobody else", () => {
    const outcome = openOutcome();
    outcome.update(settled("existing"), [
      memberOf("n4", { genesis_id: "g1" }),
      memberOf("n5", { genesis_id: "g2" }),
      memberOf("n6"),
    ]);
    expect(outcome.current()?.members.map((m) => m.id)).toEqual(["n1", "n2", "n3", "n4"]);
  });

  it("drops the old life of a node that came back with an empty disk", () => {
    const outcome = openOutcome();
    outcome.update(settled("existing"), [memberOf("n2", { incarnation: "n2-2", genesis_id: "g1" })]);
    expect(outcome.current()?.members.map((m) => m.incarnation)).toEqual(["n1-1", "n2-2", "n3-1"]);
    // Also before it has settled again: its old address is no address any more.
    const early = openOutcome();
    early.update(settled("existing"), [memberOf("n2", { incarnation: "n2-2" })]);
    expect(early.current()?.members.map((m) => m.incarnation)).toEqual(["n1-1", "n3-1"]);
  });

  it("keeps the exact founding list for a node that starts with it, and is current for any other", () => {
    const seen = [memberOf("n2", { api_addr: "10.0.0.2:4001" }), memberOf("n4", { genesis_id: "g1" })];
    const listed = openOutcome();
    const { record } = settled("bootstrap");
    listed.update({ kind: "bootstrap", record: { ...record, formation: "symmetric" } }, seen);
    expect(listed.current()?.members).toEqual(["n1", "n2", "n3"].map((id) => refTo(id)));
    const alone = openOutcome();
    alone.update({ kind: "bootstrap", record }, seen);
    expect(alone.current()?.members.map((m) => m.api_addr)).toEqual([
      "n1.test:4001",
      "10.0.0.2:4001",
      "n3.test:4001",
      "n4.test:4001",
    ]);
  });
});

describe("waiting for an outcome", () => {
  it("ends at once where there is a newer one, on an aborted signal, and after that by a change", async () => {
    const outcome = openOutcome();
    await outcome.newer(0, AbortSignal.abort());
    let woken = 0;
    const count = () => {
      woken += 1;
    };
    const waits = [0, 0, 1].map((revision) => outcome.newer(revision, never()).then(count));
    await turns();
    expect(woken).toBe(0);
    outcome.update(settled("join"), []);
    await Promise.all(waits);
    await outcome.newer(0, never());
    expect(woken).toBe(3);
  });

  it("ends by release, and on abort without leaving anything behind", async () => {
    const outcome = openOutcome();
    const released = outcome.newer(0, never());
    outcome.release();
    await released;
    const stop = new AbortController();
    const left = outcome.newer(0, stop.signal);
    stop.abort();
    await left;
  });

  it("is done by 1,024 at once; others do not wait", async () => {
    const outcome = openOutcome();
    const stop = new AbortController();
    let left = 0;
    const count = () => {
      left += 1;
    };
    const waits = Array.from({ length: 1_024 }, () => outcome.newer(0, stop.signal).then(count));
    await outcome.newer(0, never());
    expect(left).toBe(0);
    stop.abort();
    await Promise.all(waits);
    // Their places are free again.
    let waiting = true;
    const late = outcome.newer(0, never()).then(() => {
      waiting = false;
    });
    await turns();
    expect(waiting).toBe(true);
    outcome.release();
    await late;
  });
});
