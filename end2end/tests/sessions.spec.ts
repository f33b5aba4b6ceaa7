import type { Browser, BrowserContext, Locator, Page } from "@playwright/test";
import { storedSessions } from "../bench/leaves.mjs";
import { setMerkleRoot } from "../bench/chain.mjs";
import { Chain } from "../fixtures/chain.ts";
import { Server } from "../fixtures/server.ts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const NAMES = ["Morning mint", "Noon mint", "Evening mint"];
const ZERO_ROOT = `0x${"0".repeat(64)}`;

/** Waits until the sessions are compared with the chain and the row is there. */
async function rowIds(rows: Locator): Promise<string[]> {
  return rows.evaluateAll((all) => all.map((row) => row.getAttribute("data-session-id")!));
}

const row = (page: Page, id: string) => page.locator(`[data-testid="session-row"][data-session-id="${id}"]`);

async function confirm(page: Page): Promise<void> {
  await expect(page.getByTestId("session-change")).toBeVisible();
  await page.getByTestId("revoke-confirm").click();
}

/** Grants `count` sessions on the front page, then opens `/sessions`. */
async function granted(manager: Manager, count: number): Promise<string[]> {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  for (let done = 1; done <= count; done++) {
    await manager.page.getByTestId("session-label").fill(NAMES[done - 1]);
    await manager.grant();
    await expect(manager.rows("ACTIVE")).toHaveCount(done);
  }
  await manager.open("/sessions");
  await expect(manager.rows("ACTIVE")).toHaveCount(count);
  return rowIds(manager.rows()); // newest first
}

/** A fresh browser with the same wallet. */
async function elsewhere(browser: Browser, wallet: TestWallet, url: string): Promise<[BrowserContext, Manager]> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const same = new TestWallet(wallet.chainId, wallet.key);
  await same.install(page);
  return [context, new Manager(page, url)];
}

test("one of three is taken back: said first, proven by the chain, and the others go on", async ({ manager, page, chain, wallet }) => {
  const [third, second, first] = await granted(manager, 3);
  const account = await manager.account();
  const before = await chain.sessionRoot(account);
  await expect(row(page, second)).toContainText("May call safeMint on Demo NFT");
  await expect(row(page, second).getByTestId("session-countdown")).toContainText("Ends in");
  const countdown = await row(page, second).getByTestId("session-countdown").textContent();
  await expect(row(page, second).getByTestId("session-countdown")).not.toHaveText(countdown!);

  await row(page, second).getByTestId("revoke-session").click();
  await expect(page.getByTestId("session-change")).toContainText("Noon mint");
  await expect(page.getByTestId("session-change")).toContainText("Your wallet signs once");
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("session-change")).toBeHidden();
  expect(await chain.sessionRoot(account)).toBe(before);

  const asked = wallet.asked.filter((method) => method === "personal_sign").length;
  await row(page, second).getByTestId("revoke-session").click();
  await confirm(page);
  await manager.hash("revoke-sessions-hash");
  expect(wallet.asked.filter((method) => method === "personal_sign")).toHaveLength(asked + 1);
  await expect(row(page, second)).toHaveAttribute("data-status", "REVOKED");
  await expect(row(page, second).getByTestId("revocation-proof")).toHaveAttribute("data-result", "refused");
  await expect(row(page, second).getByTestId("revocation-proof")).toContainText("The chain refuses it now: SessionNotApproved");
  expect(await chain.sessionRoot(account)).not.toBe(before);
  for (const id of [first, third]) await expect(row(page, id)).toHaveAttribute("data-status", "ACTIVE");

  // The others work, and the uses are counted from the chain.
  await manager.open();
  await page.getByTestId("session-picker").selectOption(first);
  await manager.useAndWait();
  await page.getByTestId("session-picker").selectOption(third);
  await page.getByTestId("use-session").click();
  await expect.poll(() => chain.nfts(account)).toBe(2n);
  await expect(row(page, first).getByTestId("session-uses")).toHaveAttribute("data-count", "1");
  await expect(row(page, third).getByTestId("session-uses")).toHaveAttribute("data-count", "1");
  await expect(row(page, second).getByTestId("session-uses")).toHaveAttribute("data-count", "0");
  // The lab has no explorer.
  await expect(page.getByTestId("last-use")).toHaveCount(0);
  // The revoked one is not even offered.
  await expect(page.getByTestId("session-picker").locator(`option[value="${second}"]`)).toHaveCount(0);
});

