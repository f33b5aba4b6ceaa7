import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const PASSPHRASE = "correct horse battery staple";
const ZERO_ROOT = `0x${"0".repeat(64)}`;

/** Names in local storage that begin with an account, and the number of keys in the vault. */
const stored = (page: Page) =>
  page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((done, fail) => {
      const opening = indexedDB.open("use_aa");
      opening.onsuccess = () => done(opening.result);
      opening.onerror = () => fail(opening.error);
    });
    const keys = !database.objectStoreNames.contains("keys")
      ? 0
      : await new Promise<number>((done, fail) => {
          const counting = database.transaction("keys").objectStore("keys").count();
          counting.onsuccess = () => done(counting.result);
          counting.onerror = () => fail(counting.error);
        });
    database.close();
    const names = Object.keys(localStorage);
    return { accounts: names.filter((name) => name.startsWith("0x")), remembered: names.filter((name) => /wallet|account$/.test(name)), keys };
  });

async function exportWith(page: Page, passphrase: string): Promise<string> {
  await page.getByTestId("export-passphrase").fill(passphrase);
  await page.getByTestId("export-passphrase-again").fill(passphrase);
  await page.getByTestId("export-sessions").click();
  const exported = page.getByTestId("exported");
  await expect(exported).toBeVisible();
  return (await exported.getAttribute("data-value")) ?? "";
}

test("a session moves to another device by file and passphrase and works there", async ({ manager, page, wallet, chain, browser }) => {
  test.slow();
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  await manager.open("/sessions");
  const text = await exportWith(page, PASSPHRASE);
  expect(text).toContain("AES-256-GCM");
  const downloading = page.waitForEvent("download");
  await page.getByTestId("download-export").click();
  const file = await (await downloading).path();
  expect(readFileSync(file, "utf8")).toBe(text);
  await expect(page.getByTestId("export-passphrase")).toHaveValue("");

  const other = await browser.newContext();
  const there = await other.newPage();
  await wallet.install(there);
  const second = new Manager(there, manager.url);
  await second.open();
  await second.connect(TestWallet.rdns);
  expect(await second.account()).toBe(account);
  await second.open("/sessions");
  await there.getByTestId("import-file").setInputFiles(file);
  await expect(there.getByTestId("import-text")).toHaveValue(text);
  await there.getByTestId("import-passphrase").fill("another horse altogether");
  await there.getByTestId("import-sessions").click();
  await expect(second.error("InvalidInput").first()).toContainText("passphrase");
  await expect(there.getByTestId("import-result")).toHaveCount(0);

  await there.getByTestId("import-passphrase").fill(PASSPHRASE);
  await there.getByTestId("import-sessions").click();
  const result = there.getByTestId("import-result");
  await expect(result).toHaveAttribute("data-usable", "1");
  await expect(result).toContainText("Compared with the chain: 1 session");
  await expect(there.getByTestId("import-passphrase")).toHaveValue("");
  // The key is encrypted there, too.
  expect(await stored(there)).toMatchObject({ keys: 1 });

  await there.getByTestId("import-text").fill(text);
  await there.getByTestId("import-passphrase").fill(PASSPHRASE);
  await there.getByTestId("import-sessions").click();
  await expect(result).toContainText("Nothing new");
  await there.getByTestId("disconnect-wallet").click();
  await second.open("/");
  await second.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
  await other.close();
});

test("the passphrase must be long enough and typed twice the same, and its strength is said", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await manager.grantAndWait();
  await manager.open("/sessions");
  const [first, again, strength, button] = ["export-passphrase", "export-passphrase-again", "passphrase-strength", "export-sessions"].map((id) => page.getByTestId(id));
  for (const [text, name] of [["short", "too-short"], ["aaaaaaaaaaaa", "weak"], ["correct horse", "fair"], [PASSPHRASE, "strong"]]) {
    await first.fill(text);
    await expect(strength).toHaveAttribute("data-strength", name);
  }
  await again.fill("correct horse battery stable");
  await expect(again).toHaveAttribute("aria-invalid", "true");
  await expect(button).toBeDisabled();
  await again.fill(PASSPHRASE);
  await expect(button).toBeEnabled();
  await first.fill("short");
  await again.fill("short");
  await expect(button).toBeDisabled();
});

test("something else than an export is refused in words", async ({ manager, page }) => {
  await manager.open("/sessions");
  await manager.connect(TestWallet.rdns);
  await page.getByTestId("import-text").fill('{"not":"ours"}');
  await page.getByTestId("import-passphrase").fill(PASSPHRASE);
  await page.getByTestId("import-sessions").click();
  await expect(manager.error("InvalidInput").first()).toContainText("exported");
});

test("forgetting this device removes all of it, revokes nothing, and says so first", async ({ manager, page, wallet, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  const root = await chain.sessionRoot(account);
  await manager.open("/sessions");
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  const before = await stored(page);
  expect(before.keys).toBe(1);
  expect(before.accounts).toContain(`${account.toLowerCase()}_signers`);

  await page.getByTestId("forget-device").click();
  await expect(page.getByTestId("still-valid")).toContainText("1 session stays valid");
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("forget-device")).toBeFocused();
  expect(await stored(page)).toEqual(before);

  const otherTab = await page.context().newPage();
  await otherTab.goto(page.url());
  await expect(otherTab.getByTestId("session-row")).toHaveCount(1);
  await page.getByTestId("forget-device").click();
  await page.getByTestId("forget-confirm").click();
  await expect(page.getByTestId("forgotten")).toBeVisible();
  await expect(manager.rows()).toHaveCount(0);
  // The other one shows it no more, and brings nothing back when the person comes to it.
  await expect(otherTab.getByTestId("session-row")).toHaveCount(0);
  await otherTab.evaluate(() => window.dispatchEvent(new Event("focus")));
  await otherTab.waitForLoadState("networkidle");
  expect(await stored(page)).toEqual({ accounts: [], remembered: [], keys: 0 });
  await otherTab.close();
  expect(await chain.sessionRoot(account)).toBe(root);
  wallet.asked.length = 0;
  await page.reload();
  await expect(page.getByTestId("connect-wallet")).toBeEnabled();
  await expect(page.getByTestId("smart-account-address")).toHaveCount(0);
  expect(wallet.asked).toEqual([]);

  // The vault is made anew.
  await manager.open("/");
  await manager.connect(TestWallet.rdns);
  await manager.grantAndWait();
  await manager.useAndWait();
  expect((await stored(page)).keys).toBe(1);
});

