/** The cluster secret and certificates between real agents. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { freshKey, onBothStores, oneGenesis, openFleet } from "./stores.ts";

onBothStores("security", (store) => {
  const fleet = openFleet();
  afterEach(() => fleet.end());
  const secretFile = (text: string) => {
    const path = join(tempDir("secret"), "secret");
    writeFileSync(path, `${text}\n`);
    return path;
  };

  it("does not count an agent with another cluster secret, says so on both sides, and forms once the file is right", async () => {
    const key = freshKey();
    const [right, wrong] = [
      secretFile("correct horse battery staple"),
      secretFile("quite another secret text"),
    ];
    const args = (secret: string) => [
      ...store().flags(key),
      "-bootstrap-expect",
      "2",
      "-cluster-secret-file",
      secret,
    ];
    const a = await fleet.one("a", args(right));
    const b = await fleet.one("b", args(wrong));
    for (const [agent, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const row = await until(
        async () =>
          (
            JSON.parse((await agent.get("/v1/peers")).body).peers as { id: string; problem: string | null }[]
          ).find((peer) => peer.id === other.id && peer.problem !== null),
        { deadlineMs: 10_000, what: `${agent.id} to say what is wrong with ${other.id}` },
      );
      expect(row.problem).toContain("secret");
      expect(await agent.outcome()).toBeNull();
      expect((await agent.explain()).not_counted).toContainEqual(
        expect.objectContaining({ id: other.id, why: "no_answer" }),
      );
    }
    writeFileSync(wrong, "correct horse battery staple\n");
    await oneGenesis([a, b]);
    for (const agent of [a, b])
      expect(agent.process().stderr() + agent.process().stdout()).not.toContain("correct horse");
  });
});
