import { FaultProxy } from "../fixtures/fault-proxy.ts";
import { OwnLab } from "../fixtures/own-lab.ts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

test("a refusal in the wallet has a name, causes, what helps, and a report to copy", async ({ manager, page, wallet, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  wallet.refuse = { code: 4001, message: "User rejected the request." };
  await manager.grant();
  const error = manager.error("WalletRejected").first();
  await expect(error.getByTestId("error-name")).toContainText("4001");
  await expect(error.getByTestId("error-meaning")).not.toBeEmpty();
  await expect(error.getByTestId("error-solutions").locator("li").first()).not.toBeEmpty();
  await error.getByTestId("copy-error-report").click();
  await expect(error.getByTestId("copy-error-report")).toHaveText("Copied");
  const report = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  expect(report).toMatchObject({ error: "WalletRejected", code: 4001, chainId: wallet.chainId, page: "/" });
  expect(report.account.toLowerCase()).toBe(account.toLowerCase());
  expect(report.app).toMatch(/^use-aa \d/);
  expect(report.userAgent).toContain("Mozilla");
  expect(Math.abs(Date.parse(report.time) - Date.now())).toBeLessThan(60_000);
  // Trying again is offered, and works.
  wallet.refuse = undefined;
  await error.getByTestId("error-retry").click();
  await manager.hash("create-session-hash");
});

test("another error of the wallet is explained by its code", async ({ manager, wallet }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await manager.account();
  wallet.refuse = { code: 4100, message: "locked" };
  await manager.grant();
  const error = manager.error("Wallet").first();
  await expect(error.getByTestId("error-name")).toContainText("4100");
  await expect(error.getByTestId("error-meaning")).not.toBeEmpty();
});

test.describe("when the bundler refuses", () => {
  let own: OwnLab<FaultProxy>;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    own = await OwnLab.start(FaultProxy.to);
  });
  test.afterAll(() => own?.stop());

  for (const [code, message, name, retry] of [
    [-32500, "AA21 didn't pay prefund", "SmartAccountInsufficientFundsError", false],
    [-32504, "paymaster is throttled or banned", "ThrottledOrBannedError", true],
    [-32507, "no", "InvalidSignatureError", false],
  ] as const) {
    test(`${code} ${message} is ${name}`, async ({ page, wallet, pageErrors: _ }) => {
      await wallet.install(page);
      const manager = new Manager(page, own.server.url);
      await manager.open();
      await manager.connect(TestWallet.rdns);
      await manager.account();
      own.proxy.faults.set("eth_sendUserOperation", { code, message });
      const asked: string[] = [];
      await manager.grant();
      const error = manager.error("UpstreamRejected").first();
      await expect(error.getByTestId("error-name")).toContainText(name);
      await expect(error.getByTestId("error-name")).toContainText(String(code));
      await expect(error).toContainText(message);
      page.on("request", (request) => asked.push(request.url()));
      await expect(error.getByTestId("error-meaning")).not.toBeEmpty();
      await expect(error.getByTestId("error-retry")).toHaveCount(retry ? 1 : 0);
      expect(asked.filter((url) => !url.startsWith(own.server.url)), "nothing is asked of anybody else").toEqual([]);
      await expect(manager.rows()).toHaveCount(0);
      own.proxy.faults.clear();
      await manager.grantAndWait();
    });
  }
});
