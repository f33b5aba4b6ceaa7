import type { Page, Request } from "@playwright/test";
import { expect, test } from "../fixtures/test.ts";
import { saveData } from "../bench/meter.mjs";
import { TestWallet } from "../fixtures/wallet.ts";

/** What is loaded on demand: everything that works with wallets, sessions and signatures. */
const CHUNKS = /\/split_[^/]*\.wasm$/;
/** The part of it that comes first, and that all of it needs. */
const SHARED = /\/split_wallets[^/]*\.wasm$/;
/** The part of it that only an account needs. */
const FLOW = /\/split_smart_account[^/]*\.wasm$/;

function chunkRequests(page: Page): string[] {
  const requests: string[] = [];
  page.on("request", (request: Request) => void (CHUNKS.test(request.url()) && requests.push(request.url())));
  return requests;
}

for (const reach of ["hover", "focus"] as const) {
  test(`who saves data loads nothing for wallets until the connect button has the ${reach}, and no more when connected`, async ({ manager, page, context }) => {
    await saveData(context);
    const chunks = chunkRequests(page);
    const asked: string[] = [];
    page.on("request", (request) => void (request.url().includes("/api/fn/") && asked.push(request.url())));
    await manager.open();
    const connect = page.getByTestId("connect-wallet");
    await expect(connect).toBeEnabled();
    await page.waitForLoadState("networkidle");
    expect(chunks).toEqual([]);
    expect(asked).toEqual([]);
    await connect[reach]();
    await expect(page.getByTestId(`wallet-option-${TestWallet.rdns}`)).toBeAttached();
    await expect(page.getByTestId(`wallet-option-${TestWallet.rdns}`)).toBeHidden();
    await manager.connect(TestWallet.rdns);
    await manager.account();
    await page.waitForLoadState("networkidle");
    expect(chunks.filter((url) => !SHARED.test(url))).toEqual([]);
    expect(chunks).toHaveLength(1);
    // Who comes back without a session has it no other way.
    await page.reload();
    await manager.account();
    await page.waitForLoadState("networkidle");
    expect(chunks.filter((url) => !SHARED.test(url))).toEqual([]);
    // One press: what it takes is loaded, and the review opens.
    await page.getByTestId("create-session").click();
    await expect(page.getByTestId("grant-review")).toBeVisible();
    expect(chunks.filter((url) => FLOW.test(url))).toHaveLength(1);
  });
}

test("who saves data and has a session gets what works with it at once", async ({ manager, page, context }) => {
  await saveData(context);
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await manager.account();
  await manager.grantAndWait();
  const chunks = chunkRequests(page);
  await page.reload();
  await expect.poll(() => chunks.filter((url) => FLOW.test(url))).toHaveLength(1);
  await expect(page.getByTestId("use-session")).toBeEnabled();
});

test("a page at rest fetches the wallets' part ahead, and what an account needs when it comes next", async ({ manager, page }) => {
  const chunks = chunkRequests(page);
  await manager.open();
  const connect = page.getByTestId("connect-wallet");
  await expect(connect).toBeEnabled();
  await expect.poll(() => chunks.filter((url) => SHARED.test(url)), { timeout: 10_000 }).toHaveLength(1);
  expect(chunks).toHaveLength(1);
  await connect.click();
  await expect(page.getByTestId(`wallet-option-${TestWallet.rdns}`)).toBeVisible();
  await expect.poll(() => chunks.filter((url) => FLOW.test(url))).toHaveLength(1);
});

for (const place of ["header", "first step"] as const) {
  test(`a press in the ${place} is kept until the wallets are there`, async ({ manager, page }) => {
    let arrive = () => {};
    const arrived = new Promise<void>((done) => (arrive = done));
    await page.route(CHUNKS, async (route) => {
      await arrived;
      await route.continue();
    });
    await manager.open();
    const button = place === "header" ? page.getByTestId("connect-wallet") : page.locator(".step button");
    await button.click();
    await expect(button).toHaveAttribute("aria-busy", "true");
    arrive();
    await expect(page.getByTestId(`wallet-option-${TestWallet.rdns}`)).toBeVisible();
    await expect(button).not.toHaveAttribute("aria-busy");
    await expect(button).toBeFocused();
  });
}

