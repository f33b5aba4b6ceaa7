import { expect, type Page, test as base } from "@playwright/test";
import { Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const HASH = /^0x[0-9a-f]{64}$/;
const pages = ["/", "/sessions", "/operations", "/hooks", "/hooks/use_session"];

/** What can be seen, looks as if it could be used, and leads nowhere without the page's code. */
async function deadControls(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const controls = document.querySelectorAll<HTMLElement>("button, input, select, textarea, [role=button], a[href='#'], a:not([href])");
    const isDead = (control: HTMLElement) => {
      const form = control.closest("form");
      const asksTheServer = form?.hasAttribute("action") && form.method === "get";
      return control.checkVisibility() && !(control as HTMLButtonElement).disabled && !asksTheServer;
    };
    return [...controls].filter(isDead).map((control) => control.outerHTML);
  });
}

/** An account with a session, and the operation that granted it. */
async function granted({ manager, chain }: { manager: Manager; chain: { operations(account: `0x${string}`): Promise<any[]> } }) {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  await expect(manager.rows("ACTIVE")).toHaveCount(1);
  const [operation] = await chain.operations(account);
  return { account, operation: operation.userOpHash as string };
}

base.describe("with JavaScript off", () => {
  base.use({ javaScriptEnabled: false });
  for (const path of pages) {
    base(`${path} says so, and nothing that looks clickable does nothing`, async ({ page }) => {
      await page.goto(process.env.USE_AA_URL! + path);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      for (const button of await page.locator("button:visible").all()) {
        if (!(await button.isDisabled())) expect(await button.evaluate((b: HTMLButtonElement) => !!b.form?.getAttribute("action"))).toBe(true);
      }
      await expect(page.getByTestId("no-webassembly")).toBeHidden();
    });
  }

  base("an address that is none is said to be none, and another one can be typed", async ({ page }) => {
    await page.goto(`${process.env.USE_AA_URL}/sessions?account=0x12`);
    await expect(page.locator('[data-testid="error"][data-error="InvalidInput"]')).toBeVisible();
    await page.getByLabel("Address of a smart account").fill("0x0788816536DEFa6A14779711c0B08b7f0edFe68b");
    await page.getByRole("button", { name: "Look its sessions up" }).click();
    await expect(page.getByTestId("asked-account")).toHaveText("0x0788816536DEFa6A14779711c0B08b7f0edFe68b");
    await expect(page).toHaveURL(/account=0x0788816536DEFa6A14779711c0B08b7f0edFe68b$/);
    await page.goto(`${process.env.USE_AA_URL}/operations`);
    const hash = `0x${"ab".repeat(32)}`;
    await page.getByLabel("Hash of a user operation").fill(hash);
    await page.getByRole("button", { name: "Look it up" }).click();
    await expect(page).toHaveURL(new RegExp(`/operations/${hash}$`));
    await expect(page.locator('[data-testid="error"][data-error="UserOpNotFound"]')).toBeVisible();
    await expect(page.getByTestId("operation-hash")).toHaveText(hash);
  });
});

test("what the server knows can be read in a browser that runs nothing", async ({ manager, chain, browser }) => {
  const { account, operation } = await granted({ manager, chain });
  // The page leads there.
  await expect(manager.page.getByTestId("operation-link").first()).toHaveAttribute("href", `/operations/${operation}`);

  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  for (const [width, height] of [[1280, 900], [360, 740]]) {
    await page.setViewportSize({ width, height });
    await page.goto(`${manager.url}/sessions?account=${account}`);
    await expect(page.getByTestId("asked-account")).toHaveText(account);
    const row = page.getByTestId("session-row");
    await expect(row).toHaveAttribute("data-status", "ACTIVE");
    await expect(row.getByTestId("session-function")).toHaveText("safeMint");
    await expect(row.getByTestId("session-end")).toHaveText(/^Ends 20\d\d-.* UTC$/);
    await expect(page.getByRole("heading", { name: "What cannot be known here" })).toBeVisible();
    await page.goto(`${manager.url}/operations/${operation}`);
    await expect(page.getByTestId("operation-hash")).toHaveText(operation);
    await expect(page.getByTestId("user-op-status")).toHaveAttribute("data-status", "confirmed");
    expect(await page.locator("dd .whole").allTextContents()).toEqual([account, expect.stringMatching(HASH)]);
    // Nothing hangs over.
    for (const box of await page.locator("main .whole").all()) {
      const { x, width: own } = (await box.boundingBox())!;
      expect(x + own).toBeLessThanOrEqual(width);
    }
    await page.locator("dd a").first().click();
    await expect(page.getByTestId("asked-account")).toHaveText(account);
  }
  await context.close();
});

