import { describe, expect, it } from "vitest";
import { openQueue, type Task } from "../../src/coordinator/queue.ts";
import { manualClock } from "../lib/manual-clock.ts";

const task = (name: string, kind: Task["kind"] = "refresh"): Task => ({
  ...{ kind, name, reason: "schedule", expectedAt: 0 },
});

/** A queue whose tasks run until they are let go. */
function held(options: { most: number; workers: number }) {
  const running = new Map<string, () => void>();
  const begun: string[] = [];
  const run = ({ name }: Task) => {
    begun.push(name);
    return new Promise<void>((resolve) => running.set(name, resolve));
  };
  const queue = openQueue({ ...options, run, clock: manualClock() });
  const end = async (name: string) => {
    running.get(name)?.();
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
  };
  return { queue, begun, end };
}

describe("the queue", () => {
  it("runs as many as there are workers, and the others in order", async () => {
    const { queue, begun, end } = held({ most: 10, workers: 2 });
    for (const name of ["a", "b", "c", "d"]) expect(queue.offer(task(name))).toBe("queued");
    expect(begun).toEqual(["a", "b"]);
    expect(queue.tasks().map(({ name, state }) => `${name} ${state}`)).toEqual([
      "a running",
      "b running",
      "c queued",
      "d queued",
    ]);
    await end("b");
    expect(begun).toEqual(["a", "b", "c"]);
  });

  it("does not add what waits already, but what only runs", () => {
    const { queue } = held({ most: 10, workers: 1 });
    expect(queue.offer(task("a"))).toBe("queued");
    expect(queue.offer(task("a"))).toBe("queued");
    expect(queue.offer(task("a"))).toBe("waiting");
    expect(queue.offer(task("a", "discovery"))).toBe("queued");
  });

  it("says that it is full, and takes again once something began", async () => {
    const { queue, end } = held({ most: 1, workers: 1 });
    expect(queue.offer(task("a"))).toBe("queued");
    expect(queue.offer(task("b"))).toBe("queued");
    expect(queue.offer(task("c"))).toBe("full");
    await end("a");
    expect(queue.offer(task("c"))).toBe("queued");
  });

  it("ends when what runs has ended, and drops what waits", async () => {
    const { queue, begun, end } = held({ most: 10, workers: 1 });
    queue.offer(task("a"));
    queue.offer(task("b"));
    let closed = false;
    const closing = queue.close().then(() => {
      closed = true;
    });
    expect(closed).toBe(false);
    await end("a");
    await closing;
    expect(begun).toEqual(["a"]);
  });
});
