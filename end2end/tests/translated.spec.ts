import { expect, test } from "../fixtures/test.ts";
import { expectNothingFrozen, MARK, translate } from "../fixtures/translator.ts";
import { TestWallet } from "../fixtures/wallet.ts";

/** Once, or once more after the page's own script took the markup over. */
const TRANSLATED_CONNECT = new RegExp(`^${MARK}+Connect wallet$`);

test.beforeEach(({ page }) => translate(page));

test("a translated page grants, uses, lists and takes back, and says so", async ({ manager, page, chain }) => {
  test.slow();
  await manager.open();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(MARK);
  await expect(page.getByTestId("connect-wallet")).toHaveText(TRANSLATED_CONNECT);
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  // What is the same in every language is left alone.
  await expect(page.getByTestId("smart-account-address")).toHaveText(/^0x/);
  await expect(page.getByText("Looking for sessions")).toHaveCount(0);

  await page.getByTestId("create-session").click();
  const review = page.getByTestId("grant-review");
  await expect(review.locator("#review-summary strong")).toHaveText("Demo NFT mint");
  await page.getByTestId("grant-end").fill("2035-01-02T03:04");
  await expect(page.getByTestId("grant-end-words")).toContainText(/2035/);
  await page.getByTestId("grant-end-asked").click();
  await expect(page.getByTestId("grant-end-words")).not.toContainText(/2035/);
  const confirm = page.getByTestId("grant-confirm");
  await expect(confirm).toHaveText(`${MARK}Sign and grant`);
  await confirm.click();
  const step = page.locator(".stepper-text").first();
  await expect(step).toContainText(MARK);
  await expect(step).toHaveText(`${MARK}Confirmed on the chain.`);
  await manager.hash("create-session-hash");

  const row = manager.rows("ACTIVE").first();
  await expect(row.locator(".title")).toHaveText("Demo NFT mint");
  await expect(row.locator(".badge")).toHaveText(`${MARK}Active`);
  const left = row.getByTestId("session-countdown");
  const before = await left.textContent();
  await expect(left).not.toHaveText(before ?? "");

  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
  await expect(page.getByTestId("nft-balance")).toHaveText("1");
  await expect(row.getByTestId("session-uses")).toContainText("Used once");
  await expectNothingFrozen(page);

  await manager.open("/sessions");
  await expect(page.getByTestId("session-count")).toContainText(/1.*session/);
  await page.getByTestId("session-search").fill("nothing like this");
  await expect(page.getByTestId("sessions-empty")).toContainText("No session fits");
  await page.getByTestId("session-search").fill("");
  await manager.rows("ACTIVE").first().getByTestId("revoke-session").click();
  await expect(page.getByTestId("session-change")).toContainText("Demo NFT mint");
  await page.getByTestId("revoke-confirm").click();
  await manager.hash("revoke-sessions-hash");
  await expect(manager.rows("REVOKED").first().getByTestId("revocation-proof")).toContainText("The chain refuses it now");
  await expect(manager.rows("REVOKED").first().locator(".badge")).toHaveText(`${MARK}Revoked`);
  await expectNothingFrozen(page);
});

test("what is typed in a translated review is what it says", async ({ manager, page }) => {
  await manager.open("/hooks/use_create_batch_session");
  await manager.connect(TestWallet.rdns);
  await page.getByTestId("create-batch-session").click();
  const review = page.getByTestId("grant-review");
  const words = review.locator(".grant-call").nth(2);
  await expect(words).toContainText("10 DUSD");
  const field = words.getByTestId("grant-amount");
  await field.fill("3");
  await field.blur();
  await expect(words.locator(".conditions, .grant-words").first()).toContainText(/\b3 DUSD/);
  await expect(words.locator(".grant-words, .conditions")).not.toContainText(["10 DUSD"]);
  await expect(words.locator("[translate=no]").filter({ hasText: /^3 DUSD$/ }).first()).toBeVisible();
  await field.fill("nonsense");
  await field.blur();
  await expect(words.locator(".hint").first()).not.toContainText("Asked for");
  await field.fill("3");
  await field.blur();
  await page.getByTestId("grant-keep").first().uncheck();
  await expect(page.getByTestId("grant-changed")).toBeVisible();
  await page.getByTestId("grant-confirm").click();
  await manager.hash("create-batch-session-hash");
  const told = page.getByTestId("grant-told");
  await expect(told).toContainText("3 DUSD");
  await expectNothingFrozen(page);
});

test("a translator that is quicker than the page's own script leaves a page that works", async ({ manager, page }) => {
  // The code is held back until every text is replaced.
  await page.route("**/pkg/use-aa*.wasm", async (route) => {
    await expect(page.getByRole("button", { name: /Connect wallet/ }).first()).toHaveText(TRANSLATED_CONNECT);
    await route.continue();
  });
  await manager.open("/hooks");
  await manager.connect();
  await page.getByRole("searchbox").fill("batch");
  await expect(page.locator("form.hook-filter [role=status]")).toContainText(/\d+.*hooks/);
  await page.getByRole("searchbox").fill("nothing at all");
  await expect(page.locator("form.hook-filter [role=status]")).toContainText("No hook matches");
  await expectNothingFrozen(page);
});

test("every demo works on a translated page", async ({ manager, page }) => {
  test.slow();
  const hooks = ["use_smart_account", "use_gas_estimate", "use_token_fees", "use_send_gas_token_transaction", "use_send_withdrawals", "use_deploy_smart_account", "use_create_session_with_distributed_key", "use_session_with_distributed_key", "use_batch_session", "use_revoke_sessions", "use_user_op_wait"];
  await manager.open(`/hooks/${hooks[0]}`);
  await manager.connect(TestWallet.rdns);
  for (const hook of hooks) {
    await manager.open(`/hooks/${hook}`);
    await expect(page.locator(".panel").first()).toBeVisible();
    await page.waitForLoadState("networkidle");
    await expectNothingFrozen(page);
  }
});
