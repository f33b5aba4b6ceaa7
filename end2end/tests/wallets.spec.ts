import type { Page } from "@playwright/test";
import { numberToHex } from "viem";
import { expect, type Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const connectButton = (page: Page) => page.getByTestId("connect-wallet");
const owner = (page: Page) => page.getByTestId("owner-address");
const option = (page: Page, name: string) => page.getByRole("button", { name });

async function openMenu({ manager, page }: { manager: Manager; page: Page }): Promise<void> {
  await manager.open();
  await connectButton(page).click();
  await expect(option(page, "Test wallet")).toBeVisible();
}

test.describe("two wallets of the same kind", () => {
  test("both are offered with their own icons, and the chosen one is the one that comes back", async ({ manager, page, wallet }) => {
    const twin = new TestWallet(wallet.chainId);
    twin.info = { uuid: "7b1f0b9e-2c55-4c6a-9d52-0f2f5b6f7a22", name: "Twin wallet", rdns: TestWallet.rdns, colour: "#aa5511" };
    await twin.install(page);
    await openMenu({ manager, page });
    await expect(option(page, "Twin wallet")).toBeVisible();
    const icons = page.locator(".wallet-option img");
    await expect(icons).toHaveCount(2);
    const sources = await icons.evaluateAll((all) => (all as HTMLImageElement[]).map((icon) => [icon.complete && icon.naturalWidth > 0, icon.src] as const));
    expect(sources.map(([shown]) => shown)).toEqual([true, true]);
    expect(new Set(sources.map(([, source]) => source)).size).toBe(2);

    await option(page, "Twin wallet").click();
    await expect(owner(page)).toHaveAttribute("data-value", twin.account.address);
    expect(wallet.asked).not.toContain("eth_requestAccounts");
    twin.asked.length = 0;
    await page.reload();
    await expect(owner(page)).toHaveAttribute("data-value", twin.account.address);
    expect(twin.asked).not.toContain("eth_requestAccounts");
    expect(wallet.asked).toEqual([]);
    await manager.grantAndWait();
    expect(twin.asked).toContain("personal_sign");
    expect(wallet.asked).toEqual([]);
  });
});

test("what a wallet hides in its name is not shown, and a name that shows nothing is no wallet", async ({ manager, page, wallet }) => {
  const [trick, blank] = ["Tri\u202eck \u200bwal\u2066let", "\u3164\u2800"].map((name, place) => {
    const other = new TestWallet(wallet.chainId);
    other.info = { uuid: `7b1f0b9e-2c55-4c6a-9d52-0f2f5b6f7a3${place}`, name, rdns: `org.use-aa.trick-${place}`, colour: "#aa5511" };
    return other;
  });
  await trick.install(page);
  await blank.install(page);
  await openMenu({ manager, page });
  await expect(page.getByTestId("wallet-option-org.use-aa.trick-0").locator("strong")).toHaveText("Trick wallet");
  await expect(page.getByTestId("wallet-option-org.use-aa.trick-1")).toHaveCount(0);
});

test("the last wallet connects again without asking anybody", async ({ manager, page, wallet }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  wallet.asked.length = 0;
  await page.reload();
  await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
  expect(wallet.asked).toContain("eth_accounts");
  expect(wallet.asked).not.toContain("eth_requestAccounts");
});

test("a wallet that is locked stays the remembered one and connects when it is unlocked", async ({ manager, page, wallet }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  wallet.locked = true;
  wallet.asked.length = 0;
  await page.reload();
  await expect.poll(() => wallet.asked).toContain("eth_accounts");
  await expect(connectButton(page)).toBeEnabled();
  expect(await manager.account()).toBe(account);

  wallet.locked = false;
  await wallet.emit(page, "accountsChanged", [wallet.account.address]);
  await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
  expect(wallet.asked).not.toContain("eth_requestAccounts");

  // Locked while the page is open: the same way there and back.
  wallet.locked = true;
  await wallet.emit(page, "accountsChanged", []);
  await expect(connectButton(page)).toBeVisible();
  await expect(owner(page)).toHaveCount(0);
  wallet.locked = false;
  await wallet.emit(page, "accountsChanged", [wallet.account.address]);
  await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
});

test("another account in the wallet is another smart account here, at once", async ({ manager, page, wallet, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const first = await manager.account();
  await manager.grantAndWait();
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  await wallet.chooseAccount(page);
  await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
  await expect(page.getByTestId("smart-account-address")).not.toHaveAttribute("data-value", first);
  await expect(manager.rows()).toHaveCount(0);
  const second = await manager.account();
  await manager.grantAndWait();
  expect(await chain.operations(second)).toHaveLength(1);
  expect(await chain.operations(first)).toHaveLength(1);
});

test("another chain in the wallet is told at once, and so is the way back", async ({ manager, page, wallet }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const ours = wallet.chainId;
  wallet.chainId = 137;
  await wallet.emit(page, "chainChanged", numberToHex(137));
  await expect(manager.error("WrongChain")).toContainText("137");
  wallet.chainId = ours;
  await wallet.emit(page, "chainChanged", numberToHex(ours));
  await expect(manager.error("WrongChain")).toHaveCount(0);
  await manager.grantAndWait();
});

test.describe("a wallet that does not know the chain", () => {
  test.beforeEach(({ wallet }) => {
    wallet.knownChains.delete(wallet.chainId);
    wallet.chainId = 1;
  });

  const ours = () => Number(process.env.USE_AA_CHAIN);

  async function connect({ manager, page }: { manager: Manager; page: Page }): Promise<void> {
    await openMenu({ manager, page });
    await option(page, "Test wallet").click();
    await expect(manager.error("WrongChain").first()).toBeVisible();
  }

  test("is told how to reach it, then switched", async ({ manager, page, wallet }) => {
    await connect({ manager, page });
    await page.getByTestId("switch-chain").click();
    await expect(manager.error("WrongChain")).toHaveCount(0);
    expect(wallet.added).toHaveLength(1);
    expect(wallet.added[0]).toMatchObject({
      chainId: numberToHex(ours()),
      chainName: expect.stringMatching(/./),
      rpcUrls: [expect.stringMatching(/^http/)],
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    });
    expect(wallet.chainId).toBe(ours());
    await manager.grantAndWait();
  });

  test("may refuse to learn it, and is asked again", async ({ manager, page, wallet }) => {
    await connect({ manager, page });
    wallet.refuseChain = { code: 4001, message: "User rejected the request." };
    await page.getByTestId("switch-chain").click();
    await expect(manager.error("WrongChain").first()).toContainText(/refused|rejected/i);
    expect(wallet.chainId).toBe(1);
    wallet.refuseChain = undefined;
    await page.getByTestId("switch-chain").click();
    await expect(manager.error("WrongChain")).toHaveCount(0);
    expect(wallet.chainId).toBe(ours());
  });

  test("is told nothing where the server names no address: the person hears what to add", async ({ manager, page, wallet }) => {
    await page.route("**/api/fn/chain_info", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), publicRpcUrl: null } });
    });
    await connect({ manager, page });
    await page.getByTestId("switch-chain").click();
    await expect(manager.error("WrongChain").first()).toContainText(`chain id ${ours()}`);
    expect(wallet.asked).not.toContain("wallet_addEthereumChain");
  });
});

