import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";
import { meter, saveData } from "../bench/meter.mjs";

type Fetched = { bytes: number; files: number; names: string[] };
type Budget = { bytes: number; files?: number };
const root = join(import.meta.dirname, "../..");
const budgets = JSON.parse(readFileSync(join(root, "end2end/budgets.json"), "utf8"));

function within(milestone: string, fetched: Fetched, budget: Budget) {
  console.log(`${milestone}: ${(fetched.bytes / 1000).toFixed(1)} kB, ${fetched.files} files`);
  expect(fetched.bytes, `${milestone}: bytes; fetched ${fetched.names.join(" ")}`).toBeLessThanOrEqual(budget.bytes);
  expect(fetched.files, `${milestone}: ${fetched.names.join(" ")}`).toBeLessThanOrEqual(budget.files ?? Infinity);
}

test("a visit that saves data fetches no more than its budget, milestone by milestone", async ({ manager, page, context }) => {
  const budget: Record<string, Budget> = budgets["saving data"];
  await saveData(context);
  const fetched = await meter(page);
  const reached = async (milestone: string) => {
    await page.waitForLoadState("networkidle");
    within(milestone, fetched(), budget[milestone]!);
  };
  await manager.open();
  await expect(page.getByTestId("connect-wallet")).toBeEnabled();
  await reached("first view");
  await manager.connect(TestWallet.rdns);
  await manager.account();
  await reached("connected");
  await manager.grantAndWait();
  await reached("granted");
  await manager.useAndWait();
  await reached("used");
});

test("a page that is left alone fetches ahead, within its budget", async ({ manager, page }) => {
  const fetched = await meter(page);
  await manager.open();
  await expect(page.getByTestId("connect-wallet")).toBeEnabled();
  await expect.poll(() => fetched().names.some((name) => name.includes("split_wallets")), { timeout: 10_000 }).toBe(true);
  await page.waitForTimeout(10_000);
  within("left alone for ten seconds", fetched(), budgets["left alone for ten seconds"]);
});

test("all that the page can do fits into its budget", async ({ manager, page }) => {
  const fetched = await meter(page);
  await manager.open();
  const { files } = JSON.parse(readFileSync(join(root, "target/site/page.json"), "utf8"));
  const all = files.filter((file: string) => file.startsWith("/pkg/") && !/\.(br|gz|json)$/.test(file));
  // Of the account kinds one is counted: who has an account of one kind loads nothing of the other.
  const code = all.filter((file: string) => !file.includes("split_nexus"));
  expect(code.length).toBeGreaterThan(5);
  expect(all.length).toBe(code.length + 2);
  await page.evaluate(async (code) => {
    for (const file of code) await fetch(file, { cache: "force-cache" }).then((answer) => answer.arrayBuffer());
  }, code as string[]);
  within("everything", fetched(), budgets.everything);
});
