import { Chain } from "../fixtures/chain.ts";
import { Starter } from "../fixtures/starter.ts";
import { expect, test } from "../fixtures/test.ts";

// The app that people copy, with its own server and page; nothing of ours is in it but what the crate offers.
test.describe("an app made from examples/starter", () => {
  let starter: Starter;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    starter = await Starter.start();
  });
  test.afterAll(() => starter?.stop());

  test("connects, grants after a review, mints by the session, and says why not", async ({ page, pageErrors: _ }) => {
    const step = (name: string) => page.locator("section", { has: page.getByRole("heading", { name }) });
    const hash = /^0x[0-9a-f]{64}$/;
    await page.goto(starter.url);
    await page.getByRole("button", { name: "Lab wallet" }).click();
    const shown = step("Connect").locator("code");
    await expect(shown).toHaveText(/^0x[0-9a-fA-F]{40}$/);
    const account = (await shown.textContent()) as `0x${string}`;
    const chain = new Chain(starter.lab.rpcUrl);
    const before = await chain.nfts(account);
    await expect(page.getByRole("button", { name: "Mint" })).toBeDisabled();

    // Refused in the review: nothing is granted.
    const review = page.getByRole("dialog");
    await page.getByRole("button", { name: "Review and grant" }).click();
    await expect(review).toContainText("safeMint");
    await review.getByRole("button", { name: "Cancel" }).click();
    await expect(review).toBeHidden();
    expect(await chain.operations(account)).toEqual([]);

    await page.getByRole("button", { name: "Review and grant" }).click();
    await review.getByRole("button", { name: "Sign and grant" }).click();
    await expect(step("Grant").locator("[role=status]")).toHaveText("confirmed");
    await expect(step("Grant").locator("output")).toHaveText(hash);

    await page.getByRole("button", { name: "Mint" }).click();
    await expect(step("Mint").locator("[role=status]")).toHaveText("confirmed");
    const minted = await step("Mint").locator("output").textContent();
    expect(minted).toMatch(hash);
    expect(await chain.nfts(account)).toBe(before + 1n);
    const operation = (await chain.operations(account)).find(({ transactionHash }) => transactionHash === minted);
    expect(operation?.success).toBe(true);

    // Left in mid-wait, it goes on when the page is back.
    await chain.client.setAutomine(false);
    await page.getByRole("button", { name: "Mint" }).click();
    await expect(step("Mint").locator("[role=status]")).toHaveText(/submitted|bundled/);
    await page.reload();
    await expect(step("Mint").locator("[role=status]")).toHaveText(/submitted|bundled/);
    await chain.client.setAutomine(true);
    await chain.client.mine({ blocks: 1 });
    await expect(step("Mint").locator("[role=status]")).toHaveText("confirmed");
    expect(await chain.nfts(account)).toBe(before + 2n);

    // What fails is said in words.
    await page.route("**/api/fn/**", (route) => route.abort());
    await page.getByRole("button", { name: "Mint" }).click();
    await expect(step("Mint").getByRole("alert")).toHaveText(/\w+ \w+/);
    expect(await chain.nfts(account)).toBe(before + 2n);
  });
});
