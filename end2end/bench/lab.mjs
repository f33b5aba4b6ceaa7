// The release server with its lab, and a browser in front of it.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "@playwright/test";

const root = resolve(import.meta.dirname, "../..");

async function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once("error", fail).listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** Starts `use-aa serve` with a lab of its own; `ready` is how long that took, milliseconds. */
export async function startServer() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const data = mkdtempSync(join(tmpdir(), "use-aa-bench-"));
  const begun = performance.now();
  const child = spawn(process.env.USE_AA_BINARY, ["serve"], {
    cwd: root,
    env: { ...process.env, USE_AA_ADDR: `127.0.0.1:${port}`, USE_AA_DATA_DIR: data, RUST_LOG: "warn" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const gone = new Promise((done) => child.once("exit", done));
  const kill = () => child.kill("SIGTERM");
  process.on("exit", kill);
  for (;;) {
    if (child.exitCode !== null) throw new Error(`use-aa ended with ${child.exitCode}`);
    if ((await fetch(`${url}/readyz`).catch(() => undefined))?.ok) break;
    await new Promise((wake) => setTimeout(wake, 10));
  }
  const ready = performance.now() - begun;
  const info = await fetch(`${url}/api/fn/chain_info`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: "{}",
  }).then((answer) => answer.json());
  return {
    url,
    ready,
    rpcUrl: info.publicRpcUrl,
    /** Resident memory, bytes; `VmHWM` is the highest so far. */
    memory: (field = "VmRSS") =>
      Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))[1]) * 1024,
    async stop() {
      process.off("exit", kill);
      if (child.exitCode === null) kill();
      await gone;
      rmSync(data, { recursive: true, force: true });
    },
  };
}

export const startBrowser = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM_PATH,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