test("a press counts although what it was made on is drawn anew before the pointer comes up", async ({ manager, page }) => {
  let arrive = () => {};
  const arrived = new Promise<void>((done) => (arrive = done));
  await page.route(SHARED, async (route) => {
    await arrived;
    await route.continue();
  });
  await manager.open();
  const button = page.getByTestId("connect-wallet");
  await button.hover();
  await page.mouse.down();
  const text = await button.locator("span").first().elementHandle();
  arrive();
  const option = page.getByTestId(`wallet-option-${TestWallet.rdns}`);
  await expect(option).toBeAttached();
  // Whatever text changes at that moment.
  await text?.evaluate((text) => text.replaceWith(text.cloneNode(true)));
  await page.mouse.up();
  await expect(option).toBeVisible();
});

test("a menu that cannot be loaded says so and can be tried again", async ({ manager, page }) => {
  await page.route(SHARED, (route) => route.abort());
  await manager.open();
  await page.getByTestId("connect-wallet").click();
  await expect(manager.error("Network")).toBeVisible();
  await expect(page.getByTestId("connect-wallet")).not.toHaveAttribute("aria-busy");
  await page.unroute(SHARED);
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByTestId(`wallet-option-${TestWallet.rdns}`)).toBeVisible();
  await expect(manager.error("Network")).toBeHidden();
});

test("a part that a deploy has taken away is not there at the second try either: the page can be loaded again", async ({ manager, page }) => {
  await page.route(SHARED, (route) => route.fulfill({ status: 404, body: "" }));
  await manager.open();
  await page.getByTestId("connect-wallet").click();
  const error = manager.error("Network");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(error).toBeVisible();
  await expect(page.getByTestId("connect-wallet")).not.toHaveAttribute("aria-busy");
  await page.unroute(SHARED);
  const loaded = page.waitForEvent("load");
  await error.getByRole("link", { name: "load the page again" }).click();
  await loaded;
  await expect(error).toBeHidden();
  await page.getByTestId("connect-wallet").click();
  await expect(page.getByTestId(`wallet-option-${TestWallet.rdns}`)).toBeVisible();
});

test("a flow that cannot be loaded says so and can be tried again", async ({ manager, page }) => {
  await page.route(FLOW, (route) => route.abort());
  await manager.open();
  await page.getByTestId("connect-wallet").click();
  await expect(manager.error("Network")).toBeVisible();
  await page.unroute(FLOW);
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(manager.error("Network")).toBeHidden();
  await manager.connect(TestWallet.rdns);
  await expect(page.getByTestId("create-session")).toBeVisible();
});

test("a returning visitor gets the account without reaching for anything", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await page.mouse.move(0, 500);
  const chunks = chunkRequests(page);
  await page.reload();
  expect(await manager.account()).toBe(account);
  expect(chunks).not.toEqual([]);
});

test("a flow that fails while what it shares still travels is one error, not two", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  let failed = () => {};
  const failure = new Promise<void>((done) => (failed = done));
  // The shared part arrives after the flow has failed.
  await page.route(SHARED, async (route) => {
    await failure;
    await new Promise((wake) => setTimeout(wake, 300));
    // What was fetched ahead, too, may be let go by `unrouteAll` meanwhile.
    await route.continue().catch(() => undefined);
  });
  await page.route(FLOW, async (route) => {
    await route.abort();
    failed();
  });
  await page.reload();
  await expect(manager.error("Network").first()).toBeVisible();
  await page.unrouteAll();
  // A page that comes to know the account tries again by itself; then the button is gone.
  await page.getByRole("button", { name: "Try again" }).click({ timeout: 5_000 }).catch(() => undefined);
  await expect(page.getByTestId("create-session")).toBeVisible();
});
