import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "examples/universe/test/**/*.test.ts"],
    // Two workers leave room for what else builds at the same time.
    maxWorkers: 2,
  },
});
