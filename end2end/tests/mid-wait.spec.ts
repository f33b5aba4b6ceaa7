import { Chain } from "../fixtures/chain.ts";
import { Server } from "../fixtures/server.ts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

// A lab of its own whose blocks come every few seconds: time enough to reload in between.
test.describe("with slow blocks", () => {
  let server: Server;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    server = await Server.start({ env: { USE_AA_LAB_BLOCK_TIME: "4" } });
  });
  test.afterAll(() => server.stop());

  test("a reload in mid-wait loses nothing: the grant goes on to its end, then a use does", async ({ page, wallet, pageErrors: _ }) => {
    test.setTimeout(90_000);
    const chain = new Chain(server.rpcUrl);
    await wallet.install(page);
    const manager = new Manager(page, server.url);
    await manager.open();
    await manager.connect(TestWallet.rdns);
    const account = await manager.account();

    // Sent just before a block, it would be confirmed before anybody could see it wait.
    await chain.nextBlock();
    await manager.grant();
    await expect(manager.rows("PENDING")).toHaveCount(1);
    await expect(page.locator('[data-testid="user-op-status"][data-status="submitted"], [data-testid="user-op-status"][data-status="bundled"]').first()).toBeVisible();
    await page.reload();
    await expect(manager.rows("PENDING").or(manager.rows("ACTIVE"))).toHaveCount(1);
    await expect(manager.rows("ACTIVE")).toHaveCount(1, { timeout: 20_000 });
    expect(await chain.operations(account)).toHaveLength(1);

    await chain.nextBlock();
    await page.getByTestId("use-session").click();
    await expect(page.locator('[data-testid="user-op-status"][data-status="submitted"], [data-testid="user-op-status"][data-status="bundled"]').first()).toBeVisible();
    await page.reload();
    await manager.hash("use-session-hash");
    expect(await chain.nfts(account)).toBe(1n);
  });
});
