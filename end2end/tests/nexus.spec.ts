import { type Address, type Hex, parseAbi } from "viem";
import type { Chain } from "../fixtures/chain.ts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const SMART_SESSION: Address = "0x00000000008bDABA73cD9815d79069c247Eb4bDA";
const ENTRY_POINT: Address = "0x0000000071727De22E5E9d8BAf0edAc6f37da032";
const abi = parseAbi([
  "function getPermissionIDs(address account) view returns (bytes32[])",
  "event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender, address indexed paymaster, uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed)",
]);
const NOBODY = "0x0000000000000000000000000000000000000000";

/** Ids of the sessions that the module has of an account. */
const permissions = (chain: Chain, account: Address): Promise<readonly Hex[]> =>
  chain.client.readContract({ address: SMART_SESSION, abi, functionName: "getPermissionIDs", args: [account] });

/** Operations of the account at its entry point: did it succeed, and did somebody else pay? */
async function operations(chain: Chain, sender: Address): Promise<[boolean, boolean][]> {
  const logs = await chain.client.getContractEvents({
    address: ENTRY_POINT, abi, eventName: "UserOperationEvent", args: { sender }, fromBlock: 0n, strict: true,
  });
  return logs.map(({ args }) => [args.success, args.paymaster !== NOBODY]);
}

/** Chooses a kind and waits for another account than `before`. */
async function choose(manager: Manager, kind: string, before?: Address): Promise<Address> {
  await manager.page.getByTestId("account-kind").selectOption(kind);
  const shown = manager.page.getByTestId("smart-account-address");
  if (before) await expect(shown).not.toHaveAttribute("data-value", before);
  return manager.account();
}

