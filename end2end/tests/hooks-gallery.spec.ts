import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Page } from "@playwright/test";
import { saveData } from "../bench/meter.mjs";
import { expect, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const demos = resolve(import.meta.dirname, "../../src/demos");
const components = resolve(import.meta.dirname, "../../examples/hooks");
/** What stands on a hook's page, in this order. */
const ORDER = ["The shortest whole component", "What it does", "Options", "Returned", "Try it", "Source of this demo"];
/** The listing of the shortest component. */
const shortest = (page: Page) => page.locator("figure", { hasText: /^Leptos, use-aa/ });
/** The hooks that the list links to. */
const hooksOf = (page: Page) =>
  page.locator("#hook-list a").evaluateAll((links) => links.map((link) => link.getAttribute("href")!.split("/").pop()!));
const sideways = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("every demo file is shown whole, with its hook's options and returned fields", async ({ page }) => {
    test.slow(); // one page after the other
    const url = process.env.USE_AA_URL!;
    await page.goto(`${url}/hooks`);
    const hooks = await hooksOf(page);
    expect(hooks.length).toBeGreaterThan(5);
    const shown = [];
    for (const hook of hooks) {
      const answer = await page.goto(`${url}/hooks/${hook}`);
      expect(answer!.status()).toBe(200);
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(hook);
      const source = page.locator("figure", { hasText: /^src\/demos\/\w+\.rs/ });
      const file = (await source.locator("figcaption").innerText()).split("/").pop()!.trim();
      expect(await source.locator("code").textContent()).toBe(readFileSync(resolve(demos, file), "utf8"));
      shown.push(file);
      expect(await shortest(page).locator("code").textContent()).toBe(readFileSync(resolve(components, `${hook}.rs`), "utf8"));
      const headings = await page.locator(".hook h2").allInnerTexts();
      expect(headings).toEqual(ORDER.filter((title) => title !== "Options" || headings.includes(title)));
      await expect(page.getByRole("heading", { name: "Returned" })).toBeVisible();
      await expect(page.locator("#returned ~ .type dt").first()).toBeVisible();
      await expect(page.getByRole("note").first()).toContainText("JavaScript is switched off");
      await expect(page.locator(".copy").first()).toBeHidden();
    }
    const files = readdirSync(demos).filter((file) => !["mod.rs", "documentation.rs", "parts.rs", "parts"].includes(file));
    expect(shown.sort()).toEqual(files.sort());
  });

  test("the list is filtered by the server", async ({ page }) => {
    await page.goto(`${process.env.USE_AA_URL}/hooks`);
    await page.getByRole("searchbox").fill("useSession");
    await page.getByRole("button", { name: "Filter" }).click();
    await expect(page.locator("#hook-list li").filter({ visible: true }).first()).toContainText("use_session");
    await expect(page.getByRole("link", { name: "use_smart_account" })).toBeHidden();
    await expect(page.getByRole("heading", { name: "The account" })).toBeHidden();
  });
});

test("typing filters at once, also from the keyboard alone", async ({ manager, page }) => {
  await manager.open("/hooks");
  const field = page.getByRole("searchbox");
  await field.focus();
  await expect(async () => {
    await field.fill("");
    await page.keyboard.type("create session");
    await expect(page.getByRole("status")).toHaveText(/^\d+ hooks?$/, { timeout: 500 });
  }).toPass();
  await expect(page.getByRole("link", { name: "use_smart_account" })).toBeHidden();
  await expect(page.getByRole("link", { name: "use_create_session", exact: true })).toBeVisible();
  await field.fill("no such hook");
  await expect(page.getByRole("status")).toContainText("No hook matches");
  await field.fill("useUserOpWait");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "use_user_op_wait" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/hooks\/use_user_op_wait$/);
});

test("a page of the gallery loads no demo until a wallet is wanted", async ({ manager, page, context }) => {
  await saveData(context);
  const chunks: string[] = [];
  page.on("request", (request) => void (/\/split_[^/]*\.wasm$/.test(request.url()) && chunks.push(request.url())));
  for (const path of ["/hooks", "/hooks/use_session"]) {
    await manager.open(path);
    await expect(page.getByTestId("connect-wallet")).toBeEnabled();
    await page.waitForLoadState("networkidle");
  }
  expect(chunks).toEqual([]);
  // With an account there is something to show.
  await manager.connect(TestWallet.rdns);
  await expect(page.getByTestId("use-session")).toBeVisible();
});

