import { describe, expect, it } from "vitest";
import {
  createRegisters,
  DEFAULT_LIMITS,
  digest,
  type Limits,
} from "../../src/discovery-service/registers.ts";
import { RollcallError } from "../../src/lib/errors.ts";

/** A store whose uuids are `u1`, `u2`, …; the first names the store. */
function make(limits: Partial<Limits> = {}) {
  let made = 0;
  return createRegisters({ uuid: () => `u${++made}` }, { ...DEFAULT_LIMITS, ...limits });
}

const genesis = { id: "a", name: "genesis" };
const member = (nodeId: string, more: { incarnation?: string; record?: string; ttlMs?: number } = {}) => ({
  id: "a",
  nodeId,
  incarnation: "i1",
  record: `{"id":"${nodeId}"}`,
  ttlMs: 1_000,
  ...more,
});

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof RollcallError) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

describe("check-and-set", () => {
  it("creates what is absent, and nothing that is there", () => {
    const store = make();
    expect(store.put({ ...genesis, value: "x", expected: null })).toEqual({ kind: "won", revision: "u1-1" });
    expect(store.put({ ...genesis, value: "y", expected: null })).toEqual({
      kind: "lost",
      current: { value: "x", revision: "u1-1" },
    });
    expect(store.read("a", "genesis")).toEqual({ value: "x", revision: "u1-1" });
  });

  it.each([
    ["the revision alone", { revision: "u1-1", sha256: null }, "won"],
    ["the revision and the value", { revision: "u1-1", sha256: digest("x") }, "won"],
    ["another revision", { revision: "u1-2", sha256: null }, "lost"],
    ["the revision with another value", { revision: "u1-1", sha256: digest("y") }, "lost"],
    ["the revision of another life of the store", { revision: "u0-1", sha256: digest("x") }, "lost"],
  ])("compares %s", (_, expected, kind) => {
    const store = make();
    store.put({ ...genesis, value: "x", expected: null });
    expect(store.put({ ...genesis, value: "z", expected }).kind).toBe(kind);
    expect(store.read("a", "genesis")?.value).toBe(kind === "won" ? "z" : "x");
  });

  it("loses against an absent register", () => {
    const expected = { revision: "u1-1", sha256: null };
    expect(make().put({ ...genesis, value: "x", expected })).toEqual({ kind: "lost", current: null });
  });

  it("removes only what was read, and never uses a revision again", () => {
    const store = make();
    store.put({ ...genesis, value: "x", expected: null });
    expect(store.remove({ ...genesis, expected: { revision: "u1-9", sha256: null } }).kind).toBe("lost");
    expect(store.remove({ ...genesis, expected: { revision: "u1-1", sha256: digest("x") } }).kind).toBe(
      "won",
    );
    expect(store.remove({ ...genesis, expected: { revision: "u1-1", sha256: null } })).toEqual({
      kind: "lost",
      current: null,
    });
    expect(store.put({ ...genesis, value: "x", expected: null })).toEqual({ kind: "won", revision: "u1-3" });
  });

  it("keeps ids and names apart", () => {
    const store = make();
    store.put({ id: "a", name: "b", value: "1", expected: null });
    store.put({ id: "a/b", name: "b", value: "2", expected: null });
    expect(store.read("a", "b")?.value).toBe("1");
    expect(store.read("a/b", "b")?.value).toBe("2");
    expect(store.read("a/b/c", "b")).toBeNull();
  });
});

