import { expect, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });
  test("the page explains itself", async ({ page }) => {
    await page.goto(process.env.USE_AA_URL!);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.getByText(/JavaScript/).first()).toBeVisible();
  });
});

test("a grant needs no mouse", async ({ manager, page }) => {
  await manager.open();
  await page.getByTestId("connect-wallet").focus();
  await page.keyboard.press("Enter");
  await page.getByTestId(`wallet-option-${TestWallet.rdns}`).focus();
  await page.keyboard.press("Enter");
  await manager.account();
  await page.getByTestId("create-session").focus();
  await page.keyboard.press("Enter");
  const review = page.getByTestId("grant-review");
  await expect(review).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(review).toBeHidden();
  await expect(page.getByTestId("create-session")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(review).toBeVisible();
  await page.getByTestId("grant-confirm").focus();
  await page.keyboard.press("Enter");
  await manager.hash("create-session-hash");
});

test("the page does not scroll sideways at 320 pixels", async ({ manager, page }) => {
  await page.setViewportSize({ width: 320, height: 720 });
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await manager.grantAndWait();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBe(0);
});

test("the owner's own transaction and a sponsored one go through", async ({ manager, page, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await chain.client.setBalance({ address: account, value: 10n ** 18n });
  await page.getByTestId("send-sponsored-transaction").click();
  await manager.hash("send-sponsored-transaction-hash");
  await page.getByTestId("send-transaction").click();
  await manager.hash("send-transaction-hash");
  expect(await chain.nfts(account)).toBe(2n);
  const payers = (await chain.operations(account)).map(({ paymaster }) => /^0x0+$/.test(paymaster));
  expect(payers).toEqual([false, true]);
});

test("two tabs do not lose each other's sessions", async ({ manager, page, context, wallet, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();

  const { Manager } = await import("../fixtures/test.ts");
  const other = await context.newPage();
  await wallet.install(other);
  const second = new Manager(other, manager.url);
  await second.open();
  expect(await second.account()).toBe(account);
  await second.grantAndWait();
  await expect(second.rows("ACTIVE")).toHaveCount(2);
  await expect(manager.rows("ACTIVE")).toHaveCount(2);
  await page.bringToFront();
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
});
