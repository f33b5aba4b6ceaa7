import type { Page } from "@playwright/test";
import { createBundlerClient, createPaymasterClient, entryPoint06Address } from "viem/account-abstraction";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { encodeFunctionData, type Hex, http, parseAbi } from "viem";
import { toBiconomySmartAccount } from "permissionless/accounts";
import { Chain, DEMO_NFT } from "../fixtures/chain.ts";
import { LAB_KEY } from "../fixtures/lab-key.ts";
import { Server } from "../fixtures/server.ts";
import { StreamProxy } from "../fixtures/stream-proxy.ts";
import { expect, test } from "../fixtures/test.ts";

const safeMint = parseAbi(["function safeMint(address)"]);

/** Sends one sponsored operation of somebody new. */
async function send(chain: Chain, url: string): Promise<Hex> {
  const owner = privateKeyToAccount(generatePrivateKey());
  const transport = http(`${url}/rpc/31337/${LAB_KEY}`);
  const account = await toBiconomySmartAccount({
    client: chain.client, owners: [owner], entryPoint: { address: entryPoint06Address, version: "0.6" },
  });
  const client = createBundlerClient({ account, client: chain.client, transport, paymaster: createPaymasterClient({ transport }) });
  const data = encodeFunctionData({ abi: safeMint, functionName: "safeMint", args: [account.address] });
  return client.sendUserOperation({ calls: [{ to: DEMO_NFT, data }] });
}

/** The operation's page, which follows it once its code is there. */
async function follow(page: Page, url: string, hash: Hex): Promise<void> {
  await page.goto(`${url}/operations/${hash}`);
  // The lab calls it stuck after seconds without a block, where no bundle has it.
  await expect(page.getByTestId("operation-live").locator(status("submitted", "stuck", "bundled"))).toBeVisible();
}

const status = (...any: string[]) =>
  any.map((status) => `[data-testid="user-op-status"][data-status="${status}"]`).join(",");

// A lab of its own, whose blocks come when this test wants them. Over HTTP/1.1 the browser has six connections for all tabs.
test.describe("seven tabs that wait", () => {
  let server: Server;
  let proxy: StreamProxy;
  test.beforeAll(async () => {
    test.setTimeout(90_000);
    server = await Server.start({ env: { USE_AA_LAB_BLOCK_TIME: "1" } });
    proxy = await StreamProxy.to(server.url);
  });
  test.afterAll(async () => {
    await proxy?.close();
    await server?.stop();
  });

  test("share one stream, also when the tab that holds it is closed, and an eighth still loads", async ({ context, pageErrors: _ }) => {
    test.setTimeout(120_000);
    const chain = new Chain(server.rpcUrl);
    const pages = await Promise.all(Array.from({ length: 7 }, () => context.newPage()));
    await chain.client.setIntervalMining({ interval: 0 });
    const hashes = await Promise.all(pages.map(() => send(chain, server.url)));
    for (const [index, page] of pages.entries()) await follow(page, proxy.url, hashes[index]);
    await expect.poll(() => proxy.open).toBe(1);
    expect(proxy.most, "the one before is closed first").toBeLessThanOrEqual(2);

    // The first one began to wait first: it holds the stream.
    await pages[0].close();
    await expect.poll(() => proxy.open).toBe(1);
    // A tab that is loaded anew waits again.
    await follow(pages[1], proxy.url, hashes[1]);

    const eighth = await context.newPage();
    await eighth.goto(`${proxy.url}/sessions`);
    await expect(eighth.getByTestId("connect-wallet")).toBeEnabled();

    await chain.client.setIntervalMining({ interval: 1 });
    for (const page of pages.slice(1)) {
      await expect(page.getByTestId("operation-live").locator(status("confirmed"))).toBeVisible({ timeout: 20_000 });
    }
    // Nobody waits: nothing stays open.
    await expect.poll(() => proxy.open).toBe(0);
    expect(proxy.most).toBeLessThanOrEqual(2);
  });
});
