import { describe, expect, it } from "vitest";
import { openSlots } from "../../src/coordinator/slots.ts";
import { turns } from "../lib/manual-clock.ts";

const never = new AbortController().signal;

/** Asks for a slot, and notes the name once it is there. */
function ask(
  slots: ReturnType<typeof openSlots>,
  entered: string[],
  group: string,
  name: string,
  signal = never,
) {
  return (slots.take(group, signal) ?? Promise.resolve()).then(
    () => void entered.push(name),
    (error: unknown) => void entered.push(String(error)),
  );
}

describe("slots", () => {
  it("are no more than there are", () => {
    const slots = openSlots(2);
    expect([slots.tryTake(), slots.tryTake(), slots.tryTake()]).toEqual([true, true, false]);
    slots.release();
    expect([slots.free(), slots.tryTake(), slots.tryTake()]).toEqual([1, true, false]);
  });

  it("go round the groups, and in order within one", async () => {
    const slots = openSlots(1);
    const entered: string[] = [];
    expect(slots.take("a", never)).toBeNull();
    for (const name of ["a1", "a2", "a3", "b1", "c1", "b2"]) void ask(slots, entered, name[0] ?? "", name);
    for (let i = 0; i < 7; i++) {
      slots.release();
      await turns(1);
    }
    expect(entered).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
    expect(slots.free()).toBe(1);
  });

  it("are not lost by those who stop waiting", async () => {
    const slots = openSlots(1);
    const entered: string[] = [];
    slots.tryTake();
    const stop = new AbortController();
    void ask(slots, entered, "a", "a1", stop.signal);
    void ask(slots, entered, "a", "a2");
    void ask(slots, entered, "b", "b1", stop.signal);
    stop.abort("gave up");
    await turns();
    slots.release();
    await turns();
    expect(entered).toEqual(["gave up", "gave up", "a2"]);
    slots.release();
    expect(slots.free()).toBe(1);
  });
});