test.describe("with slow blocks", () => {
  // A lab of its own whose blocks come every few seconds: time enough to look in between.
  let server: Server;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    server = await Server.start({ env: { USE_AA_LAB_BLOCK_TIME: "5" } });
  });
  test.afterAll(() => server.stop());

  test("until the receipt the session stays active and is said to be on its way out", async ({ page, wallet, pageErrors: _ }) => {
    test.setTimeout(120_000);
    const chain = new Chain(server.rpcUrl);
    await wallet.install(page);
    const manager = new Manager(page, server.url);
    const [only] = await granted(manager, 1);
    const account = await manager.account();
    const before = await chain.sessionRoot(account);
    await chain.nextBlock();
    await row(page, only).getByTestId("revoke-session").click();
    await confirm(page);
    await expect(row(page, only)).toContainText("Being taken back");
    await expect(row(page, only)).toHaveAttribute("data-status", "ACTIVE");
    await expect(row(page, only).getByTestId("revoke-session")).toBeDisabled();
    expect(await chain.sessionRoot(account)).toBe(before);
    // A reload forgets nothing: the wait goes on, and the proof follows it.
    await page.reload();
    await expect(row(page, only)).toHaveAttribute("data-status", "REVOKED");
    await expect(row(page, only).getByTestId("revocation-proof")).toHaveAttribute("data-result", "refused");
    expect(await chain.sessionRoot(account)).toBe(ZERO_ROOT);
  });
});

test("a refusal in the wallet leaves everything as it is", async ({ manager, page, chain, wallet }) => {
  const [only] = await granted(manager, 1);
  const account = await manager.account();
  const before = await chain.sessionRoot(account);
  wallet.refuse = { code: 4001, message: "User rejected the request." };
  await row(page, only).getByTestId("revoke-session").click();
  await confirm(page);
  await expect(manager.error("WalletRejected")).toBeVisible();
  await expect(row(page, only)).toHaveAttribute("data-status", "ACTIVE");
  await expect(row(page, only)).not.toContainText("Being taken back");
  expect(await chain.sessionRoot(account)).toBe(before);
});

test("several are selected and taken back together, then brought back, then all are ended", async ({ manager, page, chain, wallet }) => {
  const ids = await granted(manager, 3);
  const account = await manager.account();
  const before = await chain.sessionRoot(account);
  for (const id of ids.slice(0, 2)) await row(page, id).getByTestId("select-session").check();
  const signed = () => wallet.asked.filter((method) => method === "personal_sign").length;
  const asked = signed();
  await page.getByTestId("revoke-selected").click();
  await confirm(page);
  await expect(manager.rows("REVOKED")).toHaveCount(2);
  expect(signed()).toBe(asked + 1);
  for (const id of ids.slice(0, 2)) {
    await expect(row(page, id).getByTestId("revocation-proof")).toHaveAttribute("data-result", "refused");
  }
  await expect(page.getByTestId("revoke-selected")).toBeHidden();

  await row(page, ids[0]).getByTestId("restore-session").click();
  await confirm(page);
  await expect(row(page, ids[0])).toHaveAttribute("data-status", "ACTIVE");
  await manager.hash("restore-sessions-hash");
  expect(await chain.sessionRoot(account)).not.toBe(before);

  await page.getByTestId("revoke-all-sessions").click();
  await expect(page.getByTestId("session-change")).toContainText("every session");
  await confirm(page);
  await expect(manager.rows("REVOKED")).toHaveCount(3);
  expect(await chain.sessionRoot(account)).toBe(ZERO_ROOT);
  await expect(page.getByTestId("revoke-all-sessions")).toBeHidden();
});

