import type { Locator } from "@playwright/test";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const names = { Arabic: "مرحبا ١٢٣ (mint)", Hebrew: "שלום 123 – mint!", mixed: "Pay 5 שקל (ILS) 7" };
const RIGHT_TO_LEFT = /[\u0590-\u08ff\u202a-\u202e\u2066-\u2069]/;

const box = async (part: Locator) => (await part.boundingBox())!;

/** The parts of a row stand where they stand with a name in Latin letters. */
async function geometry(row: Locator) {
  const [whole, title, badge, what, action] = await Promise.all([row, row.locator(".title"), row.locator(".badge"), row.locator(".what"), row.getByTestId("revoke-session")].map(box));
  // Where the letters are, not only their box.
  const letters = await row.locator(".title").evaluate((title) => {
    const range = document.createRange();
    range.selectNodeContents(title);
    return range.getBoundingClientRect().x;
  });
  return {
    title: Math.round(letters - whole.x), badge: badge.x > title.x, badgeEnds: Math.round(badge.x + badge.width - whole.x),
    what: Math.round(what.x - whole.x), order: [title.y <= badge.y + badge.height, title.y < what.y], action: Math.round(action.x + action.width - whole.x),
  };
}

test("right-to-left names keep their place in rows, in the review, and out of what is signed", async ({ manager, page, wallet }) => {
  test.slow();
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await page.getByTestId("session-label").fill("Latin letters");
  await manager.grantAndWait();
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  const expected = await geometry(manager.rows("ACTIVE").first());
  for (const [script, name] of Object.entries(names)) {
    await page.getByTestId("session-label").fill(name);
    await page.getByTestId("create-session").click();
    const review = page.getByTestId("grant-review");
    const summary = review.locator("#review-summary");
    await expect(summary.locator("strong")).toHaveText(name);
    // The sentence around it reads on in its order: before the name, the name, after the name.
    const places = await summary.evaluate((text) => {
      const strong = text.querySelector("strong")!;
      const rect = (node: Node, end: boolean) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        const rects = [...range.getClientRects()];
        return rects[end ? rects.length - 1 : 0];
      };
      const own = rect(strong, false);
      const [before, after] = [rect(strong.previousSibling!, true), rect(strong.nextSibling!, false)];
      return { before: before.right <= own.left + 1 || before.top < own.top - 4, after: after.left >= rect(strong, true).right - 1 || after.top > own.top + 4 };
    });
    expect(places, script).toEqual({ before: true, after: true });
    await page.getByTestId("grant-confirm").click();
    const row = manager.rows("ACTIVE").filter({ hasText: name });
    await expect(row).toHaveCount(1);
    expect(await geometry(row), script).toEqual(expected);
    expect(await row.getByTestId("revoke-session").getAttribute("aria-label"), script).toContain(name);
  }
  // A name is for the list only: what wallets show holds none of it.
  expect(JSON.stringify(wallet.typedData)).not.toMatch(RIGHT_TO_LEFT);

  await page.setViewportSize({ width: 360, height: 740 });
  await manager.open("/sessions");
  await expect(manager.rows("ACTIVE")).toHaveCount(4);
  const latin = await geometry(manager.rows("ACTIVE").filter({ hasText: "Latin letters" }));
  for (const [script, name] of Object.entries(names)) {
    expect(await geometry(manager.rows("ACTIVE").filter({ hasText: name })), script).toEqual(latin);
  }
});

test("a wallet's right-to-left name keeps its place in the menu", async ({ page, wallet, pageErrors: _ }) => {
  wallet.info = { ...wallet.info, name: "ארנק 7 (test)" };
  await wallet.install(page);
  const manager = new Manager(page, process.env.USE_AA_URL!);
  await manager.open();
  await page.getByTestId("connect-wallet").click();
  const options = page.locator(".wallet-option");
  await expect(options.filter({ hasText: wallet.info.name })).toBeVisible();
  const starts = await options.locator("strong").evaluateAll((all) => all.map((strong) => {
    const range = document.createRange();
    range.selectNodeContents(strong);
    return Math.round(range.getBoundingClientRect().x);
  }));
  expect(new Set(starts).size).toBe(1);
});