test("a session on a Nexus account: granted for two uses, used up, taken back; that of V2 is still there", async ({ manager, page, chain, wallet }) => {
  test.setTimeout(120_000);
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const kind = page.getByTestId("account-kind");
  await expect(kind).toHaveValue("biconomy-v2");
  await expect(page.getByTestId("grant-uses")).toBeHidden();
  const v2 = await manager.account();
  await page.getByTestId("session-label").fill("On V2");
  await manager.grantAndWait();
  await expect(manager.rows("ACTIVE")).toHaveCount(1);

  const nexus = await choose(manager, "nexus", v2);
  await expect(manager.rows()).toHaveCount(0);
  await page.getByTestId("session-label").fill("On Nexus");
  await page.getByTestId("grant-uses").fill("2");
  await chain.client.setBalance({ address: nexus, value: 10n ** 18n });
  await page.getByTestId("create-session").click();
  const review = page.getByTestId("grant-review");
  await expect(review.getByTestId("grant-limits")).toContainText("At most 2 times");
  await expect(review.getByTestId("grant-limits")).toContainText("Fees are not limited by this");
  // Of the session itself, as the module will hold it.
  await expect(review.getByTestId("grant-warning")).toContainText("its fees are not");
  await expect(review.getByTestId("grant-stop")).toHaveCount(0);
  await review.getByTestId("grant-withdraw").check();
  await expect(review.getByTestId("grant-changed")).toBeVisible();
  const asked = wallet.asked.filter((method) => method === "personal_sign").length;
  await page.getByTestId("grant-confirm").click();
  await manager.hash("create-session-hash");
  expect(wallet.asked.filter((method) => method === "personal_sign")).toHaveLength(asked + 1);
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  // With the same operation what a key could spend on fees went to the owner.
  expect(await chain.client.getBalance({ address: nexus })).toBe(0n);
  expect(await chain.client.getBalance({ address: wallet.account.address })).toBe(10n ** 18n);
  const row = manager.rows();
  const [id] = await permissions(chain, nexus);
  await expect(row).toHaveAttribute("data-session-id", id);
  await expect(row).toContainText("May call safeMint on Demo NFT");
  const left = row.getByTestId("session-left");
  await expect(left).toHaveAttribute("data-left", "2");
  await expect(left).toHaveAttribute("data-kind", "uses");

  // The session alone, also after a reload and without a wallet.
  await page.reload();
  await expect(kind).toHaveValue("nexus");
  expect(await manager.account()).toBe(nexus);
  await page.getByTestId("disconnect-wallet").click();
  await manager.useAndWait();
  await expect(left).toHaveAttribute("data-left", "1");
  await expect(left).toContainText("1 of 2 uses left");
  await page.getByTestId("use-session").click();
  await expect(left).toHaveAttribute("data-left", "0");
  expect(await chain.nfts(nexus)).toBe(2n);
  expect(await operations(chain, nexus)).toEqual([[true, true], [true, true], [true, true]]);

  // Beyond it nothing is sent, and there is a way on.
  await page.getByTestId("use-session").click();
  await expect(manager.error("PolicyViolation")).toBeVisible();
  await expect(page.getByTestId("step-up")).toBeVisible();
  expect(await operations(chain, nexus)).toHaveLength(3);

  await page.getByTestId("connect-wallet").click();
  await page.getByTestId(`wallet-option-${TestWallet.rdns}`).click();
  await row.getByTestId("revoke-session").click();
  await page.getByTestId("revoke-confirm").click();
  await manager.hash("revoke-sessions-hash");
  await expect(manager.rows("REVOKED")).toHaveCount(1);
  expect(await permissions(chain, nexus)).toEqual([]);
  await expect(row.getByTestId("revocation-proof")).toHaveAttribute("data-result", "refused");
  await expect(row.getByTestId("revocation-proof")).toContainText("InvalidPermissionId");

  // Brought back, the same session counts anew, which is said before.
  await row.getByTestId("restore-session").click();
  await expect(page.getByTestId("session-change")).toContainText("begins at nothing and can be used in full once more");
  await page.getByTestId("revoke-confirm").click();
  await manager.hash("restore-sessions-hash");
  await expect(row).toHaveAttribute("data-status", "ACTIVE");
  expect(await permissions(chain, nexus)).toEqual([id]);
  await expect(left).toHaveAttribute("data-left", "2");
  await manager.useAndWait();
  await expect(left).toHaveAttribute("data-left", "1");
  await row.getByTestId("revoke-session").click();
  await page.getByTestId("revoke-confirm").click();
  await expect(manager.rows("REVOKED")).toHaveCount(1);

  // The other kind lost nothing.
  expect(await choose(manager, "biconomy-v2", nexus)).toBe(v2);
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  await expect(manager.rows("ACTIVE")).toContainText("On V2");
  await manager.useAndWait();
  expect(await chain.nfts(v2)).toBe(1n);
  expect(await choose(manager, "nexus", v2)).toBe(nexus);
  await expect(manager.rows("REVOKED")).toHaveCount(1);
});

test("a grant by signature sends nothing, is enabled by its first use, and says so", async ({ manager, page, chain, wallet }) => {
  test.setTimeout(90_000);
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await choose(manager, "nexus", await manager.account());
  await page.getByTestId("session-label").fill("Signed only");
  await page.getByTestId("grant-with-first-use").check();
  await page.getByTestId("create-session").click();
  await expect(page.getByTestId("grant-review")).toContainText("can still be used by whoever holds it");
  await page.getByTestId("grant-confirm").click();
  const row = manager.rows("ACTIVE");
  await expect(row).toHaveCount(1);
  await expect(row).toContainText("Not enabled yet");
  expect(wallet.asked.filter((method) => method === "eth_signTypedData_v4")).toHaveLength(1);
  expect(wallet.asked).not.toContain("personal_sign");
  expect(await permissions(chain, account)).toEqual([]);
  expect(await operations(chain, account)).toEqual([]);

  // Whoever has neither wallet nor chain at hand: the stored signature is enough.
  await page.reload();
  await page.getByTestId("disconnect-wallet").click();
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
  expect(await permissions(chain, account)).toHaveLength(1);
  await expect(row).not.toContainText("Not enabled yet");
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(2n);
});

