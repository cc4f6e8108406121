/** What `gate.test.ts` runs in a vitest of its own. Not a test of this suite: it fails on purpose. */
import { expect, it } from "vitest";
import { start } from "../processes.ts";
import { describeWith } from "./index.ts";

describeWith("etcd", "needs etcd", () => {
  it("runs with it only", () => expect(1).toBe(1));
});

describeWith([], "needs nothing and leaks", () => {
  it("leaves a process", async () => {
    await start({ name: "leaked sleep", program: "sleep", args: ["600"] });
  });
});