describe("members", () => {
  it("enters a member and shows the records in the order of node ids", () => {
    const store = make();
    store.announce(member("n2"), 0);
    store.announce(member("n1"), 0);
    expect(store.view("a").members).toEqual(['{"id":"n1"}', '{"id":"n2"}']);
  });

  it("replaces the entry of the same incarnation with a new lease", () => {
    const store = make();
    expect(store.announce(member("n1"), 0)).toEqual({ kind: "held", lease: "u2" });
    expect(store.announce(member("n1", { record: "{}" }), 0)).toEqual({ kind: "held", lease: "u3" });
    expect(store.view("a").members).toEqual(["{}"]);
    expect(store.renew({ id: "a", nodeId: "n1", lease: "u2" }, 0)).toBe(false);
    expect(store.renew({ id: "a", nodeId: "n1", lease: "u3" }, 0)).toBe(true);
  });

  it("keeps another incarnation out until the lease has ended", () => {
    const store = make();
    store.announce(member("n1"), 0);
    const other = member("n1", { incarnation: "i2", record: '{"id":"n1","i":2}' });
    expect(store.announce(other, 999)).toEqual({ kind: "taken", record: '{"id":"n1"}' });
    expect(store.announce(other, 1_000).kind).toBe("held");
    expect(store.view("a").members).toEqual(['{"id":"n1","i":2}']);
  });

  it("withdraws by the lease that holds the entry, and by no other", () => {
    const store = make();
    store.announce(member("n1"), 0);
    const held = { id: "a", nodeId: "n1", lease: "u2" };
    expect(store.withdraw({ ...held, lease: "u9" })).toBe(false);
    expect(store.withdraw({ ...held, nodeId: "n2" })).toBe(false);
    expect(store.withdraw({ ...held, id: "b" })).toBe(false);
    expect(store.withdraw(held)).toBe(true);
    expect(store.withdraw(held)).toBe(false);
    expect(store.view("a").members).toEqual([]);
  });

  it("expires what was not renewed, and says when to look again", () => {
    const store = make();
    expect(store.expire(0)).toBeNull();
    store.announce(member("n1"), 0);
    store.announce(member("n2", { ttlMs: 3_000 }), 0);
    expect(store.expire(500)).toBe(1_000);
    store.renew({ id: "a", nodeId: "n1", lease: "u2" }, 500);
    expect(store.expire(1_000)).toBe(1_500);
    expect(store.expire(1_500)).toBe(3_000);
    expect(store.view("a").members).toEqual(['{"id":"n2"}']);
    expect(store.renew({ id: "a", nodeId: "n1", lease: "u2" }, 1_500)).toBe(false);
    expect(store.expire(3_000)).toBeNull();
    expect(store.size()).toEqual({ ids: 0, bytes: 0, waiters: 0 });
  });

  it("does not renew a lease that has ended, even before anyone swept", () => {
    const store = make();
    store.announce(member("n1"), 0);
    expect(store.renew({ id: "a", nodeId: "n1", lease: "u2" }, 1_000)).toBe(false);
  });
});

describe("the index", () => {
  it("moves with what others can see, and only with that", () => {
    const store = make();
    const seen: string[] = [store.index("a")];
    const step = (work: () => unknown) => {
      work();
      seen.push(store.index("a"));
    };
    step(() => store.put({ ...genesis, value: "x", expected: null })); // 1
    step(() => store.put({ ...genesis, value: "y", expected: null })); // lost: still 1
    step(() => store.announce(member("n1"), 0)); // 2
    step(() => store.announce(member("n1"), 0)); // the same record: still 2
    step(() => store.renew({ id: "a", nodeId: "n1", lease: "u3" }, 0)); // still 2
    step(() => store.put({ ...genesis, id: "b", value: "x", expected: null })); // another id: still 2
    step(() => store.expire(5_000)); // 4
    expect(seen).toEqual(["u1-0", "u1-1", "u1-1", "u1-2", "u1-2", "u1-2", "u1-2", "u1-4"]);
  });

  it("does not come again when an id is emptied and filled again", () => {
    const store = make();
    const put = () => store.put({ ...genesis, value: "x", expected: null });
    const first = put();
    const revision = first.kind === "won" ? first.revision : "";
    store.remove({ ...genesis, expected: { revision, sha256: null } });
    put();
    expect(store.index("a")).not.toBe(revision);
  });

  it("wakes each waiter of the id once, after the change can be seen", () => {
    const store = make();
    const woken: string[] = [];
    const wake = () => woken.push(store.read("a", "genesis")?.value ?? "nothing");
    store.onChange("a", wake);
    store.onChange("a", wake);
    store.onChange("b", () => woken.push("b"));
    const cancel = store.onChange("a", () => woken.push("cancelled"));
    cancel();
    cancel();
    expect(store.size().waiters).toBe(3);
    store.put({ ...genesis, value: "x", expected: null });
    store.put({ ...genesis, name: "other", value: "x", expected: null });
    expect(woken).toEqual(["x", "x"]);
    expect(store.size().waiters).toBe(1);
  });

  it("lets a waiter wait again while it is being woken", () => {
    const store = make();
    let wakes = 0;
    const again = (): void => {
      wakes += 1;
      store.onChange("a", again);
    };
    store.onChange("a", again);
    store.put({ ...genesis, value: "x", expected: null });
    expect(wakes).toBe(1);
    store.put({ id: "a", name: "leader", value: "x", expected: null });
    expect(wakes).toBe(2);
    expect(store.size().waiters).toBe(1);
  });
});

