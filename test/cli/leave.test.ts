import { describe, expect, it } from "vitest";
import { serveView, viewOf } from "../agent/support/view.ts";
import { rollcall } from "./fake-io.ts";

/** An agent whose node leaves, or says why it stays. */
async function leave(stays: { code: string; message: string; hint: string } | null, ...more: string[]) {
  const { view, shown } = viewOf();
  shown.stays = stays;
  const agent = await serveView(view);
  try {
    return await rollcall(["leave", `-addr=${agent.addr}`, ...more]);
  } finally {
    await agent.close(0);
  }
}

describe("leave", () => {
  it("asks the agent, once the key was given again", async () => {
    expect(await leave(null, "-confirm=rollcall")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^left: /),
    });
  });

  it("says why the node stays, and ends with 1", async () => {
    const stays = { code: "last_member", message: "the only member", hint: "stop the agent instead" };
    const { code, out, err } = await leave(stays, "-confirm=rollcall");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^rollcall: ask 127\.0\.0\.1:\d+: the only member; stop the agent instead\n$/);
  });

  it("of another cluster's node is bad input", async () => {
    const { code, err } = await leave(null, "-disco-key=prod/other", "-confirm=prod/other");
    expect([code, err]).toEqual([2, "rollcall: -disco-key: this agent's key is rollcall, not prod/other\n"]);
  });

  it.each([
    [[], /^rollcall: -confirm: is required/],
    [["-confirm=other"], /^rollcall: -confirm: is not the key, rollcall/],
    [["-confirm=prod/a", "-disco-key=prod/b"], /^rollcall: -confirm: is not the key, prod\/b/],
  ])("asks nobody with %j", async (flags, line) => {
    const { code, err } = await rollcall(["leave", "-addr=127.0.0.1:1", ...flags]);
    expect(code).toBe(2);
    expect(err).toMatch(line);
  });

  it("takes the word of a person at the terminal", async () => {
    const { code, err } = await rollcall(["leave", "-addr=127.0.0.1:1"], { typed: "no" });
    expect([code, err]).toEqual([
      2,
      "rollcall: confirmation: is not the key, rollcall; nothing was written\n",
    ]);
  });
});
