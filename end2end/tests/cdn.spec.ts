import { Cdn } from "../fixtures/cdn.ts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

test("a page whose comments and blanks a CDN removed grants, uses and lists", async ({ page, wallet, chain, pageErrors: _ }) => {
  const cdn = await Cdn.before(process.env.USE_AA_URL!);
  const complaints: string[] = [];
  page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
  await wallet.install(page);
  const manager = new Manager(page, cdn.url);
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  const granted = await manager.grantAndWait();
  await manager.useAndWait();
  expect(await chain.nfts(account)).toBe(1n);
  await manager.open("/sessions");
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  await manager.open("/hooks/use_session");
  await expect(page.locator(".panel").first()).toBeVisible();
  // What the server renders goes on there, too.
  const operation = (await chain.operations(account)).find(({ transactionHash }) => transactionHash === granted)!;
  await manager.open(`/operations/${operation.userOpHash}`);
  await expect(page.getByTestId("user-op-status")).toHaveAttribute("data-status", "confirmed");
  expect(cdn.counts.comments, "there was something to remove").toBeGreaterThan(5);
  expect(complaints).toEqual([]);
  await cdn.close();
});