test("another browser of the owner reads the sessions of a Nexus account from the chain, and takes one back", async ({ manager, page, chain, wallet, browser }) => {
  test.setTimeout(120_000);
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await choose(manager, "nexus", await manager.account());
  await page.getByTestId("session-label").fill("Only here");
  await page.getByTestId("grant-uses").fill("3");
  await manager.grantAndWait();
  const [id] = await permissions(chain, account);

  const context = await browser.newContext();
  const otherPage = await context.newPage();
  await new TestWallet(wallet.chainId, wallet.key).install(otherPage);
  const other = new Manager(otherPage, process.env.USE_AA_URL!);
  await other.open();
  await other.connect(TestWallet.rdns);
  expect(await choose(other, "nexus", await other.account())).toBe(account);
  const row = other.rows();
  await expect(row).toHaveCount(1);
  await expect(row).toHaveAttribute("data-session-id", id);
  await expect(row).toHaveAttribute("data-status", "OTHER_DEVICE");
  await expect(row).toContainText("May call safeMint on Demo NFT");
  await expect(row).toContainText("Its key is in another browser or app");
  await expect(row).not.toContainText("Only here");
  await expect(row.getByTestId("session-left")).toHaveAttribute("data-left", "3");
  await expect(row).not.toHaveAttribute("data-unreadable", "true");

  const revoke = row.getByTestId("revoke-session");
  await revoke.focus();
  await otherPage.keyboard.press("Enter");
  await otherPage.getByTestId("revoke-confirm").click();
  await other.hash("revoke-sessions-hash");
  expect(await permissions(chain, account)).toEqual([]);
  await expect(row).toHaveAttribute("data-status", "REVOKED");
  await expect(row.getByTestId("revocation-proof")).toHaveAttribute("data-result", "refused");
  await context.close();

  // Where it was granted it is known to be gone, by its name.
  await page.reload();
  await expect(manager.rows("REVOKED")).toContainText("Only here");
});

test("a batch, and the owner's own operations, on a Nexus account; what it cannot do is said", async ({ manager, page, chain, wallet }) => {
  test.setTimeout(120_000);
  await manager.open("/hooks/use_create_batch_session");
  await manager.connect(TestWallet.rdns);
  const account = await choose(manager, "nexus", await manager.account());
  await page.getByTestId("create-batch-session").click();
  await page.getByTestId("grant-confirm").click();
  await manager.hash("create-batch-session-hash");
  expect(await permissions(chain, account)).toHaveLength(1);

  await manager.open("/hooks/use_batch_session");
  const owner = wallet.account.address;
  await expect(page.getByTestId("batch-to")).toHaveText(owner);
  await page.getByTestId("batch-amount").fill("11");
  await page.getByTestId("use-batch-session").click();
  await expect(manager.error("PolicyViolation")).toBeVisible();
  await page.getByTestId("batch-amount").fill("5");
  await page.getByTestId("use-batch-session").click();
  await manager.hash("use-batch-session-hash");
  expect(await chain.nfts(account)).toBe(1n);
  expect(await chain.tokens(owner)).toBe(5_000_000n);

  await manager.open("/hooks/use_send_sponsored_transaction");
  await page.getByTestId("send-sponsored-transaction").click();
  await manager.hash("send-sponsored-transaction-hash");
  expect(await chain.nfts(account)).toBe(2n);

  // The gas in tokens: what may be taken is approved in an operation before, and no more than was quoted is taken.
  await chain.mintTokens(account, 100_000_000n);
  await manager.open("/hooks/use_send_gas_token_transaction");
  const price = page.getByTestId("gas-token-price");
  await expect(price).toHaveText(/at most [0-9.]+ DUSD/);
  const quoted = Number(/at most ([0-9.]+)/.exec((await price.textContent())!)![1]);
  const held = await chain.tokens(account);
  await page.getByTestId("send-gas-token-transaction").click();
  const paid = (await manager.hash("send-gas-token-transaction-hash")) as Hex;
  const charged = held - (await chain.tokens(account));
  expect(charged).toBeGreaterThan(0n);
  expect(Number(charged) / 1e6).toBeLessThanOrEqual(quoted);
  // Taken in advance, and the rest given back.
  const moved = (await chain.tokenTransfers(paid)).reduce((sum, { from, value }) => sum + (from === account ? value : -value), 0n);
  expect(moved).toBe(charged);
  expect(await chain.nfts(account)).toBe(3n);

  // Whoever looks the account up is not told that it had none.
  await manager.open(`/sessions?account=${account}`);
  await expect(page.getByTestId("smart-sessions")).toHaveAttribute("data-count", "1");
  await expect(page.getByTestId("sessions-empty")).toHaveCount(0);

  // A key that nodes share: granted, used, and on the chain.
  await manager.open("/hooks/use_create_session_with_distributed_key");
  await page.getByTestId("create-distributed-session").click();
  await page.getByTestId("grant-confirm").click();
  await manager.hash("create-distributed-session-hash");
  await manager.open("/hooks/use_session_with_distributed_key");
  await page.getByTestId("use-distributed-session").click();
  await manager.hash("use-distributed-session-hash");
  expect(await chain.nfts(account)).toBe(4n);
});

