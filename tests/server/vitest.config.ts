import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["*.test.ts"],
    // Most tests wait for a deadline of the server, so more files than cores can be under way.
    maxWorkers: 4,
    maxConcurrency: 50,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 5_000,
  },
});
