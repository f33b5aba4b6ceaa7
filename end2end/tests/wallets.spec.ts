import type { Page } from "@playwright/test";
import { type Hex, numberToHex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { expect, Manager, test } from "../fixtures/test.ts";
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

test("a wallet that loses its connection for good is let go, and sessions go on without it", async ({ manager, page, wallet, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  for (const farewell of [{ code: 4900, message: "Disconnected" }, { code: 1000, message: "bye" }, undefined]) {
    await wallet.emit(page, "disconnect", farewell);
    await expect(connectButton(page)).toBeVisible();
    await expect(page.getByTestId("create-session")).toBeDisabled();
    await wallet.emit(page, "accountsChanged", [wallet.account.address]);
    await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
  }
  await wallet.emit(page, "disconnect", { code: 1000, message: "bye" });
  await expect(connectButton(page)).toBeVisible();
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
});

test.describe("a hiccup of the wallet's connection", () => {
  const hiccup = { code: 1013, message: "Disconnected from chain. Attempting to connect." };
  const away = (page: Page) => page.getByTestId("wallet-away");

  test("logs nobody out, and an open review goes on", async ({ manager, page, wallet }) => {
    await manager.open();
    await manager.connect(TestWallet.rdns);
    await page.getByTestId("create-session").click();
    await expect(page.getByTestId("grant-confirm")).toBeEnabled();
    wallet.asked.length = 0;
    await wallet.emit(page, "disconnect", hiccup);
    await expect.poll(() => wallet.asked).toContain("eth_accounts");
    await expect(page.getByTestId("grant-review")).toBeVisible();
    await expect(away(page)).toHaveCount(0);
    await page.getByTestId("grant-confirm").click();
    await manager.hash("create-session-hash");
    expect(wallet.asked).not.toContain("eth_requestAccounts");
  });

  test("is told while it lasts; what the wallet refuses meanwhile is tried again by the person", async ({ manager, page, wallet }) => {
    await manager.open();
    await manager.connect(TestWallet.rdns);
    wallet.refuseAccounts = { code: 4900, message: "not connected to any chain" };
    wallet.refuse = { code: 4900, message: "not connected to any chain" };
    await wallet.emit(page, "disconnect", hiccup);
    await expect(away(page)).toBeVisible();
    await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
    await manager.grant();
    await expect(manager.error("Wallet").first()).toContainText(/not connected to any chain/i);
    await expect(manager.error("Wallet").first()).toContainText(/wait a moment/i);
    wallet.refuseAccounts = wallet.refuse = undefined;
    await wallet.emit(page, "connect", { chainId: numberToHex(wallet.chainId) });
    await expect(away(page)).toHaveCount(0);
    await manager.grantAndWait();
    expect(wallet.asked.filter((method) => method === "eth_requestAccounts")).toHaveLength(1);
  });

  test("that takes the accounts along ends with words, and the wallet comes back by itself", async ({ manager, page, wallet }) => {
    await manager.open();
    await manager.connect(TestWallet.rdns);
    const account = await manager.account();
    wallet.locked = true;
    await wallet.emit(page, "disconnect", hiccup);
    await expect(page.getByTestId("wallet-gone")).toContainText(/unlock/i);
    await expect(connectButton(page)).toBeEnabled();
    expect(await manager.account()).toBe(account);
    wallet.locked = false;
    await wallet.emit(page, "accountsChanged", [wallet.account.address]);
    await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
    await expect(page.getByTestId("wallet-gone")).toHaveCount(0);
  });
});

test("who refused is told so in every shape, and who said nothing is not", async ({ manager, page, wallet }) => {
  const refusals: unknown[] = [{ code: "4001" }, { code: -32603, message: "User denied message signature." }, { code: 5000 }, { data: { originalError: { code: 4001 } } }, "User rejected"];
  const silent: unknown[] = [{}, null, ""];
  const all = [...refusals.map((value) => ["WalletRejected", value] as const), ...silent.map((value) => ["Wallet", value] as const)];
  await openMenu({ manager, page });
  for (const [name, value] of all) {
    wallet.throws = { value };
    await option(page, "Test wallet").click();
    const error = manager.error(name).first();
    await expect(error, JSON.stringify(value)).toBeVisible();
    if (name === "Wallet") {
      await expect(error).toContainText("Your wallet answered without saying why");
      await expect(error).not.toContainText(/reject|refus/i);
    }
    wallet.throws = { value: { code: -32002, message: "waiting" } };
    await option(page, "Test wallet").click();
    await expect(manager.error("Wallet").first()).toContainText(/waiting/i);
  }
  wallet.throws = undefined;
  await option(page, "Test wallet").click();
  await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
  for (const [name, value] of [all[1], all[5]]) {
    wallet.throws = { value };
    await manager.grant();
    await expect(manager.error(name).first()).toBeVisible();
  }
  wallet.throws = undefined;
  await manager.grantAndWait();
});

test.describe("an owner with code", () => {
  const shown = (page: Page) => page.getByTestId("smart-account-address");

  test("that is a contract is told at once what works, and no account is shown to send money to", async ({ manager, page, wallet, chain }) => {
    await chain.client.setCode({ address: wallet.account.address, bytecode: "0x60806040" });
    await openMenu({ manager, page });
    await option(page, "Test wallet").click();
    const told = manager.error("OwnerIsContract").first();
    await expect(told).toContainText(/EIP-7702/);
    await expect(told).toContainText(/ECDSA/);
    await expect(shown(page)).toHaveCount(0);
    // Nothing to grant with: there is no form as long as no account is known.
    await expect(page.getByTestId("create-session")).toHaveCount(0);
    expect(wallet.asked).not.toContain("personal_sign");
    // The same at the next visit.
    await page.reload();
    await expect(told).toBeVisible();
    await expect(shown(page)).toHaveCount(0);
    // Another account of the same wallet has a key.
    await wallet.chooseAccount(page);
    await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
    await expect(told).toHaveCount(0);
    await manager.grantAndWait();
  });

  test("that is a key all the same (EIP-7702) works", async ({ manager, wallet, chain }) => {
    await chain.client.setCode({ address: wallet.account.address, bytecode: `0xef0100${"17".repeat(20)}` });
    await manager.open();
    await manager.connect(TestWallet.rdns);
    await manager.grantAndWait();
  });

  test("that is not on this chain yet is told with its first signature, and by whom another one was made", async ({ manager, page, wallet }) => {
    await manager.open();
    await manager.connect(TestWallet.rdns);
    const other = privateKeyToAccount(generatePrivateKey());
    wallet.signature = await other.signMessage({ message: "something else" });
    await manager.grant();
    const wrong = manager.error("NotTheOwnersSignature").first();
    await expect(wrong).toContainText("65 bytes");
    await expect(wrong).toContainText(wallet.account.address.slice(-4));
    wallet.signature = `0x${"ab".repeat(600)}` as Hex;
    await manager.grant();
    await expect(manager.error("OwnerIsContract").first()).toContainText("600 bytes");
    await expect(shown(page)).toHaveCount(0);
    await expect(page.getByTestId("create-session")).toBeDisabled();
  });
});

test("a wallet that answers late never replaces the one chosen after it", async ({ manager, page, wallet }) => {
  const slow = new TestWallet(wallet.chainId);
  slow.info = { uuid: "7b1f0b9e-2c55-4c6a-9d52-0f2f5b6f7a44", name: "Slow wallet", rdns: "org.use-aa.slow", colour: "#aa5511" };
  let answer = () => {};
  slow.accountsWhen = new Promise((answered) => (answer = answered));
  await slow.install(page);
  await openMenu({ manager, page });
  await option(page, "Slow wallet").click();
  await expect.poll(() => slow.asked).toContain("eth_requestAccounts");
  await option(page, "Test wallet").click();
  await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
  answer();
  await expect.poll(() => slow.asked).toContain("eth_chainId");
  await manager.grantAndWait();
  await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
  expect(slow.asked).not.toContain("personal_sign");
  await page.reload();
  await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
});

for (const injected of [{ after: 1_000, tells: false }, { after: 5_000, tells: true }]) {
  test(`a wallet that sets window.ethereum late is found, also at the next visit (${injected.tells ? "told" : "untold"})`, async ({ page, pageErrors: _ }) => {
    const wallet = new TestWallet(Number(process.env.USE_AA_CHAIN));
    wallet.injected = injected;
    await wallet.install(page);
    const manager = new Manager(page, process.env.USE_AA_URL!);
    await manager.open();
    await connectButton(page).click();
    await option(page, "Browser wallet").click();
    await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
    wallet.asked.length = 0;
    await page.reload();
    await expect(owner(page)).toHaveAttribute("data-value", wallet.account.address);
    expect(wallet.asked).not.toContain("eth_requestAccounts");
  });
}

for (const when of ["before", "after"] as const) {
  test(`a wallet whose script the content policy stopped is told as that, ${when} the page came alive`, async ({ page }) => {
    await page.addInitScript((when) => {
      const add = () => {
        const script = document.createElement("script");
        script.textContent = "window.ethereum = { request: async () => [] }";
        document.documentElement.append(script);
        script.remove();
      };
      if (when === "before") document.addEventListener("readystatechange", add, { once: true });
      else (window as any).__add = add;
    }, when);
    const manager = new Manager(page, process.env.USE_AA_URL!);
    await manager.open();
    await connectButton(page).click();
    await expect(page.getByTestId("wallet-option-lab")).toBeVisible();
    const told = page.getByTestId("wallet-script-stopped");
    if (when === "after") {
      await expect(told).toHaveCount(0);
      await page.evaluate(() => (window as any).__add());
    }
    await expect(told).toContainText(/content policy/i);
    // An inline script may come from elsewhere: nothing is claimed, and who has no wallet is helped as well.
    await expect(told).toContainText(/may be a wallet's/i);
    await expect(told).toContainText(/no wallet in this browser yet/i);
    await expect(told).toContainText(/update the wallet/i);
    await expect(page.getByText(/install one/i)).toHaveCount(0);
  });
}

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