test("filter, search and selection by keyboard", async ({ manager, page }) => {
  const [third, second] = await granted(manager, 3);
  await row(page, second).getByTestId("revoke-session").click();
  await confirm(page);
  await expect(row(page, second)).toHaveAttribute("data-status", "REVOKED");

  const filter = (status: string) => page.locator(`[data-testid="session-filter"][data-filter="${status}"]`);
  await filter("REVOKED").click();
  await expect(manager.rows()).toHaveCount(1);
  await expect(filter("REVOKED")).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByTestId("session-count")).toHaveText("1 session of 3");
  await filter("ALL").click();
  await page.getByTestId("session-search").fill("safemint evening");
  await expect(manager.rows()).toHaveCount(1);
  await expect(row(page, third)).toBeVisible();
  await page.getByTestId("session-search").fill("demo nft 0x1758");
  await expect(manager.rows()).toHaveCount(3);
  await page.getByTestId("session-search").fill("nothing like it");
  await expect(manager.rows()).toHaveCount(0);
  await expect(page.getByTestId("sessions-empty")).toBeVisible();
  await page.getByTestId("session-search").fill("");

  await row(page, third).getByTestId("select-session").focus();
  await page.keyboard.press("Space");
  await expect(page.getByTestId("revoke-selected")).toHaveText("Take back 1 session");
  await page.keyboard.press("Tab");
  await expect(row(page, third).getByTestId("revoke-session")).toBeFocused();
  await expect(row(page, third)).toHaveAttribute("aria-posinset", "1");
  await expect(row(page, third)).toHaveAttribute("aria-setsize", "3");
});

test("a second browser sees the sessions of the first, adds to them and takes them back", async ({ manager, page, chain, wallet, browser }) => {
  // Two browsers, and what each learns of the other it learns within ten seconds, three times.
  test.slow();
  const [ofA] = await granted(manager, 1);
  const account = await manager.account();
  const [context, other] = await elsewhere(browser, wallet, manager.url);
  try {
    await other.open("/sessions");
    await other.connect(TestWallet.rdns);
    expect(await other.account()).toBe(account);
    await expect(other.rows("OTHER_DEVICE")).toHaveCount(1);
    await expect(other.rows("OTHER_DEVICE")).toContainText("Its key is in another browser");
    await expect(other.rows("OTHER_DEVICE")).toContainText("May call safeMint on Demo NFT");

    // B adds to A's sessions instead of overwriting them, and says so before it is signed: both work.
    await other.open();
    await other.page.getByTestId("create-session").click();
    const kept = other.page.getByTestId("grant-kept");
    await expect(kept).toContainText("This signature also keeps 1 session that was not granted in this browser");
    await expect(kept.getByTestId("kept-session")).toContainText("May call safeMint on Demo NFT");
    await other.page.getByTestId("grant-cancel").click();
    await other.grantAndWait();
    await expect(other.rows("ACTIVE")).toHaveCount(1);
    await other.useAndWait();
    await expect.poll(() => chain.nfts(account)).toBe(1n);
    await manager.open();
    await page.getByTestId("session-picker").selectOption(ofA);
    await manager.useAndWait();
    await expect.poll(() => chain.nfts(account)).toBe(2n);
    await manager.open("/sessions");
    await expect(manager.rows("OTHER_DEVICE")).toHaveCount(1);
    await expect(row(page, ofA)).toHaveAttribute("data-status", "ACTIVE");

    // What has its key elsewhere is not offered for use here.
    await manager.open();
    await expect(page.getByTestId("session-picker").locator("option")).toHaveCount(1);
    await expect(manager.rows()).toHaveCount(2);
    await manager.open("/sessions");
    await expect(manager.rows("OTHER_DEVICE")).toHaveCount(1);

    // B takes A's back; A notices without a reload, and can repair it.
    await other.open("/sessions");
    await other.rows("OTHER_DEVICE").getByTestId("revoke-session").click();
    await confirm(other.page);
    await expect(other.rows("REVOKED")).toHaveCount(1);
    await expect(other.rows("REVOKED").getByTestId("revocation-proof")).toHaveAttribute("data-result", "refused");
    await expect(row(page, ofA)).toHaveAttribute("data-status", "REVOKED", { timeout: 25_000 });
    const notice = page.getByTestId("sessions-ended-elsewhere");
    await expect(notice).toHaveAttribute("data-count", "1");
    await page.getByTestId("repair-sessions").click();
    await confirm(page);
    await expect(row(page, ofA)).toHaveAttribute("data-status", "ACTIVE");
    await expect(notice).toBeHidden();
    await manager.open();
    await page.getByTestId("session-picker").selectOption(ofA);
    await manager.useAndWait();
    await expect.poll(() => chain.nfts(account)).toBe(3n);
  } finally {
    await context.close();
  }
});

