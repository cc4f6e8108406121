/** What every register must do, whatever store keeps it. */
import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Provider, Register, Swapped, Versioned } from "../../src/core/provider.ts";
import { again, type MakeStage, patient, record, type Stage } from "./stage.ts";

/** Which of a provider's registers. Of the leader key a wiped store's revisions may repeat: it is only a hint. */
export type RegisterChoice = "genesis" | "leaderKey";

/** The suite over one register of one kind of store. */
export function registerContract(name: string, choice: RegisterChoice, make: MakeStage): void {
  describe(`${name}: register ${choice}`, () => {
    let stage: Stage;
    let register: Register;
    let another: Register;
    const signal = patient();
    const initId = randomUUID();
    const text = (note: string) => record(initId, note);

    beforeEach(async () => {
      stage = await make();
      register = registerOf(await stage.open(), choice);
      another = registerOf(await stage.open(), choice);
    });
    afterEach(() => stage.close());

    it("reads null when it is absent", async () => {
      expect(await register.read(signal)).toBeNull();
    });

    it("creates only when it is absent", async () => {
      const revision = won(await register.swap(null, text("first"), signal));
      const current = { value: text("first"), revision };
      expect(await another.read(signal)).toEqual(current);
      expect(await another.swap(null, text("second"), signal)).toEqual({ kind: "lost", current });
      expect(await register.read(signal)).toEqual(current);
    });

    it("writes over what was read, with a new revision each time", async () => {
      const revisions = [won(await register.swap(null, text("0"), signal))];
      for (const note of ["1", "2", "3"]) {
        const read = present(await another.read(signal));
        revisions.push(won(await another.swap(read, text(note), signal)));
      }
      expect(new Set(revisions).size).toBe(4);
      expect(await register.read(signal)).toEqual({ value: text("3"), revision: revisions[3] });
    });

    it("counts a swap for the same value as a write", async () => {
      const first = won(await register.swap(null, text("same"), signal));
      const before = { value: text("same"), revision: first };
      const second = won(await register.swap(before, text("same"), signal));
      expect(second).not.toBe(first);
      expect((await another.swap(before, text("late"), signal)).kind).toBe("lost");
      const third = won(await register.swap({ value: text("same"), revision: second }, text("same"), signal));
      expect(third).not.toBe(second);
    });

    it("loses over a revision that is gone, and tells the current value", async () => {
      const old = { value: text("old"), revision: won(await register.swap(null, text("old"), signal)) };
      const revision = won(await another.swap(old, text("new"), signal));
      const current = { value: text("new"), revision };
      expect(await register.swap(old, text("mine"), signal)).toEqual({ kind: "lost", current });
      expect(await register.read(signal)).toEqual(current);
    });

    it("loses over a value when the register is absent", async () => {
      const gone = { value: text("gone"), revision: "7" };
      expect(await register.swap(gone, text("mine"), signal)).toEqual({ kind: "lost", current: null });
      expect(await another.read(signal)).toBeNull();
    });

    it("lets exactly one of 20 win, when absent and when not", async () => {
      let before: Versioned | null = null;
      for (const round of ["create", "replace"]) {
        const tries = Array.from({ length: 20 }, (_, i) =>
          (i % 2 ? register : another).swap(before, text(`${round} ${i}`), signal),
        );
        const ended = await Promise.all(tries);
        const kinds = ended.map((one) => (one.kind === "unknown" ? one.cause : one.kind));
        expect(kinds.toSorted()).toEqual([...Array.from({ length: 19 }, () => "lost"), "won"]);
        before = present(await register.read(signal));
        expect(before.revision).toBe(won(ended.find((one) => one.kind === "won")));
      }
    });

    it("keeps text of every kind, and 64 KiB of it", async () => {
      const long = text("x".repeat(64 * 1024 - text("").length));
      const values = [text('ünï → 語 😀 \u0000 "quoted" \\ \n line'), long];
      let before: Versioned | null = null;
      for (const value of values) {
        const revision = won(await register.swap(before, value, signal));
        before = { value, revision };
        expect(await another.read(signal)).toEqual(before);
      }
    });

    it("throws when it cannot tell, and does not know how a swap ended", async () => {
      const before = { value: text("kept"), revision: won(await register.swap(null, text("kept"), signal)) };
      await stage.down();
      await expect(register.read(signal)).rejects.toMatchObject({ code: "store_unreachable" });
      const ended = await register.swap(before, text("lost"), signal);
      expect(ended).toMatchObject({ kind: "unknown", cause: { code: "store_unreachable" } });
      await stage.up();
      expect(await again(() => register.read(signal))).toEqual(before);
    });

    it("does not know how a swap ended when its answer is lost; reading back shows it", async () => {
      const before = { value: text("0"), revision: won(await register.swap(null, text("0"), signal)) };
      const lost = stage.loseAnswer();
      expect((await register.swap(before, text("1"), signal)).kind).toBe("unknown");
      expect(lost()).toBe(1);
      const after = present(await again(() => register.read(signal)));
      expect(after.value).toBe(text("1"));
      expect((await register.swap(before, text("2"), signal)).kind).toBe("lost");
      won(await register.swap(after, text("2"), signal));
    });

    it("settles at once on abort", async () => {
      const before = { value: text("0"), revision: won(await register.swap(null, text("0"), signal)) };
      await stage.hang();
      const waiting = new AbortController();
      const read = register.read(waiting.signal);
      const swap = register.swap(before, text("1"), waiting.signal);
      const began = performance.now();
      waiting.abort();
      await expect(read).rejects.toThrow();
      expect((await swap).kind).toBe("unknown");
      expect(performance.now() - began).toBeLessThan(500);
      await expect(register.read(waiting.signal)).rejects.toThrow();
      expect((await register.swap(before, text("2"), waiting.signal)).kind).toBe("unknown");
    });

    const guarded = choice === "genesis";
    if (guarded)
      it("takes nothing of a store's earlier life for its own", async () => {
        won(await register.swap(null, text("before the wipe"), signal));
        await stage.wipe();
        expect(await register.read(signal)).toBeNull();
        const value = record(randomUUID(), "after the wipe");
        const revision = won(await another.swap(null, value, signal));
        // The revision of the new life, as a node may remember it from the old one.
        const remembered = { value: text("before the wipe"), revision };
        const ended = await register.swap(remembered, text("mine"), signal);
        expect(ended).toEqual({ kind: "lost", current: { value, revision } });
      });
  });
}

function registerOf(provider: Provider, choice: RegisterChoice): Register {
  const register = provider[choice];
  if (register === undefined) throw new TypeError(`${provider.mode} has no ${choice}`);
  return register;
}

function won(ended: Swapped | undefined): string {
  if (ended?.kind !== "won")
    throw new Error(`expected a won swap, got ${JSON.stringify(ended)}`, { cause: ended });
  return ended.revision;
}

function present(read: Versioned | null): Versioned {
  if (read === null) throw new Error("expected a value");
  return read;
}
