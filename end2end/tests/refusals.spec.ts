import { expect, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

test("a refused signature leaves nothing behind, and the next grant works", async ({ manager, chain, wallet }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  wallet.refuse = { code: 4001, message: "User rejected the request." };
  await manager.grant();
  await expect(manager.error("WalletRejected").first()).toBeVisible();
  await expect(manager.rows()).toHaveCount(0);
  expect(await chain.operations(account)).toHaveLength(0);

  wallet.refuse = undefined;
  await manager.grantAndWait();
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
});

test("a refused connection says so and can be tried again", async ({ manager, page, wallet }) => {
  wallet.refuse = { code: 4001, message: "User rejected the request." };
  await manager.open();
  await page.getByTestId("connect-wallet").click();
  await page.getByTestId(`wallet-option-${TestWallet.rdns}`).click();
  await expect(manager.error("WalletRejected").first()).toBeVisible();
  wallet.refuse = undefined;
  await manager.connect(TestWallet.rdns);
});

test("a wallet on another chain is asked to switch", async ({ manager, page, wallet }) => {
  const ours = wallet.chainId;
  wallet.chainId = 1;
  wallet.knownChains.delete(ours);
  await manager.open();
  await page.getByTestId("connect-wallet").click();
  await page.getByTestId(`wallet-option-${TestWallet.rdns}`).click();
  await expect(manager.error("WrongChain").first()).toBeVisible();
  await page.getByTestId("switch-chain").first().click();
  await expect(manager.error("WrongChain")).toHaveCount(0);
  expect(wallet.chainId).toBe(ours);
  expect(wallet.asked).toContain("wallet_addEthereumChain");
  await manager.grantAndWait();
});

test("an expired session is refused by name and nothing is sent", async ({ manager, page, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  const sent = (await chain.operations(account)).length;
  await page.clock.setFixedTime(Date.now() + 400 * 24 * 3600 * 1000);
  await page.getByTestId("use-session").click();
  await expect(manager.error("SessionExpired").first()).toBeVisible();
  expect(await chain.operations(account)).toHaveLength(sent);
});

test("a call outside the policy is refused with the rule's name and nothing is sent", async ({ manager, page, chain }) => {
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  const sent = (await chain.operations(account)).length;
  requests.length = 0;
  await page.getByTestId("mint-recipient").fill("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
  await page.getByTestId("use-session").click();
  await expect(manager.error("PolicyViolation").first()).toContainText(/rule 0/i);
  expect(requests.filter((url) => url.includes("send_user_operation"))).toEqual([]);
  expect(await chain.operations(account)).toHaveLength(sent);
});

test("a malformed recipient is named, and nothing is sent", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await manager.grantAndWait();
  await page.getByTestId("mint-recipient").fill("0x1234");
  await page.getByTestId("use-session").click();
  await expect(manager.error("InvalidInput").first()).toContainText(/address/i);
});