test("a session whose key nodes share is revoked at the nodes, too", async ({ manager, page, chain }) => {
  test.setTimeout(180_000);
  await manager.open("/hooks/use_create_session_with_distributed_key");
  await manager.connect(TestWallet.rdns);
  await expect(page.getByTestId("key-network")).toHaveAttribute("data-live", "5");
  await page.getByTestId("create-distributed-session").click();
  await page.getByTestId("grant-confirm").click();
  // Five nodes make the key beside everything else that runs here.
  const shown = page.getByTestId("create-distributed-session-hash");
  await expect(shown).toHaveAttribute("data-value", /^0x[0-9a-f]{64}$/, { timeout: 120_000 });
  const account = await manager.account();
  await manager.open("/sessions");
  await manager.rows("ACTIVE").getByTestId("revoke-session").click();
  await confirm(page);
  await expect(manager.rows("REVOKED")).toHaveCount(1);
  expect(await chain.sessionRoot(account)).toBe(ZERO_ROOT);
  await expect(page.getByTestId("revocation-proof")).toHaveAttribute("data-result", "refused");
  await expect(page.getByTestId("revoked-at-nodes")).toContainText("told");
});

test("ten thousand sessions are listed, counted and scrolled with few rows in the document", async ({ manager, page, chain }) => {
  const LEAVES = 10_000;
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait(); // deploys
  const { root, key, text } = storedSessions(account, LEAVES);
  await setMerkleRoot(chain.rpcUrl, account, root);
  await page.evaluate(([key, text]) => localStorage.setItem(key, text), [key, text]);
  await manager.open("/sessions");
  await expect(page.getByTestId("session-count")).toHaveText(`${LEAVES} sessions`);
  const stored = JSON.parse(text).leafNodes.map((leaf: { sessionID: string }) => leaf.sessionID) as string[];
  const few = async () => expect(await manager.rows().count()).toBeLessThan(60);
  await few();
  await expect(manager.rows().first()).toHaveAttribute("aria-setsize", String(LEAVES));
  await expect(row(page, stored[LEAVES - 1])).toHaveAttribute("aria-posinset", "1");

  for (const share of [0.3, 0.7]) {
    await page.evaluate((share) => window.scrollTo(0, document.documentElement.scrollHeight * share), share);
    const place = async () => Number(await manager.rows().first().getAttribute("aria-posinset"));
    await expect.poll(place).toBeGreaterThan(LEAVES * (share - 0.1));
    await few();
    // A row is on the screen, not an empty place.
    const at = await page.evaluate(() => document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest("[data-testid=session-row]") !== null);
    expect(at).toBe(true);
  }
  await expect(async () => {
    // Below the list is what concerns this device.
    await manager.rows().last().evaluate((last) => last.parentElement?.scrollIntoView({ block: "end" }));
    await expect(row(page, stored[0])).toBeInViewport({ timeout: 1_000 });
  }).toPass();
  await expect(row(page, stored[0])).toHaveAttribute("aria-posinset", String(LEAVES));
  await few();

  await page.getByTestId("session-search").fill(stored[4_321].toLowerCase());
  await expect(manager.rows()).toHaveCount(1);
  await expect(row(page, stored[4_321])).toBeVisible();
});