test("a wallet that loses its connection is let go, and sessions go on without it", async ({ manager, page, wallet, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  await wallet.emit(page, "disconnect", { code: 1013, message: "Disconnected from all chains" });
  await expect(connectButton(page)).toBeVisible();
  await expect(page.getByTestId("create-session")).toBeDisabled();
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
});

test("a request that waits in the wallet already is said to wait there", async ({ manager, page, wallet }) => {
  wallet.refuse = { code: -32002, message: "Request of type 'wallet_requestPermissions' already pending" };
  await openMenu({ manager, page });
  await option(page, "Test wallet").click();
  await expect(manager.error("Wallet").first()).toContainText(/waiting/i);
  await expect(connectButton(page)).toHaveText("Connect wallet");
  wallet.refuse = undefined;
  await option(page, "Test wallet").click();
  await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
});

test("a wallet that was let go by the person is not asked at the next visit", async ({ manager, page, wallet }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await page.getByTestId("disconnect-wallet").click();
  await expect(connectButton(page)).toBeVisible();
  wallet.asked.length = 0;
  await page.reload();
  expect(await manager.account()).toBe(account);
  await expect(page.getByTestId("create-session")).toBeDisabled();
  await expect(connectButton(page)).toBeEnabled();
  expect(wallet.asked).toEqual([]);
});
