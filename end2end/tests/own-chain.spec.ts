import { OwnLab } from "../fixtures/own-lab.ts";
import { Proxy } from "../fixtures/proxy.ts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const EXPLORER = "https://explorer.example";

// The lab's chain as an operator would configure a chain of their own.
test.describe("on a chain with its own currency and explorer", () => {
  let own: OwnLab<Proxy>;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    own = await OwnLab.start(Proxy.to, { USE_AA_NATIVE_CURRENCY: "XDAI", USE_AA_EXPLORER_URL: `${EXPLORER}/` });
  });
  test.afterAll(() => own?.stop());

  test("amounts have its symbol, transactions and last uses link to its explorer", async ({ page, wallet, pageErrors: _ }) => {
    await wallet.install(page);
    const manager = new Manager(page, own.server.url);
    await manager.open();
    await manager.connect(TestWallet.rdns);
    await manager.account();
    await page.getByTestId("create-session").click();
    await expect(page.getByTestId("grant-review")).toContainText("Its calls send no XDAI.");
    await page.getByTestId("grant-confirm").click();
    const granted = await manager.hash("create-session-hash");
    const link = page.getByRole("link", { name: "View on the explorer" });
    await expect(link).toHaveAttribute("href", `${EXPLORER}/tx/${granted}`);
    const used = await manager.useAndWait();
    await manager.open("/sessions");
    await expect(page.getByTestId("last-use")).toHaveAttribute("href", `${EXPLORER}/tx/${used}`);
    await manager.open("/hooks/use_gas_estimate");
    await expect(page.locator(".figure")).toContainText("XDAI at most");
  });
});

// The operator sponsors callers with a key only, as every server outside of the lab does unless it is told otherwise.
test.describe("where sponsoring is off for the page", () => {
  let own: OwnLab<Proxy>;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    own = await OwnLab.start(Proxy.to, { USE_AA_PAGE_SPONSORSHIP: "" });
  });
  test.afterAll(() => own?.stop());

  test("the page says so before anything is tried, and grants with the account's own gas", async ({ page, wallet, pageErrors: _ }) => {
    await wallet.install(page);
    const manager = new Manager(page, own.server.url);
    await manager.open();
    await manager.connect(TestWallet.rdns);
    const account = await manager.account();
    const notice = page.getByTestId("not-sponsored").first();
    await expect(notice).toContainText("Sponsoring is off for this page");
    await expect(notice).toContainText("USE_AA_PAGE_SPONSORSHIP=on");
    await expect(page.getByTestId("send-sponsored-transaction")).toBeDisabled();

    // Nobody could pay for an account without funds; what helps is said.
    await page.getByTestId("create-session").click();
    await expect(page.getByTestId("grant-review")).toContainText("Paid by your smart account");
    await expect(page.getByTestId("grant-at-stake")).toContainText("Nothing: the account holds no");
    await page.getByTestId("grant-confirm").click();
    await expect(manager.error("UpstreamRejected").first()).toContainText("AA21");
    await expect(page.getByTestId("error-solutions").first()).toContainText(/fund|deposit/i);

    const funded = await fetch(own.lab.rpcUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "anvil_setBalance", params: [account, "0xde0b6b3a7640000"] }),
    });
    expect(funded.ok).toBe(true);
    await manager.grantAndWait();
    await manager.useAndWait();
    expect(await page.getByTestId("error").count()).toBe(0);
  });
});