test("a session whose time has not come says when it starts, and can be taken back", async ({ manager, page, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait(); // deploys
  const { root, key, text } = storedSessions(account, 2, Math.floor(Date.now() / 1000) + 3_600);
  await setMerkleRoot(chain.rpcUrl, account, root);
  await page.evaluate(([key, text]) => localStorage.setItem(key, text), [key, text]);
  await manager.open("/sessions");
  const waiting = manager.rows("PENDING");
  await expect(waiting).toHaveCount(2);
  await expect(waiting.first()).toContainText("Not begun");
  await expect(waiting.first().getByTestId("session-countdown")).toContainText(/^Starts in 59 min/);
  await waiting.first().getByTestId("revoke-session").click();
  await confirm(page);
  await expect(manager.rows("REVOKED")).toHaveCount(1);
  await expect(waiting).toHaveCount(1);
});

test("without sessions the list says so, and without a wallet it asks for one", async ({ manager, page }) => {
  await manager.open("/sessions");
  await expect(page.locator("main").getByRole("button", { name: /connect/i })).toBeVisible();
  await manager.connect(TestWallet.rdns);
  await expect(page.getByTestId("sessions-empty")).toContainText("No session yet");
  await expect(page.getByTestId("revoke-all-sessions")).toBeHidden();
  await page.setViewportSize({ width: 320, height: 700 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBe(0);
});

test("the demo of use_revoke_sessions takes a session back and shows the proof", async ({ manager, page, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  await manager.open("/hooks/use_revoke_sessions");
  await page.getByTestId("revoke-session").click();
  await manager.hash("revoke-sessions-hash");
  await expect(page.getByTestId("revocation-proof")).toHaveAttribute("data-result", "refused");
  expect(await chain.sessionRoot(account)).toBe(ZERO_ROOT);
});

test("no number, no empty state and no advice is shown before the sessions are read", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await manager.account();
  // Reading them is a task of its own, behind a timer of no length: that is held back. (Its code comes with the view's.)
  await page.addInitScript(() => {
    const { setTimeout } = window;
    const held: (() => void)[] = [];
    Object.assign(window, {
      letGo: () => held.splice(0).forEach((task) => setTimeout(task, 0)),
      setTimeout: (task: () => void, wait?: number, ...rest: unknown[]) =>
        wait === 0 && !("isLetGo" in window) ? held.push(task) : setTimeout(task, wait, ...rest),
    });
  });
  const letGo = () => page.evaluate(() => (Object.assign(window, { isLetGo: true }) as unknown as { letGo(): void }).letGo());
  await manager.open("/sessions");
  await expect(page.getByTestId("sessions-empty")).toHaveText("Looking for sessions.");
  const tools = page.locator(".session-tools");
  await expect(page.getByTestId("session-filter").first()).toHaveText(/^All\s*$/);
  await expect(page.getByTestId("session-count")).toBeEmpty();
  expect(await tools.innerText()).not.toMatch(/\d/);
  await expect(page.getByTestId("custody")).toBeVisible();
  await expect(page.getByTestId("custody").getByText("There are no sessions")).toHaveCount(0);
  await page.getByTestId("forget-device").click();
  await expect(page.getByTestId("forget-dialog")).toContainText("not read yet");
  await expect(page.getByTestId("nothing-valid")).toHaveCount(0);
  await page.keyboard.press("Escape");

  await letGo();
  await expect(page.getByTestId("sessions-empty")).toContainText("No session yet");
  await expect(page.getByTestId("session-count")).toHaveText("0 sessions");
  await expect(page.getByTestId("session-filter").first()).toHaveText("All 0");
  await manager.open("/hooks/use_session");
  await expect(page.getByText("Grant a session first.")).toBeVisible();
});

test("a slow chain is asked, not taken for an answer", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await manager.account();
  let letGo = () => {};
  const held = new Promise<void>((done) => (letGo = done));
  await page.route("**/api/fn/**", async (route) => {
    if (/account_state|read_chain|read_contract|call/.test(route.request().url())) await held;
    await route.continue();
  });
  await manager.open("/hooks/use_deploy_smart_account");
  await expect(page.getByTestId("deployed")).toHaveText("Asking the chain about the account.");
  await manager.open("/hooks/use_send_withdrawals");
  await expect(page.getByTestId("token-balance")).toHaveText("–");
  letGo();
  await expect(page.getByTestId("token-balance")).toHaveText("0");
});