test("sessions of a Nexus account go to another device, whichever kind is shown there", async ({ manager, page, chain, wallet, browser }) => {
  test.setTimeout(120_000);
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const v2 = await manager.account();
  const account = await choose(manager, "nexus", v2);
  await page.getByTestId("session-label").fill("Travels");
  await manager.grantAndWait();
  await manager.open("/sessions");
  const passphrase = "correct horse battery";
  for (const id of ["export-passphrase", "export-passphrase-again"]) await page.getByTestId(id).fill(passphrase);
  await page.getByTestId("export-sessions").click();
  await expect(page.getByTestId("exported")).toBeVisible();
  const text = (await page.getByTestId("exported").getAttribute("data-value")) ?? "";
  expect(JSON.parse(text).header).toMatchObject({ version: 2, account: account.toLowerCase() });

  const context = await browser.newContext();
  const there = await context.newPage();
  await wallet.install(there);
  const other = new Manager(there, manager.url);
  await other.open("/sessions");
  await other.connect(TestWallet.rdns);
  expect(await other.account()).toBe(v2);
  await there.getByTestId("import-text").fill(text);
  await there.getByTestId("import-passphrase").fill(passphrase);
  await there.getByTestId("import-sessions").click();
  const result = there.getByTestId("import-result");
  await expect(result).toContainText("1 session came in, with 1 key.");
  await expect(result).toContainText("1 session of the account can be used here now");
  await expect(result).toContainText(`They belong to the Nexus account ${account}`);
  await there.getByTestId("disconnect-wallet").click();
  await other.open();
  expect(await choose(other, "nexus", v2)).toBe(account);
  await expect(other.rows("ACTIVE")).toHaveCount(1);
  await expect(other.rows()).toContainText("Travels");
  await other.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
  await context.close();
});

test("what the page knows of moves from V2 to the owner's Nexus account, in one operation", async ({ manager, page, chain, wallet }) => {
  test.setTimeout(90_000);
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const v2 = await manager.account();
  await chain.client.setBalance({ address: v2, value: 10n ** 18n });
  await chain.mintTokens(v2, 7_000_000n);
  await manager.open("/sessions");
  await page.getByTestId("move-review").click();
  const dialog = page.getByTestId("move-dialog");
  await expect(dialog.getByTestId("move-amounts")).toContainText("7 DUSD");
  await expect(dialog.getByTestId("move-amounts")).toContainText("1 ETH");
  await expect(dialog).toContainText("What stays: collectibles");
  const target = (await dialog.getByTestId("move-target").locator("[data-value]").getAttribute("data-value")) as Address;
  await page.getByTestId("move-confirm").click();
  await manager.hash("move-hash");
  await page.getByTestId("show-nexus").click();
  await expect(page.getByTestId("smart-account-address")).toHaveAttribute("data-value", target);
  expect(await manager.account()).toBe(target);
  expect(await chain.tokens(target)).toBe(7_000_000n);
  expect(await chain.client.getBalance({ address: target })).toBe(10n ** 18n);
  expect(await chain.client.getBalance({ address: v2 })).toBe(0n);
  // Nothing is offered where there is nothing to move to.
  await expect(page.getByTestId("move-to-nexus")).toHaveCount(0);
  expect(wallet.asked.filter((method) => method === "personal_sign").length).toBeGreaterThan(0);
});
