import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "examples/universe/test/**/*.test.ts"],
    // Two workers leave room for what else builds at the same time.
    maxWorkers: 2,
    // Far above what any test takes alone: only a hang reaches it, whatever else the machine does.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
