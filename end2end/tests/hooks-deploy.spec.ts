import { expect, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

test("a new account is deployed once, sponsored, and a second time is refused", async ({ manager, page, chain }) => {
  await manager.open("/hooks/use_deploy_smart_account");
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  expect(await chain.client.getCode({ address: account })).toBeUndefined();
  await expect(page.getByTestId("deployed")).toHaveAttribute("data-value", "false");

  await page.getByTestId("deploy-smart-account").click();
  const hash = await manager.hash("deploy-smart-account-hash");
  expect((await chain.client.getCode({ address: account }))?.length).toBeGreaterThan(2);
  const operations = await chain.operations(account);
  expect(operations.map(({ success, transactionHash }) => [success, transactionHash])).toEqual([[true, hash]]);
  expect(operations[0].paymaster).not.toBe(`0x${"0".repeat(40)}`);
  // The ended operation has the account's state read again.
  await expect(page.getByTestId("deployed")).toHaveAttribute("data-value", "true");

  await page.getByTestId("deploy-smart-account").click();
  await expect(manager.error("AccountAlreadyDeployed")).toBeVisible();
  expect(await chain.operations(account)).toHaveLength(1);
});

test("a refusal in the wallet deploys nothing", async ({ manager, page, chain, wallet }) => {
  await manager.open("/hooks/use_deploy_smart_account");
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  wallet.refuse = { code: 4001, message: "User rejected the request." };
  await page.getByTestId("deploy-smart-account").click();
  await expect(manager.error("WalletRejected")).toBeVisible();
  expect(await chain.client.getCode({ address: account })).toBeUndefined();
});