describe("bounds", () => {
  const put = (store: ReturnType<typeof make>, id: string, name = "genesis", value = "x") =>
    store.put({ id, name, value, expected: null });

  it.each([
    ["ids", { ids: 1 }, (s) => put(s, "b")],
    ["registers of an id", { registersPerId: 1 }, (s) => put(s, "a", "leader")],
    ["members of an id", { membersPerId: 0 }, (s) => s.announce(member("n1"), 0)],
    ["bytes of an id, by a value", { bytesPerId: 20 }, (s) => put(s, "a", "leader", "1234567890")],
    ["bytes of an id, by a member", { bytesPerId: 15 }, (s) => s.announce(member("n1"), 0)],
    ["bytes", { bytes: 10 }, (s) => put(s, "b")],
  ] satisfies [string, Partial<Limits>, (s: ReturnType<typeof make>) => unknown][])(
    "refuses more %s and changes nothing",
    (_, limits, more) => {
      const store = make(limits);
      put(store, "a");
      const before = [store.index("a"), store.size(), store.view("a")];
      expect(codeOf(() => more(store))).toBe("store_full");
      expect([store.index("a"), store.size(), store.view("a")]).toEqual(before);
    },
  );

  it("refuses a value that is too large, counted in bytes", () => {
    const store = make({ valueBytes: 3 });
    expect(codeOf(() => put(store, "a", "genesis", "é"))).toBe("nothing was thrown");
    expect(codeOf(() => put(store, "b", "genesis", "éé"))).toBe("value_too_large");
    expect(codeOf(() => store.announce(member("n1"), 0))).toBe("value_too_large");
  });

  it("gives room back when something goes or shrinks", () => {
    const store = make({ ids: 1, bytes: 30 });
    const won = put(store, "a", "genesis", "12345678901234567890");
    const revision = won.kind === "won" ? won.revision : "";
    const next = store.put({ ...genesis, value: "1", expected: { revision, sha256: null } });
    expect(store.size().bytes).toBe(8);
    store.remove({
      ...genesis,
      expected: { revision: next.kind === "won" ? next.revision : "", sha256: null },
    });
    expect(store.size()).toEqual({ ids: 0, bytes: 0, waiters: 0 });
    expect(put(store, "b").kind).toBe("won");
  });

  it.each([
    ["of an id", { waitersPerId: 1 }, "a"],
    ["of all", { waiters: 1 }, "b"],
  ])("refuses more waiters %s", (_, limits, id) => {
    const store = make(limits);
    const cancel = store.onChange("a", () => {});
    expect(codeOf(() => store.onChange(id, () => {}))).toBe("too_many_waiters");
    cancel();
    expect(codeOf(() => store.onChange(id, () => {}))).toBe("nothing was thrown");
  });

  it.each(["", ".", "..", "A", "a b", "a/", "/a", "a//b", "a/b/c/d/e", "a/../b", "é", "a".repeat(129)])(
    "refuses the id %j",
    (id) => {
      const store = make();
      expect(codeOf(() => store.index(id))).toBe("bad_name");
      expect(codeOf(() => store.view(id))).toBe("bad_name");
      expect(codeOf(() => put(store, id))).toBe("bad_name");
      expect(codeOf(() => store.announce({ ...member("n1"), id }, 0))).toBe("bad_name");
      expect(codeOf(() => store.onChange(id, () => {}))).toBe("bad_name");
    },
  );

  it.each(["", ".", "..", "a/b", "A", "a~b"])("refuses the register %j", (name) => {
    expect(codeOf(() => put(make(), "a", name))).toBe("bad_name");
    expect(codeOf(() => make().read("a", name))).toBe("bad_name");
  });

  it.each(["", "..", "a\nb", "x".repeat(256)])("refuses the node id %j", (nodeId) => {
    expect(codeOf(() => make().announce(member(nodeId), 0))).toBe("bad_name");
  });
});
