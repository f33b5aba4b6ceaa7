import { expect, test } from "@playwright/test";
import { Firefox } from "../fixtures/browsers/firefox.ts";
import { Visitor } from "../fixtures/browsers/visitor.ts";
import { WebKit } from "../fixtures/browsers/webkit.ts";
import { Chain } from "../fixtures/chain.ts";

const DISTRIBUTED = "use_create_session_with_distributed_key";

// The main flow in browsers that Playwright does not drive as they are installed: step by step, each step a test.
for (const browser of [Firefox, WebKit]) {
  const missing = browser.missing();
  // Once: workers read this file, too.
  if (missing && !process.env.TEST_WORKER_INDEX) console.log(`NOTE: not run in ${browser.title}: ${missing}`);

  test.describe(browser.title, () => {
    test.describe.configure({ mode: "serial" });
    test.skip(!!missing, missing);

    let visitor: Visitor;
    let chain: Chain;

    test.beforeAll(async () => {
      visitor = new Visitor(await browser.start(), process.env.USE_AA_URL!);
      chain = new Chain(process.env.USE_AA_LAB_RPC_URL!);
      await visitor.begin();
      console.log(`${visitor.page.version} is there`);
    });

    test.afterEach(async ({}, info) => {
      if (info.status !== info.expectedStatus) await info.attach("screenshot", { body: await visitor.page.screenshot(), contentType: "image/png" });
      expect(await visitor.page.errors(), "the page must not panic, nor do what its policy forbids").toEqual([]);
    });

    test.afterAll(() => visitor?.page.close());

    test("a wallet connects", async () => {
      await visitor.open("/");
      await visitor.connect();
      expect(await visitor.attribute("owner-address", "data-value", /^0x/)).toBe(visitor.wallet.account.address);
    });

    test("a session is granted and used", async () => {
      await visitor.grant("create-session");
      await visitor.sessions("ACTIVE", 1);
      await visitor.picture("list");
      await visitor.click("use-session");
      await visitor.hash("use-session-hash");
      expect(await chain.nfts(await visitor.account())).toBe(1n);
    });

    test("it survives a reload and is used again", async () => {
      const account = await visitor.account();
      await visitor.page.reload();
      expect(await visitor.account()).toBe(account);
      await visitor.sessions("ACTIVE", 1);
      await visitor.click("use-session");
      await visitor.hash("use-session-hash");
      expect(await chain.nfts(account)).toBe(2n);
    });

    test("it is revoked, and the chain refuses it", async () => {
      await visitor.open("/sessions");
      await visitor.click("revoke-session");
      await visitor.see("session-change");
      await visitor.click("revoke-confirm");
      await visitor.hash("revoke-sessions-hash");
      await visitor.sessions("REVOKED", 1);
      await visitor.attribute("revocation-proof", "data-result", /^refused$/);
      await visitor.picture("revoked");
      expect(await chain.sessionRoot(await visitor.account())).toBe(`0x${"0".repeat(64)}`);
    });

    test("a batch is granted and used", async () => {
      await visitor.open("/hooks/use_create_batch_session");
      await visitor.grant("create-batch-session");
      await visitor.open("/hooks/use_batch_session");
      await visitor.click("use-batch-session");
      await visitor.hash("use-batch-session-hash");
      expect(await chain.nfts(await visitor.account())).toBe(3n);
      expect(await chain.tokens(visitor.wallet.account.address)).toBe(5_000_000n);
    });

    test("a distributed key is granted and used", async () => {
      // Making a key takes seconds when five nodes share the cores with everything else.
      test.setTimeout(180_000);
      await visitor.open(`/hooks/${DISTRIBUTED}`);
      await visitor.attribute("key-network", "data-live", /^5$/);
      await visitor.grant("create-distributed-session", 120_000);
      expect(visitor.wallet.asked.filter((method) => method === "eth_signTypedData_v4")).toHaveLength(1);
      await visitor.open("/hooks/use_session_with_distributed_key");
      await visitor.click("use-distributed-session");
      await visitor.hash("use-distributed-session-hash", "", 60_000);
      expect(await chain.nfts(await visitor.account())).toBe(4n);
    });
  });
}
