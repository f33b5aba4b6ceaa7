import type { Address, Hex } from "viem";
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts";
import { TOKEN_PAYMASTER } from "../fixtures/chain.ts";
import { expect, type Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

// The paymaster's balances are everybody's: one test after the other.
test.describe.configure({ mode: "default" });

const DOLLAR = 1_000_000n;
const nobody = (): Address => privateKeyToAddress(generatePrivateKey());

async function openHook(manager: Manager, hook: string): Promise<Address> {
  await manager.open(`/hooks/${hook}`);
  await manager.connect(TestWallet.rdns);
  return manager.account();
}

async function getDollars(manager: Manager): Promise<void> {
  await manager.page.getByTestId("get-demo-tokens").click();
  await manager.hash("get-demo-tokens-hash");
  await expect(manager.page.getByTestId("token-balance")).toHaveAttribute("data-value", String(100n * DOLLAR));
}

test("gas is paid in demo dollars, at most what was quoted, and the ether stays", async ({ manager, page, chain }) => {
  const account = await openHook(manager, "use_send_gas_token_transaction");
  // Nothing to pay with: said before anything is sent.
  await expect(page.getByTestId("gas-token-price")).toHaveText(/at most [0-9.]+ DUSD/);
  await page.getByTestId("send-gas-token-transaction").click();
  await expect(manager.error("GasTokenRefused").first()).toContainText("holds 0 DUSD");
  expect(await chain.operations(account)).toHaveLength(0);

  await getDollars(manager);
  await chain.client.setBalance({ address: account, value: 5n });
  await expect(page.getByTestId("gas-token-price")).toHaveText(/at most [0-9.]+ DUSD/);
  const quoted = Number(/at most ([0-9.]+)/.exec((await page.getByTestId("gas-token-price").textContent())!)![1]);
  const [receiver, deposit] = [await chain.tokens(TOKEN_PAYMASTER), await chain.deposit(TOKEN_PAYMASTER)];
  await page.getByTestId("send-gas-token-transaction").click();
  const hash = (await manager.hash("send-gas-token-transaction-hash")) as Hex;

  const charged = 100n * DOLLAR - (await chain.tokens(account));
  expect(charged).toBeGreaterThan(0n);
  expect(Number(charged) / 1e6).toBeLessThanOrEqual(quoted);
  expect(await chain.tokens(TOKEN_PAYMASTER)).toBe(receiver + charged);
  expect(await chain.deposit(TOKEN_PAYMASTER)).toBeLessThan(deposit);
  expect(await chain.tokenTransfers(hash)).toContainEqual({ from: account, to: TOKEN_PAYMASTER, value: charged });
  expect(await chain.client.getBalance({ address: account })).toBe(5n);
  expect(await chain.nfts(account)).toBe(1n);
  const paid = (await chain.operations(account)).find(({ transactionHash }) => transactionHash === hash);
  expect(paid).toMatchObject({ success: true, paymaster: TOKEN_PAYMASTER });
  await expect(page.getByTestId("token-balance")).toHaveAttribute("data-value", String(100n * DOLLAR - charged));
});

test("withdrawals go to their own recipients, and what has none goes to the owner", async ({ manager, page, chain, wallet }) => {
  const account = await openHook(manager, "use_send_withdrawals");
  await getDollars(manager);
  await chain.client.setBalance({ address: account, value: 10n ** 18n });
  const [alice, bob] = [nobody(), nobody()];
  await page.getByTestId("add-withdrawal").click();
  await page.getByTestId("add-withdrawal").click();
  const line = (index: number, name: string) => page.getByTestId(`withdrawal-${name}`).nth(index);
  await line(0, "amount").fill("12.5");
  await line(0, "recipient").fill(alice);
  await line(1, "asset").selectOption({ label: "ETH" });
  await line(1, "amount").fill("0.25");
  await line(1, "recipient").fill(bob);
  await line(2, "asset").selectOption({ label: "ETH" });
  const owner = wallet.account.address;
  const ownerBefore = await chain.client.getBalance({ address: owner });
  await page.getByTestId("send-withdrawals").click();
  await manager.hash("send-withdrawals-hash");

  expect(await chain.tokens(alice)).toBe(12_500_000n);
  expect(await chain.tokens(account)).toBe(87_500_000n);
  expect(await chain.client.getBalance({ address: bob })).toBe(10n ** 18n / 4n);
  expect(await chain.client.getBalance({ address: owner })).toBe(ownerBefore + (10n ** 18n * 3n) / 4n);
  expect(await chain.client.getBalance({ address: account })).toBe(0n);
});

test("a withdrawal that cannot be read is named, and nothing is sent", async ({ manager, page, chain }) => {
  const account = await openHook(manager, "use_send_withdrawals");
  await page.getByTestId("withdrawal-amount").fill("0.0000001");
  await page.getByTestId("send-withdrawals").click();
  await expect(manager.error("InvalidInput").first()).toContainText("at most 6 decimals");
  await page.getByTestId("withdrawal-amount").fill("");
  await page.getByTestId("withdrawal-recipient").fill("0x1234");
  await page.getByTestId("send-withdrawals").click();
  await expect(manager.error("InvalidInput").first()).toContainText(/recipient/i);
  expect(await chain.operations(account)).toHaveLength(0);
});

test("prices in tokens follow what is to be done", async ({ manager, page }) => {
  await openHook(manager, "use_token_fees");
  const quote = page.getByTestId("token-fees").locator("li");
  await expect(quote).toHaveCount(1);
  await expect(quote).toContainText(/DUSD.*markup 5 %.*holds until/);
  const one = Number(await quote.getAttribute("data-value"));
  await page.getByTestId("fee-mints").fill("10");
  await expect.poll(async () => Number(await quote.getAttribute("data-value"))).toBeGreaterThan(one);
  await page.getByTestId("fee-mints").fill("0");
  await expect(page.getByText("Choose 1 to 20 mints.", { exact: true })).toBeVisible();
  await expect(quote).toHaveCount(0);
});

test("the estimate is in wei, and is more with the sponsor's part", async ({ manager, page, chain }) => {
  const account = await openHook(manager, "use_gas_estimate");
  const shown = page.getByTestId("gas-estimate");
  await expect(shown).toHaveAttribute("data-value", /^[1-9][0-9]+$/);
  const own = BigInt((await shown.getAttribute("data-value"))!);
  expect(own).toBeLessThan(10n ** 17n);
  await page.getByTestId("estimate-sponsored").check();
  await expect.poll(async () => BigInt((await shown.getAttribute("data-value")) ?? 0n)).toBeGreaterThan(own);
  expect(await chain.operations(account)).toHaveLength(0);
});

for (const hook of ["use_send_gas_token_transaction", "use_send_withdrawals", "use_token_fees", "use_gas_estimate"]) {
  test(`${hook} is documented without JavaScript`, async ({ browser }) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`${process.env.USE_AA_URL}/hooks/${hook}`);
    await expect(page.getByRole("heading", { level: 1 })).toContainText(hook);
    await expect(page.locator("body")).toContainText("pub fn");
    await context.close();
  });
}