/** Takes WebAssembly away before anything runs. */
const lockdown = (page: Page) => page.addInitScript(() => Reflect.deleteProperty(globalThis, "WebAssembly"));
/** A policy, of a proxy or of an organisation, that forbids it. */
const policy = (page: Page) =>
  page.route((url) => !url.pathname.startsWith("/pkg/"), async (route) => {
    const response = await route.fetch();
    const headers = { ...response.headers() };
    if (headers["content-security-policy"]) headers["content-security-policy"] = headers["content-security-policy"].replace(" 'wasm-unsafe-eval'", "");
    await route.fulfill({ response, headers });
  });
/** A browser that knows only older WebAssembly than ours. */
const old = (page: Page) =>
  page.addInitScript(() => {
    for (const name of ["instantiate", "instantiateStreaming"] as const) {
      WebAssembly[name] = (async () => { throw new WebAssembly.CompileError("unknown opcode"); }) as never;
    }
  });

for (const [name, without] of Object.entries({ lockdown, policy, old })) {
  test(`without WebAssembly (${name}) every page says so, what helps, and can be read`, async ({ page }) => {
    await without(page);
    for (const path of pages) {
      await page.goto(process.env.USE_AA_URL! + path);
      const notice = page.getByTestId("no-webassembly");
      await expect(notice).toBeVisible();
      await expect(notice).toContainText("Lockdown Mode");
      await expect(notice).toContainText("wasm-unsafe-eval");
      await expect(page.getByTestId("code-not-loaded")).toBeHidden();
      expect(await deadControls(page)).toEqual([]);
    }
    await page.getByTestId("no-webassembly").getByRole("link", { name: "what became of an operation" }).click();
    await expect(page.getByLabel("Hash of a user operation")).toBeVisible();
  });
}

test("code that does not arrive is told as that, and a second try works", async ({ page, manager }) => {
  await page.route("**/pkg/use-aa*.wasm", (route) => route.abort());
  await manager.open();
  await expect(page.getByTestId("code-not-loaded")).toBeVisible();
  await expect(page.getByTestId("no-webassembly")).toBeHidden();
  await page.unrouteAll();
  await page.getByRole("link", { name: "load the page again" }).click();
  await expect(page.getByTestId("connect-wallet")).toBeEnabled();
  await expect(page.getByTestId("code-not-loaded")).toBeHidden();
});

test("an operation that is under way goes on live on its page", async ({ manager, page, chain }) => {
  const { account } = await granted({ manager, chain });
  // Not known yet: the page goes on looking, and finds it.
  const before = new Set((await chain.operations(account)).map(({ userOpHash }) => userOpHash));
  const held: string[] = [];
  await page.route("**/api/fn/send_user_operation", async (route) => {
    const response = await route.fetch();
    held.push((await response.json()) as string);
    await route.fulfill({ response });
  });
  await page.getByTestId("use-session").click();
  await expect.poll(() => held.length).toBe(1);
  expect(before.has(held[0])).toBe(false);
  const other = await page.context().newPage();
  await other.goto(`${manager.url}/operations/${held[0]}`);
  await expect(other.getByTestId("user-op-status")).toHaveAttribute("data-status", "confirmed");
  await expect(other.getByTestId("user-op-status")).toHaveCount(1);
  // A hash that nobody knows is said to be unknown at once, and followed all the same.
  await other.goto(`${manager.url}/operations/0x${"77".repeat(32)}`);
  await expect(other.locator('[data-error="UserOpNotFound"]')).toBeVisible();
  await other.close();
});
