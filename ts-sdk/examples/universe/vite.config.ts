// The page builds with the SDK from source. Output names nothing outside its own folder, so any path can serve it.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  resolve: {
    alias: { "@libsync/sdk": fileURLToPath(new URL("../../src/index.ts", import.meta.url)) },
  },
  build: {
    target: "es2022",
    // The server's Content-Security-Policy allows scripts from files only, and no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // `npm run dev:page` beside a running server: LIBSYNC_URL=http://127.0.0.1:8080.
    proxy: { "/api": { target: process.env["LIBSYNC_URL"] ?? "http://127.0.0.1:8080", ws: true } },
  },
});
