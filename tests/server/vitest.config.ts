import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// The SDK as it is shipped, run by Node itself: what vitest makes of sources is several times as slow, too slow for
// hundreds of clients.
const kSdk = fileURLToPath(new URL("../../ts-sdk/dist/", import.meta.url));

export default defineConfig({
  resolve: { alias: [{ find: /^(?:\.\.\/)+ts-sdk\/src\//, replacement: kSdk }] },
  test: {
    include: ["*.test.ts"],
    server: { deps: { external: [/\/ts-sdk\/dist\//] } },
    // Most tests wait for a deadline of the server, so more files than cores can be under way.
    maxWorkers: 4,
    maxConcurrency: 50,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 5_000,
  },
});
