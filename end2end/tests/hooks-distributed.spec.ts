import type { Hex } from "viem";
import { Chain } from "../fixtures/chain.ts";
import { Lab } from "../fixtures/lab.ts";
import { NodeProcess } from "../fixtures/node-process.ts";
import { Server } from "../fixtures/server.ts";
import { expect, Manager, test } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

const ZERO_ROOT = `0x${"0".repeat(64)}`;
const GRANT = "/hooks/use_create_session_with_distributed_key";
const USE = "/hooks/use_session_with_distributed_key";

/** Making a key takes seconds when five nodes share the cores with everything else. */
test.setTimeout(180_000);

async function grantDistributed(manager: Manager, returning = false): Promise<string> {
  await manager.open(GRANT);
  // Who was here before is connected again by the page itself.
  if (!returning) await manager.connect(TestWallet.rdns);
  await manager.account();
  await expect(manager.page.getByTestId("key-network")).toHaveAttribute("data-live", "5");
  await manager.page.getByTestId("create-distributed-session").click();
  await expect(manager.page.getByTestId("grant-review")).toBeVisible();
  await expect(manager.page.getByTestId("grant-operation-cost")).toContainText("at most 0.05 ETH");
  await expect(manager.page.getByTestId("grant-review")).not.toContainText("its fees are not");
  await manager.page.getByTestId("grant-confirm").click();
  const shown = manager.page.getByTestId("create-distributed-session-hash");
  await expect(shown).toHaveAttribute("data-value", /^0x[0-9a-f]{64}$/, { timeout: 120_000 });
  return (await shown.getAttribute("data-value"))!;
}

async function useDistributed(manager: Manager): Promise<string> {
  await manager.page.getByTestId("use-distributed-session").click();
  return manager.hash("use-distributed-session-hash");
}

test("nodes make the key, the wallet shows what it grants, and the nodes' signature is accepted on chain", async ({ manager, page, chain, wallet }) => {
  const granted = await grantDistributed(manager);
  const account = await manager.account();
  expect(await chain.sessionRoot(account)).not.toBe(ZERO_ROOT);

  // Once for the grant, once for the operation.
  expect(wallet.asked.filter((method) => method === "eth_signTypedData_v4")).toHaveLength(1);
  expect(wallet.asked.filter((method) => method === "personal_sign")).toHaveLength(1);
  const { domain, message } = wallet.typedData[0];
  expect(domain).toMatchObject({ name: "use-aa distributed session", chainId: wallet.chainId });
  expect(message.purpose).toContain("3 of 5 nodes");
  expect(domain.version).toBe("3");
  expect(message.maxOperationCost).toBe("50000000000000000");
  expect(message.fees).toContain("may cost at most 0.05 of the chain's native currency");
  expect(message.permissions).toEqual([
    "1. May call function 0x40d097c3 (safeMint) on 0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e, only if:",
    expect.stringMatching(new RegExp(`^1\\.1 argument 1 \\(recipient\\) must be ${account}$`, "i")),
    "1.2 native currency sent per call must be 0",
    expect.stringMatching(/^1\.3 (not after .* UTC|no end of its own)$/),
  ]);
  expect(message.account.toLowerCase()).toBe(account.toLowerCase());

  // What is stored: `@biconomy/use-aa`'s fields, and no secret in clear text.
  const stored = await page.evaluate((key) => localStorage.getItem(key), `${account.toLowerCase()}_sessions`);
  const [leaf] = JSON.parse(stored!).leafNodes;
  expect(leaf.sessionPublicKey.toLowerCase()).toBe(message.sessionKey.toLowerCase());
  expect(leaf.danModuleInfo).toEqual({
    mpcKeyId: message.sessionKeyId,
    partiesNumber: 5,
    threshold: 3,
    eoaAddress: expect.stringMatching(new RegExp(wallet.account.address, "i")),
    chainId: wallet.chainId,
  });
  const signers = JSON.parse((await page.evaluate((key) => localStorage.getItem(key), `${account.toLowerCase()}_signers`))!);
  expect(signers[leaf.sessionPublicKey.toLowerCase()]).toMatchObject({ version: 1, algorithm: "ed25519" });

  // The use, after a reload and without the wallet.
  await manager.open(USE);
  await page.getByTestId("disconnect-wallet").click();
  const used = await useDistributed(manager);
  expect(await chain.nfts(account)).toBe(1n);
  const operations = await chain.operations(account);
  expect(operations.map(({ success, transactionHash }) => [success, transactionHash])).toEqual([[true, granted], [true, used]]);
});

