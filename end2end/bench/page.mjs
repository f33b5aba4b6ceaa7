// What a person waits for and what the server carries, on the release build and a fresh lab.
import { spawnSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { setMerkleRoot, watchMined } from "./chain.mjs";
import { distributed } from "./distributed.mjs";
import { connect, grant, instrument, use, withKind } from "./flow.mjs";
import { startBrowser, startServer } from "./lab.mjs";
import { storedSessions } from "./leaves.mjs";
import { longList } from "./long-list.mjs";
import { visits } from "./visits.mjs";
import { Table, kB, ms, repeat, tasks } from "./table.mjs";

const RUNS = Number(process.env.BENCH_RUNS ?? 20);
const LEAVES = Number(process.env.BENCH_LEAVES ?? 10_000);
const table = new Table();
const loadBefore = loadavg()[0];

/** Bytes over the wire until the page is idle, before any interaction. */
async function firstLoad(browser, url) {
  const page = await browser.newPage();
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const names = new Map(), sizes = new Map();
  session.on("Network.responseReceived", ({ requestId, response }) => names.set(requestId, new URL(response.url).pathname));
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) =>
    sizes.set(names.get(requestId), (sizes.get(names.get(requestId)) ?? 0) + encodedDataLength));
  await page.goto(url, { waitUntil: "networkidle" });
  for (const [name, size] of [...sizes].sort((a, b) => b[1] - a[1])) table.row(`  ${name}`, kB(size));
  table.row("first load of /, all of it", kB([...sizes.values()].reduce((a, b) => a + b, 0)), "<= 200 kB, better 140");
  await page.close();
}

const shown = (runs) => runs.map((run) => run.shown);

/** The rows of one kind, in a page of its own; `on` begins their names. */
async function grantAndUse(page, { url, rpcUrl }, on = "") {
  const account = await connect(page, url);
  await grant(page); // deploys the account
  const watch = watchMined(rpcUrl);
  const grants = await repeat(RUNS, () => grant(page));
  await use(page); // the first one loads nothing, but makes connections
  const uses = await repeat(RUNS, () => use(page));
  const unaimed = await repeat(RUNS, () => use(page, false));
  await watch.stop();
  table.row(`${on}grant: click after the review -> hash shown`, ms(shown(grants)), "< 100 ms");
  table.row("  of it, click -> sent", ms(grants.map((run) => run.sent)));
  table.row(`${on}use: click -> hash shown`, ms(shown(uses)), "< 85 ms");
  table.row("  of it, click -> sent", ms(uses.map((run) => run.sent)));
  table.row("  the same when no pointer announces the click", ms(shown(unaimed)));
  const delays = [...grants, ...uses, ...unaimed].map((run) => run.shownAt - watch.mined.get(run.hash));
  if (delays.some(Number.isNaN)) throw new Error("a transaction was shown that the chain did not push");
  table.row(`${on}status: mined -> final status and hash shown`, ms(delays), "< 100 ms after the bundler knows it");
  return account;
}

/** The same page after ten thousand grants. The session keys of the old ones are not there; none is used. */
async function manyLeaves(page, { url, rpcUrl }, account) {
  const { root, key, text } = storedSessions(account, LEAVES);
  await setMerkleRoot(rpcUrl, account, root);
  await page.evaluate(([key, text]) => localStorage.setItem(key, text), [key, text]);
  await page.goto(url);
  await page.getByTestId("session-row").first().waitFor();
  await page.waitForTimeout(1_500); // compared with the chain
  const opening = await page.evaluate(() => window.__bench.long.map((task) => task.duration));
  const name = `${LEAVES.toLocaleString("en")} stored leaves (${(text.length / 1e6).toFixed(1)} M characters)`;
  table.row(`${name}: tasks over 50 ms while opening`, tasks(opening), "none");
  const first = await grant(page);
  const grants = [first, ...(await repeat(Math.min(RUNS, 9), () => grant(page)))];
  table.row("  grant: click after the review -> sent", ms(grants.map((run) => run.sent)), "< 100 ms");
  table.row("  grant: click after the review -> hash shown", ms(shown(grants)));
  table.row("  grant: tasks over 50 ms", tasks(grants.flatMap((run) => run.long)), "none");
  table.row("  use: click -> hash shown", ms(shown(await repeat(Math.min(RUNS, 9), () => use(page)))));
}

/** Timings of single computations: the code of the page, in wasm, in this browser. */
async function computations(browser, url) {
  const folder = process.env.USE_AA_PAGE_BENCH;
  if (!folder) return;
  const page = await browser.newPage();
  // Served as if by the server, so that the page's own policy holds.
  await page.route("**/bench/*", (route) => route.fulfill({ path: join(folder, new URL(route.request().url()).pathname.slice(7)) }));
  await page.goto(url);
  const times = await page.evaluate(async ([count, runs]) => {
    const module = await import("/bench/page_bench.js");
    await module.default();
    return [...module.merkle_root(count, runs)];
  }, [LEAVES, Math.max(RUNS, 5)]);
  table.row(`Merkle root of ${LEAVES.toLocaleString("en")} stored leaves, in the page`, ms(times), "< 30 ms");
  await page.close();
}

/** Pages per second with wrk, on the cores that the server has, too. */
function load(server) {
  const wrk = (...args) => spawnSync("wrk", ["-t2", "-c64", ...args, server.url], { encoding: "utf8" });
  if (wrk("-d1s").error) return table.row("server-rendered /", "wrk is not installed", "> 10,000/s");
  const mb = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
  table.row("server memory before the load (RSS)", mb(server.memory()));
  for (const [what, goal, ...args] of [
    [`server-rendered /, wrk on the same ${cpus().length} cores`, "> 10,000/s", "-d8s"],
    ["  the same, brotli asked for", "", "-d4s", "-H", "accept-encoding: gzip, br"],
  ]) {
    const out = wrk(...args, "--latency").stdout;
    const rate = Math.round(Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1])).toLocaleString("en");
    const errors = /Non-2xx.*: (\d+)/.exec(out)?.[1] ?? /Socket errors:.*/.exec(out)?.[0] ?? "0";
    table.row(what, `${rate} pages/s, p99 ${/99%\s+(\S+)/.exec(out)?.[1]}, ${errors} errors`, goal);
    table.row("  server memory after it (RSS)", mb(server.memory()), goal && "< 60 MB");
  }
}

const server = await startServer();
try {
  table.row("lab and server ready", `${(server.ready / 1000).toFixed(1)} s`, "< 8 s");
  const browser = await startBrowser();
  try {
    await firstLoad(browser, server.url);
    await visits(browser, server, table);
    await computations(browser, server.url);
    const context = await browser.newContext();
    await context.addInitScript(instrument);
    const page = await context.newPage();
    page.on("pageerror", (error) => console.error(error));
    const account = await grantAndUse(page, server);
    const nexus = await browser.newContext();
    await nexus.addInitScript(instrument);
    await withKind(nexus, "nexus");
    await grantAndUse(await nexus.newPage(), server, "Nexus, ");
    await nexus.close();
    await manyLeaves(page, server, account);
    await longList(page, server, table, { RUNS, LEAVES });
    const another = await browser.newContext();
    await distributed(table, another, server.url, Math.min(RUNS, 10));
  } finally {
    await browser.close();
  }
  load(server);
} finally {
  await server.stop();
  table.print(`Page and server (${RUNS} runs, medians; ${cpus().length} cores, load before ${loadBefore.toFixed(1)})`);
}
