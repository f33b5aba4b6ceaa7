import { expect, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const ZERO_ROOT = `0x${"0".repeat(64)}`;
const NOBODY = "0x0000000000000000000000000000000000000000";

test("the lab wallet grants a session and the session alone mints, sponsored", async ({ manager, page, chain }) => {
  await manager.open();
  await manager.connect();
  const account = await manager.account();
  const before = await chain.nfts(account);

  const granted = await manager.grantAndWait();
  expect(await chain.sessionRoot(account)).not.toBe(ZERO_ROOT);
  await expect(manager.rows("ACTIVE").first()).toBeVisible();

  await page.getByTestId("disconnect-wallet").click();
  await expect(page.getByTestId("connect-wallet")).toBeVisible();
  const used = await manager.useAndWait();

  expect(await chain.nfts(account)).toBe(before + 1n);
  const operations = await chain.operations(account);
  for (const hash of [granted, used]) {
    const operation = operations.find(({ transactionHash }) => transactionHash === hash);
    expect(operation?.success).toBe(true);
    expect(operation?.paymaster).not.toBe(NOBODY);
  }
});

test("an injected EIP-6963 wallet does the same, asked to sign once", async ({ manager, chain, wallet }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await expect(manager.page.getByTestId("owner-address")).toHaveAttribute("data-value", wallet.account.address);
  await manager.grantAndWait();
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
  expect(wallet.asked.filter((method) => method === "personal_sign")).toHaveLength(1);
});

test("a second session leaves the first one working", async ({ manager, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  const root = await chain.sessionRoot(account);
  await manager.grant();
  await expect(manager.rows("ACTIVE")).toHaveCount(2);
  expect(await chain.sessionRoot(account)).not.toBe(root);
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
});

test("sessions and the account survive a reload", async ({ manager, page, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  await page.reload();
  expect(await manager.account()).toBe(account);
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
});

test("the session's private key is not stored in clear text", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = (await manager.account()).toLowerCase();
  await manager.grantAndWait();
  const stored = await page.evaluate((key) => localStorage.getItem(key), `${account}_signers`);
  const signers = Object.values(JSON.parse(stored ?? "{}")) as { pvKey: string; version?: unknown }[];
  expect(signers).toHaveLength(1);
  expect(signers[0].version).toBeTruthy();
  expect(signers[0].pvKey).not.toMatch(/^0x[0-9a-fA-F]{64}$/);
});