test("a call outside the policy is refused in the page, and by the nodes when the page is passed by", async ({ manager, page, chain }) => {
  await grantDistributed(manager);
  const account = await manager.account();
  await manager.open(USE);
  await page.getByTestId("mint-recipient").fill("0x00000000000000000000000000000000000000aa");
  await page.getByTestId("use-distributed-session").click();
  await expect(manager.error("PolicyViolation")).toBeVisible();
  expect(await chain.operations(account)).toHaveLength(1);

  // The server, or whoever sits in between, swaps the call.
  await page.route("**/api/fn/sign_with_distributed_key", async (route) => {
    const body = route.request().postDataJSON();
    body.request.userOperation.callData = body.request.userOperation.callData.replace(account.slice(2).toLowerCase(), "aa".repeat(20)) as Hex;
    await route.continue({ postData: JSON.stringify(body) });
  });
  await page.reload();
  await page.getByTestId("use-distributed-session").click();
  await expect(manager.error("NodeRefused")).toContainText("not signed by the key of the page");
  expect(await chain.operations(account)).toHaveLength(1);

  // The page itself, or a script in it, asks for a dear one: the account would pay, and the nodes say no.
  await page.unroute("**/api/fn/sign_with_distributed_key");
  await page.route("**/api/fn/gas_fees", (route) =>
    route.fulfill({ json: { maxFeePerGas: "0x174876e80000", maxPriorityFeePerGas: "0x1" } }));
  await page.route("**/api/fn/chain_info", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), pageSponsorship: false } });
  });
  await chain.client.setBalance({ address: account, value: 10n ** 21n });
  await page.reload();
  await page.getByTestId("use-distributed-session").click();
  const refused = manager.error("NodeRefused");
  await expect(refused).toContainText("the grant allows 50000000000000000 wei for each operation");
  await expect(refused).toContainText("grant a session with a higher limit");
  expect(await chain.operations(account)).toHaveLength(1);
  await page.unroute("**/api/fn/gas_fees");
  await page.unroute("**/api/fn/chain_info");

  // Left alone it works.
  await page.reload();
  await useDistributed(manager);
  expect(await chain.nfts(account)).toBe(1n);
});

test("a refused wallet leaves nothing, and a grant taken back at the nodes is dead", async ({ manager, page, chain, wallet }) => {
  await manager.open(GRANT);
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  wallet.refuse = { code: 4001, message: "User rejected the request." };
  await page.getByTestId("create-distributed-session").click();
  await page.getByTestId("grant-confirm").click();
  await expect(manager.error("WalletRejected")).toBeVisible({ timeout: 120_000 });
  expect(await chain.operations(account)).toHaveLength(0);
  expect(await page.evaluate((key) => localStorage.getItem(key), `${account.toLowerCase()}_sessions`)).toBeNull();
  wallet.refuse = undefined;

  await grantDistributed(manager, true);
  await manager.open(USE);
  await useDistributed(manager);
  await page.getByTestId("revoke-at-nodes").click();
  await expect(page.getByTestId("revoked-at-nodes")).toBeVisible();
  await page.reload();
  await page.getByTestId("use-distributed-session").click();
  await expect(manager.error("NodeRefused")).toBeVisible();
  expect(await chain.nfts(account)).toBe(1n);
});

test.describe("nodes of one's own", () => {
  let lab: Lab;
  let server: Server;

  test.beforeAll(async () => {
    lab = await Lab.start();
    server = await Server.start({
      env: {
        USE_AA_RPC_URL: lab.rpcUrl,
        USE_AA_BUNDLER_URL: lab.bundlerUrl,
        USE_AA_PAYMASTER_ADDRESS: lab.paymasterAddress,
        USE_AA_PAYMASTER_SIGNER_KEY: lab.paymasterSignerKey,
        USE_AA_PAGE_SPONSORSHIP: "on",
        USE_AA_DAN_NODES: lab.danNodesVariable,
        USE_AA_DAN_SERVER_KEY: lab.danServerKey,
      },
    });
  });
  test.afterAll(async () => {
    await server?.stop();
    await lab?.stop();
  });

  test("two dead nodes do no harm, three do, and they are as good as new when they are back", async ({ page, wallet, pageErrors: _ }) => {
    await wallet.install(page);
    const manager = new Manager(page, server.url);
    const chain = new Chain(lab.rpcUrl);
    await grantDistributed(manager);
    const account = await manager.account();
    await manager.open(USE);

    const nodes = lab.danNodes.map(({ process, url }) => new NodeProcess(process, url));
    try {
      nodes[0].kill();
      nodes[3].kill();
      await useDistributed(manager);
      expect(await chain.nfts(account)).toBe(1n);
      await expect(page.getByTestId("key-network")).toHaveAttribute("data-live", "3");

      nodes[4].kill();
      await page.reload();
      const clicked = Date.now();
      await page.getByTestId("use-distributed-session").click();
      await expect(manager.error("TooFewNodes")).toContainText("2 of the 3 nodes");
      expect(Date.now() - clicked).toBeLessThan(5_000);
      expect(await chain.nfts(account)).toBe(1n);

      for (const index of [0, 3, 4]) nodes[index].restart();
      await expect(page.getByTestId("key-network")).toHaveAttribute("data-live", "5", { timeout: 60_000 });
      await expect(async () => {
        await page.reload();
        await page.getByTestId("use-distributed-session").click();
        await expect(page.getByTestId("use-distributed-session-hash")).toHaveAttribute("data-value", /^0x/, { timeout: 8_000 });
      }).toPass({ timeout: 60_000 });
      expect(await chain.nfts(account)).toBeGreaterThanOrEqual(2n);
    } finally {
      nodes.forEach((node) => node.stop());
    }
  });
});
