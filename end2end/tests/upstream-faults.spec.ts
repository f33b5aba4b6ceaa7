import { Chain } from "../fixtures/chain.ts";
import { OwnLab } from "../fixtures/own-lab.ts";
import { Proxy } from "../fixtures/proxy.ts";
import { SlowBundler } from "../fixtures/slow-bundler.ts";
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

// A bundler that takes operations and keeps them to itself, or forgets them: it is told on the page what can be done.
test.describe("when the bundler sends nothing", () => {
  let own: OwnLab<SlowBundler>;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    own = await OwnLab.start(SlowBundler.to, { USE_AA_ACCOUNT: "nexus" });
  });
  test.afterAll(() => own?.stop());

  test("a stuck operation is sped up, a dropped one sent again, and each happens once", async ({ page, wallet, pageErrors: _ }) => {
    test.setTimeout(180_000);
    const chain = new Chain(own.lab.rpcUrl);
    await wallet.install(page);
    const manager = new Manager(page, own.server.url);
    await manager.open();
    await manager.connect(TestWallet.rdns);
    const nexus = await manager.account();
    await page.getByTestId("account-kind").selectOption("biconomy-v2");
    await expect(page.getByTestId("smart-account-address")).not.toHaveAttribute("data-value", nexus);
    const account = await manager.account();
    await manager.grantAndWait();
    const status = (name: string) => page.locator(`[data-testid="user-op-status"][data-status="${name}"]`);

    await test.step("stuck after 30 seconds, sped up by the session key", async () => {
      own.proxy.holds = true;
      await page.getByTestId("use-session").click();
      await expect(status("submitted")).toBeVisible();
      await expect(status("stuck")).toBeVisible({ timeout: 45_000 });
      await expect(page.getByTestId("user-op-stuck")).toContainText("only one of the two can happen");
      await page.getByTestId("speed-up").click();
      await expect.poll(() => own.proxy.sent).toBe(3);
      await own.proxy.release();
      await manager.hash("use-session-hash");
      await expect(page.getByTestId("user-op-stuck")).toHaveCount(0);
      expect(await chain.nfts(account)).toBe(1n);
    });

    await test.step("forgotten twice: dropped, and sent again from the page", async () => {
      const before = own.proxy.sent;
      own.proxy.forgets = 2;
      await page.getByTestId("use-session").click();
      await expect(status("dropped")).toBeVisible({ timeout: 30_000 });
      expect(own.proxy.sent - before).toBe(2);
      await expect(manager.error("UserOpDropped").first()).toContainText(/never on chain/);
      await expect(page.getByTestId("user-op-dropped")).toContainText("only one of the two can happen");
      await page.getByTestId("speed-up").click();
      await manager.hash("use-session-hash");
      expect(await chain.nfts(account)).toBe(2n);
    });

    await test.step("on a Nexus account: the grant, and the use by the session key, sent again", async () => {
      await page.getByTestId("account-kind").selectOption("nexus");
      await expect(page.getByTestId("smart-account-address")).toHaveAttribute("data-value", nexus);
      own.proxy.forgets = 2;
      await manager.grant();
      await expect(page.getByTestId("user-op-dropped")).toBeVisible({ timeout: 30_000 });
      await page.getByTestId("speed-up").click();
      await manager.hash("create-session-hash");
      await expect(manager.rows("ACTIVE")).toHaveCount(1);
      const asked = wallet.asked.filter((method) => method === "personal_sign").length;
      own.proxy.forgets = 2;
      await page.getByTestId("use-session").click();
      await expect(page.getByTestId("user-op-dropped")).toBeVisible({ timeout: 30_000 });
      await page.getByTestId("speed-up").click();
      await manager.hash("use-session-hash");
      expect(await chain.nfts(nexus)).toBe(1n);
      expect(wallet.asked.filter((method) => method === "personal_sign")).toHaveLength(asked);
    });
  });
});
