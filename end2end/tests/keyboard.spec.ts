import { setMerkleRoot } from "../bench/chain.mjs";
import { storedSessions } from "../bench/leaves.mjs";
import type { Locator, Page } from "@playwright/test";
import { expect, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const ZERO_ROOT = `0x${"0".repeat(64)}`;

/** What has the focus: its name in the tests or its text, where it is, and whether one sees it. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement as HTMLElement;
    const style = getComputedStyle(element);
    const { x, y, width, height } = element.getBoundingClientRect();
    return {
      name: element.dataset.testid ?? element.id ?? element.textContent!.trim(),
      tag: element.tagName.toLowerCase(),
      outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
      inWindow: x + width > 0 && y + height > 0 && x < innerWidth && y < innerHeight,
      top: y + scrollY,
    };
  });

/** Presses Tab until `target` has the focus, and looks at every stop on the way. Gives the stops. */
async function tabTo(page: Page, target: Locator, key: "Tab" | "Shift+Tab" = "Tab"): Promise<string[]> {
  const stops: string[] = [];
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press(key);
    const stop = await focused(page);
    // Between the last element and the first the browser itself has the focus.
    if (stop.tag === "body") continue;
    expect(stop, `the focus is seen on ${stop.name}`).toMatchObject({ outlined: true, inWindow: true });
    // A field for a time has a stop for each of its parts.
    if (stops.at(-1) !== stop.name) stops.push(stop.name);
    if (await target.evaluate((element) => element === document.activeElement)) return stops;
  }
  throw new Error(`not reached by ${key}: ${stops.join(", ")}`);
}

/** These stops were made in this order, others between them or not. */
function inOrder(stops: string[], expected: string[]): void {
  expect(stops.filter((stop) => expected.includes(stop))).toEqual(expected);
}

test("from the first visit to a revoked session without a mouse", async ({ manager, page, chain, wallet }) => {
  test.slow();
  const byId = (id: string) => page.getByTestId(id);
  await manager.open();
  await expect(byId("connect-wallet")).toBeEnabled();

  // The first stop leaves the header out.
  await page.keyboard.press("Tab");
  await expect(page.locator(".skip-link")).toBeFocused();
  await expect(page.locator(".skip-link")).toBeInViewport({ ratio: 1 });
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/#main$/);
  await tabTo(page, byId("connect-wallet"), "Shift+Tab");

  // Connect. Esc closes the wallets and gives the focus back.
  await page.keyboard.press("Enter");
  const option = byId(`wallet-option-${TestWallet.rdns}`);
  await expect(option).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(option).toBeHidden();
  await expect(byId("connect-wallet")).toBeFocused();
  await page.keyboard.press("Enter");
  await tabTo(page, option);
  await page.keyboard.press("Enter");
  const account = await manager.account();

  // Grant: name, end, review; Esc refuses, the focus goes back to the button.
  await expect(byId("create-session")).toBeEnabled();
  inOrder(await tabTo(page, byId("create-session")), ["session-label", "session-end", "create-session"]);
  await page.keyboard.press("Enter");
  const review = byId("grant-review");
  await expect(review).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(review).toBeHidden();
  await expect(byId("create-session")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(review).toBeVisible();
  await expect(byId("grant-confirm")).toBeEnabled();
  // The focus begins inside the dialog, before the buttons, and stays in it.
  expect(await review.evaluate((dialog) => dialog.contains(document.activeElement))).toBe(true);
  inOrder(await tabTo(page, byId("grant-confirm")), ["grant-cancel", "grant-confirm"]);
  for (let presses = 0; presses < 8; presses++) {
    await page.keyboard.press("Tab");
    expect(await review.evaluate((dialog) => dialog.contains(document.activeElement) || document.activeElement === document.body)).toBe(true);
  }
  await tabTo(page, byId("grant-confirm"));
  await page.keyboard.press("Enter");
  await manager.hash("create-session-hash");
  await expect(byId("create-session")).toBeFocused();
  expect(await chain.sessionRoot(account)).not.toBe(ZERO_ROOT);

  // Use.
  await expect(byId("use-session")).toBeEnabled();
  inOrder(await tabTo(page, byId("use-session")), ["mint-recipient", "use-session"]);
  await page.keyboard.press("Enter");
  await manager.hash("use-session-hash");
  expect(await chain.nfts(account)).toBe(1n);

  // Take back, on the page of all sessions.
  await tabTo(page, page.getByRole("link", { name: "Sessions", exact: true }), "Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  await tabTo(page, byId("revoke-session").first());
  await page.keyboard.press("Enter");
  await expect(byId("session-change")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(byId("session-change")).toBeHidden();
  await expect(byId("revoke-session").first()).toBeFocused();
  await page.keyboard.press("Enter");
  await tabTo(page, byId("revoke-confirm"));
  await page.keyboard.press("Enter");
  await manager.hash("revoke-sessions-hash");
  expect(await chain.sessionRoot(account)).toBe(ZERO_ROOT);
  expect(wallet.asked.filter((method) => method === "personal_sign")).toHaveLength(2);
});

test("the stops follow the page from top to bottom", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await expect(page.getByTestId("create-session")).toBeEnabled();
  await page.locator("body").click({ position: { x: 5, y: 5 } });
  const main: number[] = [];
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const inMain = await page.evaluate(() => !!document.activeElement?.closest("main"));
    if (!inMain && main.length > 0) break;
    if (inMain) main.push((await focused(page)).top);
  }
  expect(main.length).toBeGreaterThan(8);
  // Things beside each other may differ by their height; nothing leads back up by more than a panel's row.
  for (let index = 1; index < main.length; index++) expect(main[index], `stop ${index}`).toBeGreaterThan(main[index - 1] - 420);
});

test("the focus stays on a row of a long list that is scrolled away, and goes on from there", async ({ manager, page, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait(); // deploys
  const { root, key, text } = storedSessions(account, 1_000);
  await setMerkleRoot(chain.rpcUrl, account, root);
  await page.evaluate(([key, text]) => localStorage.setItem(key, text), [key, text]);
  await manager.open("/sessions");
  await expect(page.getByTestId("session-count")).toHaveText("1000 sessions");
  const at = (place: number) => page.locator(`[data-testid="session-row"][aria-posinset="${place}"]`);
  const height = () => page.evaluate(() => document.documentElement.scrollHeight);
  // Compared with the chain: what can be taken back is known.
  await expect(at(10).getByTestId("revoke-session")).toBeEnabled();
  await at(10).getByTestId("revoke-session").focus();
  const before = await height();

  for (const share of [0.5, 1]) {
    await page.evaluate((share) => window.scrollTo(0, document.documentElement.scrollHeight * share), share);
    await expect(at(10)).not.toBeInViewport();
    await expect(at(Math.min(1_000 * share + 2, 995))).toBeVisible();
    await expect(at(10).getByTestId("revoke-session")).toBeFocused();
    expect(await manager.rows().count()).toBeLessThan(60);
    expect(Math.abs((await height()) - before)).toBeLessThan(before / 100);
  }
  await page.keyboard.press("Tab");
  await expect(at(11).getByTestId("select-session")).toBeFocused();
  await expect(at(11)).toBeInViewport();
  await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight / 2));
  await expect(at(11)).not.toBeInViewport();
  await page.keyboard.press("Shift+Tab");
  await expect(at(10).getByTestId("revoke-session")).toBeFocused();
  await expect(at(10)).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("session-change")).toBeVisible();
});
