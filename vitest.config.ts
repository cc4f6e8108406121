import { existsSync } from "node:fs";
import { defineConfig } from "vitest/config";

const servers = "test/support/servers/global-setup.ts";

export default defineConfig({
  test: {
    reporters: ["default", ["json", { outputFile: ".test-results.json" }]],
    include: ["test/**/*.test.ts"],
    globalSetup: existsSync(servers) ? [servers] : [],
    pool: "forks",
    // Some only count states: on a slow machine for a while.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores carry the servers too, and most files wait more than they work.
    maxWorkers: 3,
    allowOnly: false,
  },
});
