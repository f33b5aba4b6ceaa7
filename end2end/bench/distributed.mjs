// Sessions with a distributed key: what a person waits for beside the wallet, on five node processes of the lab.
import { ms } from "./table.mjs";

const GRANT = "/hooks/use_create_session_with_distributed_key";
const USE = "/hooks/use_session_with_distributed_key";

/** Notes how long calls of the server functions take, until their answer is read. Installed before the page's scripts. */
export function timeCalls() {
  const calls = (window.__calls = []);
  const { fetch } = window;
  window.fetch = async function (resource, ...rest) {
    const name = /\/api\/fn\/(\w+)/.exec(String(resource?.url ?? resource))?.[1];
    const start = performance.now();
    const answer = await fetch.call(this, resource, ...rest);
    if (name) calls.push({ name, took: performance.now() - start });
    return answer;
  };
}

const took = (page, name) => page.evaluate((name) => window.__calls.filter((call) => call.name === name).map((call) => call.took), name);

async function shown(page, button, hash) {
  const began = performance.now();
  await page.getByTestId(button).click();
  await page.locator(`[data-testid="${hash}"][data-value^="0x"]`).waitFor({ timeout: 60_000 });
  return performance.now() - began;
}

export async function distributed(table, context, url, runs) {
  const page = await context.newPage();
  await page.addInitScript(timeCalls);
  const keys = [], grants = [], uses = [], signatures = [];
  for (let run = 0; run < runs; run++) {
    await page.goto(url + GRANT);
    if (run === 0) {
      await page.getByTestId("connect-wallet").click();
      await page.getByTestId("wallet-option-lab").click();
      await page.getByTestId("smart-account-address").waitFor();
    }
    // With a warm pool: that is the promise.
    await page.locator('[data-testid="key-network"]:not([data-pooled="0"])[data-pooled]').waitFor({ timeout: 120_000 });
    await page.getByTestId("create-distributed-session").click();
    await page.getByTestId("grant-confirm").waitFor();
    await page.waitForTimeout(400); // a person reads the review
    grants.push(await shown(page, "grant-confirm", "create-distributed-session-hash"));
    const [[offer], [bind]] = [await took(page, "offer_distributed_key"), await took(page, "bind_distributed_key")];
    keys.push(offer + bind);
    await page.goto(url + USE);
    await page.locator('[data-testid="use-distributed-session"]:enabled').waitFor();
    await page.getByTestId("use-distributed-session").hover();
    await page.waitForTimeout(200);
    uses.push(await shown(page, "use-distributed-session", "use-distributed-session-hash"));
    signatures.push((await took(page, "signing_challenge"))[0] + (await took(page, "sign_with_distributed_key"))[0]);
  }
  table.row("distributed key from a warm pool: offered and bound by five nodes", ms(keys), "< 300 ms");
  table.row("  grant with it: click after the review -> hash shown", ms(grants));
  table.row("  use: nonces and signature of three nodes, as the page sees it", ms(signatures));
  table.row("  use: click -> hash shown", ms(uses));
  await page.close();
}
