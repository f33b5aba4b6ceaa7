import { expect, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";
import type { Manager } from "../fixtures/test.ts";

const ZERO_ROOT = `0x${"0".repeat(64)}`;

async function grantBatch(manager: Manager): Promise<string> {
  await manager.open("/hooks/use_create_batch_session");
  await manager.connect(TestWallet.rdns);
  await manager.page.getByTestId("create-batch-session").click();
  await expect(manager.page.getByTestId("grant-review")).toContainText("10 DUSD");
  await manager.page.getByTestId("grant-confirm").click();
  return manager.hash("create-batch-session-hash");
}

test("one signature allows a mixed batch, and the sessions alone do it", async ({ manager, page, chain, wallet }) => {
  const granted = await grantBatch(manager);
  const account = await manager.account();
  expect(await chain.sessionRoot(account)).not.toBe(ZERO_ROOT);
  expect(await chain.modules(account)).toMatchObject({ sessionKeyManager: true, batchedSessionRouter: true });
  expect(wallet.asked.filter((method) => method === "personal_sign")).toHaveLength(1);
  const owner = wallet.account.address;
  expect(await chain.tokens(owner)).toBe(0n);

  await manager.open("/hooks/use_batch_session");
  await expect(page.getByTestId("batch-to")).toHaveText(owner);
  await page.getByTestId("disconnect-wallet").click();
  await page.getByTestId("use-batch-session").click();
  const used = await manager.hash("use-batch-session-hash");

  expect(await chain.nfts(account)).toBe(1n);
  expect(await chain.tokens(owner)).toBe(5_000_000n);
  expect(await chain.tokens(account)).toBe(0n);
  const operations = await chain.operations(account);
  expect(operations.map(({ success, transactionHash }) => [success, transactionHash])).toEqual([[true, granted], [true, used]]);
  await expect(page.getByTestId("nft-balance")).toHaveAttribute("data-value", "1");
});

test("a batch of one call works", async ({ manager, page, chain }) => {
  await grantBatch(manager);
  const account = await manager.account();
  await manager.open("/hooks/use_batch_session");
  await page.getByTestId("batch-tokens").uncheck();
  await page.getByTestId("use-batch-session").click();
  await manager.hash("use-batch-session-hash");
  expect(await chain.nfts(account)).toBe(1n);
});

test("more than the session allows is refused before anything is sent", async ({ manager, page, chain, wallet }) => {
  await grantBatch(manager);
  const account = await manager.account();
  await manager.open("/hooks/use_batch_session");
  await page.getByTestId("batch-amount").fill("11");
  await page.getByTestId("use-batch-session").click();
  await expect(manager.error("PolicyViolation")).toContainText("call 1");
  expect(await chain.operations(account)).toHaveLength(1);
  // The same page goes on with what is allowed.
  await page.getByTestId("batch-amount").fill("10");
  await page.getByTestId("use-batch-session").click();
  await manager.hash("use-batch-session-hash");
  expect(await chain.tokens(wallet.account.address)).toBe(10_000_000n);
});

test("the sessions survive a reload and a grant refused in the wallet leaves nothing", async ({ manager, page, chain, wallet }) => {
  await manager.open("/hooks/use_create_batch_session");
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  wallet.refuse = { code: 4001, message: "User rejected the request." };
  await page.getByTestId("create-batch-session").click();
  await page.getByTestId("grant-confirm").click();
  await expect(manager.error("WalletRejected")).toBeVisible();
  expect(await chain.operations(account)).toHaveLength(0);
  wallet.refuse = undefined;
  await page.getByTestId("create-batch-session").click();
  await page.getByTestId("grant-confirm").click();
  await manager.hash("create-batch-session-hash");
  await manager.open("/hooks/use_batch_session");
  await page.reload();
  await page.getByTestId("use-batch-session").click();
  await manager.hash("use-batch-session-hash");
  expect(await chain.nfts(account)).toBe(1n);
});
