import { Chain } from "../fixtures/chain.ts";
import { OwnLab } from "../fixtures/own-lab.ts";
import { Proxy } from "../fixtures/proxy.ts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

// A server that reaches its bundler through a line that the test can cut.
test.describe("when the bundler is down", () => {
  let own: OwnLab<Proxy>;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    own = await OwnLab.start(Proxy.to);
  });
  test.afterAll(() => own?.stop());

  test("the error is clear, what was granted stays, and the next try works", async ({ page, wallet, pageErrors: _ }) => {
    const chain = new Chain(own.lab.rpcUrl);
    await wallet.install(page);
    const manager = new Manager(page, own.server.url);
    await manager.open();
    await manager.connect(TestWallet.rdns);
    const account = await manager.account();
    await manager.grantAndWait();

    own.proxy.down();
    await page.getByTestId("use-session").click();
    await expect(manager.error("UpstreamUnavailable").first()).toContainText(/bundler/i);
    await expect(manager.rows("ACTIVE")).toHaveCount(1);
    await page.getByTestId("create-session").click();
    await page.getByTestId("grant-confirm").click();
    await expect(manager.error("UpstreamUnavailable").first()).toBeVisible();
    await page.reload();
    await expect(manager.rows("ACTIVE")).toHaveCount(1);

    own.proxy.up();
    // The server rests a bundler that was down for a while before it asks again.
    await expect.poll(async () => (await fetch(`${own.server.url}/readyz`)).status).toBe(200);
    await manager.useAndWait();
    expect(await chain.nfts(account)).toBe(1n);
  });
});
