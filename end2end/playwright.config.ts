import { defineConfig } from "@playwright/test";

/** Flags that a closed network and a root user need; see tools/install.sh for the browser itself. */
const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export default defineConfig({
  testDir: "tests",
  fullyParallel: true,
  workers: 2,
  retries: 0,
  forbidOnly: !!process.env.CI,
  timeout: 45_000,
  expect: { timeout: 15_000 },
  reporter: [["list"]],
  globalSetup: "./fixtures/global-setup.ts",
  use: {
    browserName: "chromium",
    launchOptions: { executablePath: process.env.CHROMIUM_PATH || "/usr/bin/chromium", args },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
  },
});
