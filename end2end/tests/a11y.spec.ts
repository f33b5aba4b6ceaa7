import type { Page } from "@playwright/test";
import { addStyle, sideways, violations } from "../fixtures/accessibility.ts";
import { expect, type Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const schemes = ["light", "dark"] as const;
/** From the smallest phone to 4K. */
const widths = [320, 390, 768, 1280, 1920, 3840];

async function hookPages(page: Page): Promise<string[]> {
  await page.goto(`${process.env.USE_AA_URL}/hooks`);
  const links = await page.locator("#hook-list a").evaluateAll((all) => all.map((link) => link.getAttribute("href")!));
  expect(links.length).toBeGreaterThan(10);
  return links;
}

async function granted({ manager }: { manager: Manager }): Promise<void> {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await manager.grantAndWait();
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
}

test("axe sees a fault that is there", async ({ page }) => {
  await page.goto(process.env.USE_AA_URL!);
  await addStyle(page, ".lead { color: #ccc !important; background: #fff; }");
  expect((await violations(page)).join()).toContain("color-contrast");
});

for (const colorScheme of schemes) {
  test.describe(`axe finds nothing serious, ${colorScheme}`, () => {
    test.use({ colorScheme });

    test("on a first visit, and with the wallets open", async ({ manager, page }) => {
      await manager.open();
      await expect(page.getByTestId("connect-wallet")).toBeEnabled();
      expect(await violations(page)).toEqual([]);
      await page.getByTestId("connect-wallet").click();
      await expect(page.getByTestId("wallet-option-lab")).toBeVisible();
      expect(await violations(page)).toEqual([]);
    });

    test("with a session, its review, and the question before forgetting", async ({ manager, page }) => {
      test.slow();
      await granted({ manager });
      await manager.useAndWait();
      expect(await violations(page)).toEqual([]);
      await page.getByTestId("create-session").click();
      await expect(page.getByTestId("grant-confirm")).toBeEnabled();
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await manager.open("/sessions");
      await expect(manager.rows("ACTIVE")).toHaveCount(1);
      expect(await violations(page)).toEqual([]);
      await page.getByTestId("revoke-session").first().click();
      await expect(page.getByTestId("session-change")).toBeVisible();
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await page.getByTestId("forget-device").click();
      await expect(page.getByTestId("still-valid")).toBeVisible();
      expect(await violations(page)).toEqual([]);
    });

    test("where something failed", async ({ manager, page, wallet }) => {
      wallet.refuse = { code: 4001, message: "User rejected the request." };
      await manager.open("/sessions");
      await page.getByTestId("connect-wallet").click();
      await page.getByTestId(`wallet-option-${TestWallet.rdns}`).click();
      await expect(manager.error("WalletRejected").first()).toBeVisible();
      expect(await violations(page)).toEqual([]);
      wallet.refuse = undefined;
      wallet.chainId = 1;
      await page.getByTestId(`wallet-option-${TestWallet.rdns}`).click();
      await expect(manager.error("WrongChain").first()).toBeVisible();
      await page.getByTestId("import-text").fill("nonsense");
      await page.getByTestId("import-passphrase").fill("short");
      await page.getByTestId("import-sessions").click();
      await expect(manager.error("InvalidInput").first()).toBeVisible();
      expect(await violations(page)).toEqual([]);
    });

    test("in the gallery, and where there is no page", async ({ page }) => {
      test.setTimeout(240_000);
      const found: string[] = [];
      for (const path of ["/sessions", "/hooks", "/nowhere", ...(await hookPages(page))]) {
        await page.goto(process.env.USE_AA_URL! + path);
        await expect(page.getByTestId("connect-wallet")).toBeEnabled();
        found.push(...(await violations(page)).map((violation) => `${path}: ${violation}`));
      }
      expect(found).toEqual([]);
    });
  });
}

test("no page scrolls sideways, from 320 pixels to 4K", async ({ manager, page }) => {
  test.setTimeout(240_000);
  const wide: string[] = [];
  const check = async (what: string, at: number[]) => {
    for (const width of at) {
      await page.setViewportSize({ width, height: 900 });
      const pixels = await sideways(page);
      if (pixels > 0) wide.push(`${what} at ${width}: ${pixels} too wide`);
    }
  };
  for (const path of ["/hooks", "/nowhere", ...(await hookPages(page))]) {
    await manager.open(path);
    await check(path, [320, 3840]);
  }
  await manager.open();
  await check("/ at first", widths);
  await granted({ manager });
  await check("/ with a session", widths);
  await page.getByTestId("create-session").click();
  await check("the review", widths);
  await manager.open("/sessions");
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  await page.getByTestId("export-passphrase").fill("correct horse battery staple");
  await page.getByTestId("export-passphrase-again").fill("correct horse battery staple");
  await page.getByTestId("export-sessions").click();
  await expect(page.getByTestId("exported")).toBeVisible();
  await check("/sessions", widths);
  await page.getByTestId("revoke-session").first().click();
  await check("the question before revoking", widths);
  expect(wide).toEqual([]);
});

test("the review fits a window of 320 by 480 and its buttons stay in reach", async ({ manager, page }) => {
  await page.setViewportSize({ width: 320, height: 480 });
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await page.getByTestId("create-session").click();
  await expect(page.getByTestId("grant-confirm")).toBeInViewport({ ratio: 1 });
  await expect(page.getByTestId("grant-cancel")).toBeInViewport({ ratio: 1 });
  const inside = await page.getByTestId("grant-review").evaluate((dialog) => dialog.scrollWidth - dialog.clientWidth);
  expect(inside).toBe(0);
});

for (const reducedMotion of ["reduce", "no-preference"] as const) {
  test(`motion is ${reducedMotion === "reduce" ? "left out for those who want none" : "there for the others"}`, async ({ manager, page }) => {
    await page.emulateMedia({ reducedMotion });
    await manager.open();
    await manager.connect(TestWallet.rdns);
    let go = () => {};
    const held = new Promise<void>((done) => (go = done));
    await page.route("**/api/fn/send_user_operation", async (route) => {
      await held;
      await route.continue();
    });
    await manager.grant();
    // The step that is under way pulses.
    const now = page.locator('.stepper[data-busy="true"] li[data-state="now"]').first();
    await expect(now).toBeVisible();
    // The steps before the answer go by quickly.
    await expect.poll(() => now.evaluate((step) => getComputedStyle(step, "::before").animationName)).toBe(reducedMotion === "reduce" ? "none" : "pulse");
    const motion = await now.evaluate((step) => getComputedStyle(step, "::before").animationName);
    const running = await page.evaluate(() => document.getAnimations().filter((animation) => animation.playState === "running").length);
    const transitions = await page.evaluate(() => [...document.querySelectorAll("*")].filter((element) => !/^(all|none) ?0?s?$/.test(getComputedStyle(element).transition) && parseFloat(getComputedStyle(element).transitionDuration) > 0).length);
    if (reducedMotion === "reduce") {
      expect({ motion, running, transitions }).toEqual({ motion: "none", running: 0, transitions: 0 });
    } else {
      await expect.poll(() => page.evaluate(() => document.getAnimations().length)).toBeGreaterThan(0);
    }
    go();
    await manager.hash("create-session-hash");
  });
}
