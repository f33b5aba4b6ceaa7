// One visit, row by row: what each milestone costs in bytes and files, and when it is reached on a slow phone.
import { instrument, withKind } from "./flow.mjs";
import { meter, saveData } from "./meter.mjs";
import { kB, median, repeat } from "./table.mjs";

/** A slow 4G, and a processor a quarter as fast as this one. */
const SLOW_NETWORK = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 };
const SLOW_PROCESSOR = 4;
const VISITS = 3;

const told = ({ bytes, files }) => `${kB(bytes)}, ${files} files`;

async function chooseLabWallet(page) {
  await page.getByTestId("connect-wallet").click();
  await page.getByTestId("wallet-option-lab").click();
  await page.getByTestId("smart-account-address").waitFor();
}

async function grant(page) {
  await page.getByTestId("create-session").click();
  await page.getByTestId("grant-confirm").click();
  await page.locator('[data-testid="create-session-hash"][data-value^="0x"]').waitFor();
}

async function use(page) {
  await page.getByTestId("use-session").click();
  await page.locator('[data-testid="use-session-hash"][data-value^="0x"]').waitFor();
}

/** Bytes and files, saving data: nothing is fetched before it is needed. */
async function bytes(browser, url, table) {
  await milestones(browser, url, table);
  await milestones(browser, url, table, "nexus");
  const alone = await browser.newContext();
  const left = await alone.newPage();
  const ahead = await meter(left);
  await left.goto(url);
  await left.waitForTimeout(10_000);
  table.row("  first view, then left alone for ten seconds", told(ahead()), "must 400 kB (280); 282");
  await alone.close();
}

async function milestones(browser, url, table, kind) {
  const context = await browser.newContext();
  await saveData(context);
  if (kind) await withKind(context, kind);
  const page = await context.newPage();
  const fetched = await meter(page);
  const row = async (what, must) => {
    await page.waitForLoadState("networkidle");
    table.row(what, told(fetched()), must);
  };
  await page.goto(url);
  await row(kind ? `visit with ${kind}: first view` : "visit: first view", "must 125 kB (120); React + useAA 282");
  await chooseLabWallet(page);
  await row("  connected, account shown", "must 230 kB (180); 282");
  await grant(page);
  await row("  granted (reviewed, signed, confirmed)", "must 400 kB (280), 11 files (8); 288");
  await use(page);
  await row("  used", "must 410 kB (300); 295");
  await context.close();
}

/** Milliseconds since the visit began. */
async function slowVisit(context, url) {
  const page = await context.newPage();
  await page.addInitScript(instrument);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  await devtools.send("Network.emulateNetworkConditions", SLOW_NETWORK);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: SLOW_PROCESSOR });
  const begun = performance.now();
  const since = () => performance.now() - begun;
  await page.goto(url, { waitUntil: "commit" });
  const known = page.getByTestId("smart-account-address");
  if (!(await context.storageState()).origins.some(({ localStorage }) => localStorage.length)) {
    await page.getByTestId("connect-wallet").click();
    await page.getByTestId("wallet-option-lab").click();
  }
  await known.waitFor();
  const account = since();
  await page.locator('[data-testid="create-session"]:enabled').waitFor();
  const clickable = since();
  await grant(page);
  const confirmed = since();
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN);
  const longest = await page.evaluate(() => Math.max(0, ...window.__bench.long.map((task) => task.duration)));
  await page.close();
  return { paint, account, clickable, confirmed, longest };
}

async function times(browser, url, table, kind) {
  const cold = [], warm = [];
  await repeat(VISITS, async () => {
    const context = await browser.newContext();
    if (kind) await withKind(context, kind);
    cold.push(await slowVisit(context, url));
    warm.push(await slowVisit(context, url));
    await context.close();
  });
  const on = kind ? `with ${kind}, ` : "";
  const ms = (runs, what) => `${median(runs.map((run) => run[what])).toFixed(0)} ms`;
  table.row(`${on}slow 4G (1.6 Mbit/s, 150 ms), CPU x4, cold: first paint`, ms(cold, "paint"), "must 816 ms (700); 2,976");
  table.row("  account shown", ms(cold, "account"), "must 2,300 ms (1,500); 3,260");
  table.row("  grant can be clicked", ms(cold, "clickable"), "must 2,500 ms (1,800); 3,260");
  table.row("  grant confirmed on chain", ms(cold, "confirmed"), "must 3,800 ms (2,800); 4,711");
  table.row("  longest task", ms(cold, "longest"), "must 150 ms at load, 100 after (50); 592");
  table.row(`${on}returning visitor, warm cache: grant can be clicked`, ms(warm, "clickable"), "must 1,200 ms (900); 1,497");
  table.row("  grant confirmed", ms(warm, "confirmed"), "must 2,600 ms (2,000); 2,934");
}

export async function visits(browser, { url }, table) {
  await bytes(browser, url, table);
  await times(browser, url, table);
  await times(browser, url, table, "nexus");
}