test("sessions can be revoked before the device is forgotten", async ({ manager, page, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  await manager.open("/sessions");
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  await page.getByTestId("forget-device").click();
  await page.getByTestId("forget-revoke").click();
  await manager.hash("forget-revoke-hash");
  expect(await chain.sessionRoot(account)).toBe(ZERO_ROOT);
  await expect(page.getByTestId("nothing-valid")).toBeVisible();
  await page.getByTestId("forget-confirm").click();
  await expect(page.getByTestId("forgotten")).toBeVisible();
});

test("clear-text keys of the JavaScript SDK are encrypted, and that is said once", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = (await manager.account()).toLowerCase();
  const keys = [generatePrivateKey(), generatePrivateKey()];
  const signers = Object.fromEntries(keys.map((pvKey) => {
    const { address } = privateKeyToAccount(pvKey);
    return [address.toLowerCase(), { pvKey, pbKey: address }];
  }));
  await page.evaluate(([name, value]) => localStorage.setItem(name, value), [`${account}_signers`, JSON.stringify(signers)]);
  await manager.open("/sessions");
  const notice = page.getByTestId("keys-taken-over");
  await expect(notice).toHaveAttribute("data-keys", "2");
  const kept = await page.evaluate((name) => localStorage.getItem(name) ?? "", `${account}_signers`);
  for (const address of Object.keys(signers)) expect(kept).toContain(address);
  for (const key of keys) expect(kept).not.toContain(key.slice(2));
  await notice.getByRole("button", { name: "Understood" }).click();
  await expect(notice).toHaveCount(0);
  await page.reload();
  await expect(page.getByTestId("custody")).toBeVisible();
  await expect(page.getByTestId("owner-address")).toBeVisible();
  await expect(notice).toHaveCount(0);
});

/** What a browser does that clears its databases: the names in local storage stay. */
async function loseTheVault(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/favicon.svg`);
  await page.evaluate(() => new Promise<void>((done, fail) => {
    const deleting = indexedDB.deleteDatabase("use_aa");
    deleting.onsuccess = () => done();
    deleting.onerror = deleting.onblocked = () => fail(new Error("not deleted"));
  }));
}

test("keys that the browser has deleted are said in the list, not offered first, and come back from a file", async ({ manager, page, chain }) => {
  test.slow();
  await page.addInitScript(() => {
    StorageManager.prototype.persist = async () => {
      sessionStorage.setItem("asked", String(Number(sessionStorage.getItem("asked")) + 1));
      return false;
    };
  });
  const asked = () => page.evaluate(() => Number(sessionStorage.getItem("asked")));
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  expect(await asked()).toBe(0);
  await manager.grantAndWait();
  expect(await asked()).toBe(1);
  await manager.open("/sessions");
  const old = (await manager.rows("ACTIVE").getAttribute("data-session-id"))!;
  const row = page.locator(`[data-session-id="${old}"]`);
  const gone = page.getByTestId("session-key-gone");
  const text = await exportWith(page, PASSPHRASE);
  // The keys are here, and nobody says otherwise.
  await expect(row).not.toHaveAttribute("data-key");
  await expect(gone).toHaveCount(0);
  await expect(page.getByTestId("custody-limits")).toContainText("seven days");

  await loseTheVault(page, manager.url);
  await manager.open("/sessions");
  await expect(row).toHaveAttribute("data-key", "gone");
  await expect(row).toHaveAttribute("data-status", "ACTIVE");
  await expect(row.locator(".badge")).toHaveText("Key is gone");
  await expect(gone).toContainText("Grant it again");
  await expect(row.getByTestId("revoke-session")).toBeEnabled();

  // Alone it is offered still, and using it says what is wrong.
  await manager.open();
  await expect(page.getByTestId("session-picker").locator("option")).toHaveAttribute("label", /key is gone/);
  await page.getByTestId("use-session").click();
  await expect(manager.error("Key").first()).toContainText("gone");

  // A new grant has a vault of its own, which does not open the old key.
  await manager.open();
  await manager.grantAndWait();
  expect(await asked()).toBe(1);
  await expect(manager.rows("ACTIVE")).toHaveCount(2);
  await expect(page.locator("[data-testid=session-row][data-key=gone]")).toHaveAttribute("data-session-id", old);
  await expect(page.getByTestId("session-picker").locator("option").last()).toHaveAttribute("value", old);
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
  await manager.open("/sessions");
  await expect(row).toHaveAttribute("data-key", "gone");
  await exportWith(page, PASSPHRASE);

  await page.getByTestId("import-text").fill(text);
  await page.getByTestId("import-passphrase").fill(PASSPHRASE);
  await page.getByTestId("import-sessions").click();
  await expect(row).not.toHaveAttribute("data-key");
  await expect(gone).toHaveCount(0);
  await manager.open();
  await page.getByTestId("session-picker").selectOption(old);
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(2n);
});
