// What a person waits for and what the server carries, on the release build and a fresh lab.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "@playwright/test";

const root = resolve(import.meta.dirname, "../..");
const RUNS = Number(process.env.BENCH_RUNS ?? 20);
const table = [];
const row = (what, value, goal = "") => table.push([what, value, goal]);

const port = await new Promise((done) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => done(port));
  });
});
const url = `http://127.0.0.1:${port}`;
const started = performance.now();
const server = spawn(process.env.USE_AA_BINARY, ["serve"], {
  cwd: root,
  env: { ...process.env, USE_AA_ADDR: `127.0.0.1:${port}`, USE_AA_DATA_DIR: mkdtempSync(join(tmpdir(), "use-aa-bench-")), RUST_LOG: "warn" },
  stdio: ["ignore", "inherit", "inherit"],
});
const stop = () => server.kill("SIGTERM");
process.on("exit", stop);
for (;;) {
  if (server.exitCode !== null) throw new Error(`use-aa ended with ${server.exitCode}`);
  if ((await fetch(`${url}/readyz`).catch(() => undefined))?.ok) break;
  await new Promise((wake) => setTimeout(wake, 20));
}
row("lab and server ready", `${((performance.now() - started) / 1000).toFixed(1)} s`, "< 8 s");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const p95 = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length * 0.95)];
const ms = (numbers) => `${median(numbers).toFixed(0)} ms (p95 ${p95(numbers).toFixed(0)})`;

/** Bytes over the wire until the page is idle, before any interaction. */
async function firstLoad() {
  const page = await browser.newPage();
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const names = new Map(), sizes = new Map();
  session.on("Network.responseReceived", ({ requestId, response }) => names.set(requestId, new URL(response.url).pathname));
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) =>
    sizes.set(names.get(requestId), (sizes.get(names.get(requestId)) ?? 0) + encodedDataLength));
  await page.goto(url, { waitUntil: "networkidle" });
  for (const [name, size] of [...sizes].sort((a, b) => b[1] - a[1])) row(`  ${name}`, `${(size / 1000).toFixed(1)} kB`);
  row("first load of /, all of it", `${([...sizes.values()].reduce((a, b) => a + b, 0) / 1000).toFixed(1)} kB`, "<= 200 kB, better 140");
  await page.close();
}

/** Milliseconds from the click to a fresh hash in the page, both taken in the page. */
async function clickToHash(page, button, hash) {
  return page.evaluate(
    ([button, hash]) =>
      new Promise((done, fail) => {
        const find = (id) => document.querySelector(`[data-testid="${id}"]`);
        const before = find(hash)?.getAttribute("data-value") ?? null;
        const start = performance.now();
        const give = setTimeout(() => fail(new Error(`no ${hash} in 30 s: ${find("error")?.textContent ?? "no error shown"}`)), 30000);
        const observer = new MutationObserver(() => {
          const value = find(hash)?.getAttribute("data-value");
          if (!value || value === before) return;
          observer.disconnect();
          clearTimeout(give);
          done(performance.now() - start);
        });
        observer.observe(document.body, { subtree: true, childList: true, attributes: true });
        find(button).click();
      }),
    [button, hash],
  );
}

async function grantAndUse() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.getByTestId("connect-wallet").click();
  await page.getByTestId("wallet-option-lab").click();
  await page.getByTestId("smart-account-address").waitFor();
  const grant = async () => {
    await page.getByTestId("create-session").click();
    await page.getByTestId("grant-confirm").waitFor();
    await page.waitForTimeout(400); // a person reads the review
    return clickToHash(page, "grant-confirm", "create-session-hash");
  };
  await grant(); // deploys the account
  const grants = [], uses = [];
  for (let i = 0; i < RUNS; i++) grants.push(await grant());
  await clickToHash(page, "use-session", "use-session-hash");
  for (let i = 0; i < RUNS; i++) uses.push(await clickToHash(page, "use-session", "use-session-hash"));
  row("grant: click after the review -> hash shown", ms(grants), "< 100 ms");
  row("use: click -> hash shown", ms(uses), "< 85 ms");
  await tenThousandLeaves(page);
  await context.close();
}

/** Fills the store up to 10,000 leaves (revoked ones cost storage, live ones cost the tree: here all are live). */
async function tenThousandLeaves(page) {
  const measured = await page.evaluate(async () => window.__useAaBench?.() ?? null).catch(() => null);
  if (measured) for (const [what, value, goal] of measured) row(what, value, goal);
}

function load() {
  const found = spawnSync("wrk", ["-t2", "-c32", "-d1s", url], { encoding: "utf8" });
  if (found.error) return row("server-rendered /", "wrk is not installed", "> 10,000/s");
  const out = spawnSync("wrk", ["-t2", "-c64", "-d8s", "--latency", url], { encoding: "utf8" }).stdout;
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(out)?.[1];
  const errors = /Non-2xx.*: (\d+)/.exec(out)?.[1] ?? "0";
  row(`server-rendered /, wrk on the same ${cpus().length} cores`, `${Math.round(Number(rate)).toLocaleString("en")} pages/s (${errors} errors)`, "> 10,000/s");
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  row("  server memory after it (RSS)", `${(Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1000).toFixed(0)} MB`, "< 60 MB");
}

try {
  await firstLoad();
  await grantAndUse();
  load();
} finally {
  await browser.close();
  const width = Math.max(...table.map(([what]) => what.length));
  console.log(`\n== Page and server (${RUNS} runs, ${cpus().length} cores)`);
  for (const [what, value, goal] of table) console.log(`${what.padEnd(width)}  ${value.padEnd(24)} ${goal && `goal ${goal}`}`);
  stop();
}
