import type { Page } from "@playwright/test";
import { addStyle } from "../fixtures/accessibility.ts";
import { differences } from "../fixtures/look.ts";
import { expect, type Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

type Scene = (parts: { manager: Manager; page: Page }) => Promise<void>;

/** What is looked at, and how one gets there. */
const scenes: Record<string, Scene> = {
  first: async ({ manager, page }) => {
    await manager.open();
    await expect(page.getByTestId("connect-wallet")).toBeEnabled();
  },
  wallets: async ({ manager, page }) => {
    await manager.open();
    await page.getByTestId("connect-wallet").click();
    await expect(page.getByTestId("wallet-option-lab")).toBeVisible();
  },
  granted: async ({ manager, page }) => {
    await manager.open();
    await manager.connect(TestWallet.rdns);
    await manager.grantAndWait();
    await manager.useAndWait();
    await expect(manager.rows("ACTIVE")).toHaveCount(1);
    await expect(page.getByTestId("session-uses").first()).toBeVisible();
    await page.mouse.move(0, 0);
  },
  sessions: async ({ manager, page }) => {
    await manager.open();
    await manager.connect(TestWallet.rdns);
    await manager.grantAndWait();
    await manager.open("/sessions");
    await expect(manager.rows("ACTIVE")).toHaveCount(1);
    await expect(page.getByTestId("session-uses").first()).toBeVisible();
  },
  review: async ({ manager, page }) => {
    await manager.open();
    await manager.connect(TestWallet.rdns);
    await page.getByTestId("create-session").click();
    await expect(page.getByTestId("grant-confirm")).toBeEnabled();
    await expect(page.getByTestId("grant-at-stake")).toContainText("Nothing");
  },
  hooks: async ({ manager, page }) => {
    await manager.open("/hooks");
    await expect(page.getByRole("link", { name: "use_smart_account" })).toBeVisible();
  },
  hook: async ({ manager, page }) => {
    await manager.open("/hooks/use_smart_account");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("use_smart_account");
    await expect(page.locator("main .actions button").first()).toBeEnabled();
  },
};

for (const [name, scene] of Object.entries(scenes)) {
  for (const scheme of ["light", "dark"] as const) {
    for (const width of [1280, 390]) {
      test(`${name} looks as it did, ${scheme}, ${width} wide`, async ({ manager, page }) => {
        await page.setViewportSize({ width, height: 900 });
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
        await scene({ manager, page });
        if (process.env.LOOK_SHOTS) await page.screenshot({ path: `${process.env.LOOK_SHOTS}/${name}-${scheme}-${width}.png`, fullPage: true });
        expect(await differences(page, `${name}-${scheme}-${width}`)).toEqual([]);
      });
    }
  }
}

test("a visual break shows: colours, places and sizes are compared, other fonts are not", async ({ manager, page }) => {
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await scenes.first({ manager, page });
  const with_ = async (css: string) => {
    const back = await addStyle(page, css);
    const found = await differences(page, "first-light-1280");
    await back();
    return found;
  };
  test.skip(!!process.env.LOOK_UPDATE, "writes pictures");
  expect(await with_("")).toEqual([]);
  expect(await with_("body { font-family: serif !important; }")).toEqual([]);
  for (const broken of [
    ".button { background: #c00 !important; }", ".step { display: block !important; }", ".columns { display: block !important; }",
    ".site-header { background: #15201d !important; }", "main { max-inline-size: none !important; }",
  ]) {
    expect.soft(await with_(broken), broken).not.toEqual([]);
  }
});
