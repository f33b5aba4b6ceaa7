import { Chain } from "../fixtures/chain.ts";
import { Lab } from "../fixtures/lab.ts";
import { Proxy } from "../fixtures/proxy.ts";
import { Server } from "../fixtures/server.ts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

// A server that reaches its bundler through a line that the test can cut.
test.describe("when the bundler is down", () => {
  let lab: Lab, proxy: Proxy, server: Server;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    lab = await Lab.start();
    proxy = await Proxy.to(lab.bundlerUrl);
    server = await Server.start({
      env: {
        USE_AA_CHAIN_ID: "31337",
        USE_AA_RPC_URL: lab.rpcUrl,
        USE_AA_BUNDLER_URL: proxy.url,
        USE_AA_PAYMASTER_SIGNER_KEY: lab.paymasterSignerKey,
        USE_AA_PAYMASTER_ADDRESS: lab.paymasterAddress,
      },
    });
  });
  test.afterAll(async () => {
    await server?.stop();
    await proxy?.close();
    await lab?.stop();
  });

  test("the error is clear, what was granted stays, and the next try works", async ({ page, wallet, pageErrors: _ }) => {
    const chain = new Chain(lab.rpcUrl);
    await wallet.install(page);
    const manager = new Manager(page, server.url);
    await manager.open();
    await manager.connect(TestWallet.rdns);
    const account = await manager.account();
    await manager.grantAndWait();

    proxy.down();
    await page.getByTestId("use-session").click();
    await expect(manager.error("UpstreamUnavailable").first()).toContainText(/bundler/i);
    await expect(manager.rows("ACTIVE")).toHaveCount(1);
    await page.getByTestId("create-session").click();
    await page.getByTestId("grant-confirm").click();
    await expect(manager.error("UpstreamUnavailable").first()).toBeVisible();
    await page.reload();
    await expect(manager.rows("ACTIVE")).toHaveCount(1);

    proxy.up();
    // The server rests a bundler that was down for a while before it asks again.
    await expect.poll(async () => (await fetch(`${server.url}/readyz`)).status).toBe(200);
    await manager.useAndWait();
    expect(await chain.nfts(account)).toBe(1n);
  });
});