test("grant in one page of the gallery, use it in the next", async ({ manager, page, chain }) => {
  await manager.open("/hooks/use_create_session");
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  await page.getByRole("link", { name: /^Next/ }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("use_session");
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
  expect((await chain.operations(account)).map(({ success }) => success)).toEqual([true, true]);
});

test("the account's demo tells when the account gets onto the chain", async ({ manager, page, chain }) => {
  await manager.open("/hooks/use_smart_account");
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await expect(page.getByTestId("is-deployed")).toContainText("not yet");
  expect(await chain.client.getCode({ address: account })).toBeUndefined();
  await expect(page.getByTestId("demo-smart-account").locator("[data-value]")).toHaveAttribute("data-value", account);
});

test("the source can be copied", async ({ manager, page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await manager.open("/hooks/use_session");
  const source = page.locator("figure", { hasText: /^src\/demos\/session\.rs/ });
  await expect(async () => {
    await source.getByRole("button").click();
    await expect(source.getByRole("button", { name: "Copied" })).toBeVisible({ timeout: 500 });
  }).toPass();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(readFileSync(resolve(demos, "session.rs"), "utf8"));
});

test("the shortest component is copied from the keyboard, and said to be", async ({ manager, page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await manager.open("/hooks/use_create_session");
  const copy = shortest(page).getByRole("button");
  await expect(async () => {
    await copy.focus();
    await page.keyboard.press("Enter");
    await expect(shortest(page).locator("[aria-live]")).toHaveText("Copied", { timeout: 500 });
  }).toPass();
  await expect(copy).toBeFocused();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(readFileSync(resolve(components, "use_create_session.rs"), "utf8"));
  await expect(shortest(page).locator("[aria-live]")).toBeEmpty();
});

for (const refusal of ["refuses", "has no clipboard"] as const) {
  test(`a browser that ${refusal} is not said to have copied`, async ({ manager, page }) => {
    await page.addInitScript((refusal) => {
      const clipboard = { writeText: () => Promise.reject(new DOMException("no", "NotAllowedError")) };
      const value = refusal === "refuses" ? clipboard : undefined;
      Object.defineProperty(navigator, "clipboard", { value, configurable: true });
    }, refusal);
    await manager.open("/hooks/use_create_session");
    await expect(async () => {
      await shortest(page).getByRole("button").click();
      await expect(shortest(page).getByText("Not copied")).toBeVisible({ timeout: 500 });
    }).toPass();
    await expect(shortest(page).getByRole("button", { name: "Copied" })).toHaveCount(0);
  });
}

test("React stands beside the component where there is room, below it where there is none", async ({ manager, page }) => {
  await page.setViewportSize({ width: 1280, height: 900 });
  await manager.open("/hooks/use_create_session");
  const place = async (caption: RegExp) => (await page.locator("figure", { hasText: caption }).boundingBox())!;
  const [leptos, react] = [await place(/^Leptos/), await place(/^React/)];
  expect(react.y).toBe(leptos.y);
  expect(react.x).toBeGreaterThan(leptos.x + leptos.width - 1);
  await page.setViewportSize({ width: 390, height: 900 });
  const [above, below] = [await place(/^Leptos/), await place(/^React/)];
  expect(below.x).toBe(above.x);
  expect(below.y).toBeGreaterThan(above.y + above.height - 1);
  await manager.open("/hooks/use_revoke_sessions");
  await expect(page.locator("figure", { hasText: /^React/ })).toHaveCount(0);
});

test("a name that is none leads to the nearest", async ({ manager, page }) => {
  const answer = await page.goto(`${manager.url}/hooks/useCreateSession`);
  expect(answer!.status()).toBe(404);
  await page.getByTestId("nearest").click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("use_create_session");
  expect((await page.goto(`${manager.url}/hooks/%3Cscript%3E`))!.status()).toBe(404);
});

for (const scheme of ["light", "dark"] as const) {
  test(`nothing scrolls sideways at 320 pixels, and code has contrast (${scheme})`, async ({ manager, page }) => {
    test.slow();
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width: 320, height: 720 });
    await manager.open("/hooks");
    expect(await sideways(page)).toBe(0);
    const hooks = await hooksOf(page);
    for (const hook of hooks) {
      await manager.open(`/hooks/${hook}`);
      expect(await sideways(page), hook).toBe(0);
    }
    const worst = await page.evaluate(() => {
      const luminance = (color: string) => {
        const [r, g, b] = color.match(/[\d.]+/g)!.slice(0, 3).map((part) => {
          const value = Number(part) / 255;
          return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = luminance(getComputedStyle(document.querySelector(".listing")!).backgroundColor);
      const contrasts = [...document.querySelectorAll(".code span")].map((span) => {
        const ink = luminance(getComputedStyle(span).color);
        return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
      });
      return Math.min(...contrasts);
    });
    expect(worst).toBeGreaterThan(4.5);
  });
}
