import { randomBytes } from "node:crypto";
import { type Address, type Hex, concatHex, encodeAbiParameters, encodePacked, getAddress, keccak256, parseEther, sliceHex } from "viem";
import { setMerkleRoot } from "../bench/chain.mjs";
import { DEMO_NFT } from "../fixtures/chain.ts";
import { expect, test } from "../fixtures/test.ts";
import type { Manager } from "../fixtures/test.ts";
import { TestWallet } from "../fixtures/wallet.ts";

/** Somebody else, in each test another: tests run side by side. */
const stranger = (): Address => getAddress(`0x${randomBytes(20).toString("hex")}`);
const ERC20_MODULE = "000000d50c68705bd6897b2d17c7de32fb519fda";

type Leaf = { validUntil: number; validAfter: number; sessionValidationModule: Hex; sessionKeyData: Hex; status: string };

/** The leaves as the page stores them. */
async function leaves(manager: Manager): Promise<Leaf[]> {
  const account = (await manager.account()).toLowerCase();
  const stored = await manager.page.evaluate((key) => localStorage.getItem(key), `${account}_sessions`);
  return JSON.parse(stored ?? "{}").leafNodes;
}

function leafHash(leaf: Leaf): Hex {
  return keccak256(
    encodePacked(
      ["uint48", "uint48", "address", "bytes"],
      [leaf.validUntil, leaf.validAfter, leaf.sessionValidationModule as Address, leaf.sessionKeyData],
    ),
  );
}

/** The root over leaves in their order: pairs are sorted, an odd one goes up alone. */
function rootOf(hashes: Hex[]): Hex {
  while (hashes.length > 1) {
    const above: Hex[] = [];
    for (let i = 0; i < hashes.length; i += 2) {
      const [a, b] = [hashes[i], hashes[i + 1]];
      above.push(b === undefined ? a : keccak256(concatHex(BigInt(a) < BigInt(b) ? [a, b] : [b, a])));
    }
    hashes = above;
  }
  return hashes[0];
}

async function openBatch(manager: Manager): Promise<void> {
  await manager.open("/hooks/use_create_batch_session");
  await manager.connect(TestWallet.rdns);
  await manager.account();
  await manager.page.getByTestId("create-batch-session").click();
  await expect(manager.page.getByTestId("grant-review")).toBeVisible();
}

test("the review says in plain words what is allowed, until when, and who holds the key", async ({ manager, page }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  await manager.account();
  await page.getByTestId("create-session").click();
  const review = page.getByTestId("grant-review");
  await expect(review.getByTestId("grant-call")).toContainText(`May call safeMint on Demo NFT (${DEMO_NFT}) only for your own account`);
  await expect(review.getByTestId("grant-call")).toContainText("Its calls send no ETH");
  await expect(review.getByTestId("grant-warning")).toContainText("whoever has the key decides what its operations cost");
  await expect(review.getByTestId("grant-at-stake")).toContainText("Nothing: the account holds no ETH now");
  await expect(review.getByTestId("grant-operation-cost")).toContainText("all of it");
  await expect(review.getByTestId("grant-withdraw")).toHaveCount(0);
  await expect(review.getByTestId("grant-end-words")).toContainText(/in (59 min|1 h)/);
  await expect(review.getByTestId("grant-key-holder")).toContainText("This browser");
  await expect(review.getByTestId("grant-stop")).toHaveCount(0);
  await expect(review.getByTestId("grant-confirm")).toBeEnabled();
});

test("what fees could take is said, and leaves with the grant when the person says so", async ({ manager, page, chain, wallet }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await chain.client.setBalance({ address: account, value: parseEther("1.5") });
  const review = page.getByTestId("grant-review");

  // Unreadable is not nothing.
  await page.route("**/api/fn/read_chain", (route) =>
    route.fulfill({ status: 403, json: { error: "MethodNotAllowed", method: "eth_getBalance" } }));
  await page.getByTestId("create-session").click();
  await expect(review.getByTestId("grant-at-stake")).toContainText("could not be read");
  await expect(review.getByTestId("grant-withdraw")).toHaveCount(0);
  await page.unroute("**/api/fn/read_chain");
  await review.getByTestId("grant-cancel").click();

  await page.reload();
  await manager.account();
  await page.getByTestId("create-session").click();
  await expect(review.getByTestId("grant-at-stake")).toContainText("1.5 ETH, all that your account holds");
  const withdraw = review.getByTestId("grant-withdraw");
  await expect(withdraw).not.toBeChecked();
  await expect(review.getByTestId("grant-fees")).toContainText(`The owner: ${wallet.account.address}`);
  await withdraw.check();
  await expect(review.getByTestId("grant-changed")).toBeVisible();
  await review.getByTestId("grant-confirm").click();
  await manager.hash("create-session-hash");
  await expect(page.getByTestId("grant-told")).toContainText("The account's native currency: sent to the owner");
  expect(await chain.client.getBalance({ address: account })).toBe(0n);
  expect(await chain.deposit(account)).toBe(0n);
  expect(await chain.client.getBalance({ address: wallet.account.address })).toBe(parseEther("1.5"));
  await manager.useAndWait();
});

test("no end is a warning; an end in the past stops the grant and says why", async ({ manager, page, chain }) => {
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await page.getByTestId("session-no-end").click();
  await page.getByTestId("create-session").click();
  const review = page.getByTestId("grant-review");
  await expect(review.getByTestId("grant-warning")).toContainText("never ends");
  await expect(review.getByTestId("grant-confirm")).toBeEnabled();
  await review.getByTestId("grant-end").fill("2020-01-01T12:00");
  await review.getByTestId("grant-end").blur();
  await expect(review.getByTestId("grant-stop")).toContainText("over already");
  await expect(review.getByTestId("grant-confirm")).toBeDisabled();
  await review.getByTestId("grant-end-asked").click();
  await expect(review.getByTestId("grant-confirm")).toBeEnabled();
  await review.getByTestId("grant-cancel").click();
  expect(await chain.operations(account)).toHaveLength(0);
});

test("an amount of nothing stops the grant", async ({ manager, page }) => {
  await openBatch(manager);
  const review = page.getByTestId("grant-review");
  const amount = review.getByTestId("grant-amount").last();
  await amount.fill("0");
  await amount.blur();
  await expect(review.getByTestId("grant-stop")).toBeVisible();
  await expect(review.getByTestId("grant-confirm")).toBeDisabled();
  await amount.fill("11");
  await amount.blur();
  await expect(review).toContainText("You can only allow less");
  await expect(review.getByTestId("grant-confirm")).toBeDisabled();
  await amount.fill("10");
  await amount.blur();
  await expect(review.getByTestId("grant-confirm")).toBeEnabled();
});

test("amounts, end and calls are the person's to lower, and the chain holds what was agreed", async ({ manager, page, chain, wallet }) => {
  await openBatch(manager);
  const review = page.getByTestId("grant-review");
  await expect(review.getByTestId("grant-call")).toHaveCount(3);
  await expect(review).toContainText("May send at most 10 DUSD of Demo token");
  const amount = review.getByTestId("grant-amount").last();
  await amount.fill("2.5");
  await amount.blur();
  await expect(review).toContainText("May send at most 2.5 DUSD of Demo token");
  await review.getByTestId("grant-keep").first().uncheck();
  const end = "2031-05-04T12:30";
  await review.getByTestId("grant-end").fill(end);
  await review.getByTestId("grant-end").blur();
  await expect(review.getByTestId("grant-changed")).toBeVisible();
  await review.getByTestId("grant-confirm").click();
  await manager.hash("create-batch-session-hash");
  const told = page.getByTestId("grant-told");
  await expect(told).toContainText("You allowed 2 of 3 calls:");
  await expect(told).toContainText("safeMint: left out");
  await expect(told).toContainText("token transfer, highest amount per call: 2.5 DUSD, asked for 10 DUSD");
  await expect(told.locator("li").last()).toContainText(/^End: .*2031.*, asked for /);

  const seconds = await page.evaluate((text) => Date.parse(text) / 1000, end);
  const granted = await leaves(manager);
  expect(granted.map((leaf) => leaf.validUntil)).toEqual([seconds, seconds]);
  const transfer = granted.find((leaf) => leaf.sessionValidationModule.toLowerCase() === `0x${ERC20_MODULE}`)!;
  const words = [wallet.account.address, 2_500_000n] as const;
  expect(sliceHex(transfer.sessionKeyData, 64)).toBe(
    encodeAbiParameters([{ type: "address" }, { type: "uint256" }], words).toLowerCase(),
  );
  expect(await chain.sessionRoot(await manager.account())).toBe(rootOf(granted.map(leafHash)));
});

test("the last call cannot be left out", async ({ manager, page }) => {
  await openBatch(manager);
  const keep = page.getByTestId("grant-keep");
  await keep.nth(0).uncheck();
  await keep.nth(1).uncheck();
  await expect(keep.nth(2)).toBeDisabled();
  await expect(keep.nth(2)).toBeChecked();
});

async function refuseMint(manager: Manager, someone: Address): Promise<void> {
  const { page } = manager;
  await manager.open("/hooks/use_create_session");
  await manager.connect(TestWallet.rdns);
  await manager.grantAndWait();
  await manager.open("/hooks/use_session");
  await page.getByTestId("mint-recipient").fill(someone);
  await page.getByTestId("use-session").click();
  await expect(page.getByTestId("step-up-reason")).toHaveText(
    `The recipient must be your own account. In this call it is ${someone}.`,
  );
}

test("a refused call can be done with the wallet", async ({ manager, page, chain, wallet }) => {
  const someone = stranger();
  await refuseMint(manager, someone);
  const account = await manager.account();
  const root = await chain.sessionRoot(account);
  const before = await chain.nfts(someone);
  const signed = wallet.asked.filter((method) => method === "personal_sign").length;
  await page.getByTestId("step-up-owner").click();
  await manager.hash("step-up-owner-hash");
  expect(await chain.nfts(someone)).toBe(before + 1n);
  expect(await chain.sessionRoot(account)).toBe(root);
  expect(wallet.asked.filter((method) => method === "personal_sign")).toHaveLength(signed + 1);
});

test("a refused call can be had by extending the session", async ({ manager, page, chain }) => {
  const someone = stranger();
  await refuseMint(manager, someone);
  const account = await manager.account();
  const before = await chain.nfts(someone);
  await page.getByTestId("step-up-extend").click();
  const review = page.getByTestId("grant-review");
  await expect(review.getByTestId("grant-call")).toContainText(`recipient must be ${someone}`);
  await review.getByTestId("grant-confirm").click();
  await manager.hash("step-up-extend-hash");
  expect(await chain.sessionRoot(account)).toBe(rootOf((await leaves(manager)).map(leafHash)));
  await page.getByTestId("use-session").click();
  await manager.hash("use-session-hash");
  expect(await chain.nfts(someone)).toBe(before + 1n);
});

test("a session that ended can be extended", async ({ manager, page, chain }) => {
  await manager.open("/hooks/use_create_session");
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  await page.clock.setFixedTime(Date.now() + 2 * 3600 * 1000);
  await manager.open("/hooks/use_session");
  await page.getByTestId("use-session").click();
  await expect(page.getByTestId("step-up-reason")).toContainText("It ended on");
  await page.getByTestId("step-up-extend").click();
  await page.getByTestId("grant-review").getByTestId("grant-confirm").click();
  await expect.poll(async () => (await chain.operations(account)).length, { timeout: 15_000 }).toBe(2);
  const [first, second] = await leaves(manager);
  expect(second.validUntil).toBeGreaterThan(first.validUntil);
});

test("a batch beyond its amounts can be extended, and then goes through", async ({ manager, page, chain, wallet }) => {
  await openBatch(manager);
  await page.getByTestId("grant-confirm").click();
  await manager.hash("create-batch-session-hash");
  await manager.open("/hooks/use_batch_session");
  await page.getByTestId("batch-amount").fill("11");
  await page.getByTestId("use-batch-session").click();
  await expect(page.getByTestId("step-up-reason")).toContainText("must be at most 10 DUSD. In this call it is 11 DUSD.");
  await page.getByTestId("step-up-extend").click();
  await expect(page.getByTestId("grant-review")).toContainText("May send at most 11 DUSD");
  await page.getByTestId("grant-review").getByTestId("grant-confirm").click();
  await manager.hash("step-up-extend-hash");
  await page.getByTestId("use-batch-session").click();
  await manager.hash("use-batch-session-hash");
  expect(await chain.tokens(wallet.account.address)).toBe(11_000_000n);
});

test("an address is whole, new until it was granted to, named by its owner, and another one that looks like it is not taken for it", async ({ manager, page }) => {
  const friend = stranger();
  const alike = getAddress(`${friend.slice(0, 6)}${randomBytes(16).toString("hex")}${friend.slice(-4)}`.toLowerCase());
  const review = page.getByTestId("grant-review");
  const openFor = async (recipient: Address) => {
    await page.getByTestId("batch-recipient").fill(recipient);
    await page.getByTestId("create-batch-session").click();
    await expect(review).toBeVisible();
    await expect(review.getByTestId("grant-call").last()).toContainText(`only to ${recipient}`);
    return review.getByTestId("address-check").and(page.locator(`[data-value="${recipient}"]`));
  };
  await manager.open("/hooks/use_create_batch_session");
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  let check = await openFor(friend);
  await expect(check).toHaveAttribute("data-standing", "new");
  await expect(check.getByTestId("address-standing")).toContainText("never used before from this browser");
  // In groups, but no other text: what is selected is the plain address.
  const whole = check.locator(".whole");
  await expect(whole).toHaveText(friend);
  await expect(whole.locator("span")).toHaveText(["0x" + friend.slice(2, 6), ...friend.slice(6).match(/.{4}/g)!]);
  await expect(whole).toHaveAttribute("translate", "no");
  // Refused, so nothing is known of it yet.
  await review.getByTestId("grant-cancel").click();
  check = await openFor(friend);
  await expect(check).toHaveAttribute("data-standing", "new");
  await check.getByTestId("name-address").click();
  await check.getByTestId("address-name").fill(" Ali\u202ece\u200b ");
  await check.getByTestId("save-address-name").click();
  await expect(check).toHaveAttribute("data-standing", "named");
  await expect(review.getByTestId("grant-confirm")).toBeEnabled();
  await review.getByTestId("grant-confirm").click();
  await manager.hash("create-batch-session-hash");

  check = await openFor(friend);
  await expect(check).toHaveAttribute("data-standing", "used");
  await expect(check.getByTestId("address-standing")).toHaveText("Used before: Alice");
  const own = review.getByTestId("address-check").and(page.locator(`[data-value="${DEMO_NFT}"]`));
  await expect(own).toHaveAttribute("data-standing", "familiar");
  await review.getByTestId("grant-cancel").click();
  check = await openFor(alike);
  await expect(check).toHaveAttribute("data-standing", "looks-like");
  const warning = check.getByTestId("address-looks-like");
  await expect(warning).toHaveAttribute("data-other", friend);
  await expect(warning).toContainText("another address than “Alice”");
  await expect(warning).toContainText(friend);
  await review.getByTestId("grant-cancel").click();

  // Kept with the account's own data, and forgotten with it.
  const key = `${account.toLowerCase()}_addresses`;
  const stored = JSON.parse((await page.evaluate((key) => localStorage.getItem(key), key))!);
  expect(stored.version).toBe(1);
  expect(stored.addresses.find(({ address }: { address: Address }) => getAddress(address) === friend)).toMatchObject({ name: "Alice", uses: 1 });
  await manager.open("/sessions");
  await page.getByTestId("forget-device").click();
  await page.getByTestId("forget-confirm").click();
  await expect.poll(() => page.evaluate((key) => localStorage.getItem(key), key)).toBeNull();
});

/** A contract that answers `symbol()` and `decimals()`. */
function tokenCode(symbol: string, decimals: number): Hex {
  const text = Buffer.from(symbol);
  const push = (value: number) => `60${value.toString(16).padStart(2, "0")}`;
  const answerText = [
    push(0x20), push(0), "52", push(text.length), push(0x20), "52",
    `7f${text.toString("hex").padEnd(64, "0")}`, push(0x40), "52", push(0x60), push(0), "f3",
  ].join("");
  const choose = ["600035", "60e01c", "63313ce567", "14", "60", (15 + answerText.length / 2).toString(16).padStart(2, "0"), "57"].join("");
  return `0x${choose}${answerText}5b${push(decimals)}${push(0)}52${push(0x20)}${push(0)}f3`;
}

test("a token by whatever symbol is counted as its field is labelled, and a comma is a point", async ({ manager, page, chain }) => {
  const [token, recipient] = [stranger(), stranger()];
  await chain.client.setCode({ address: token, bytecode: tokenCode("USD₮0", 6) });
  await manager.open();
  await manager.connect(TestWallet.rdns);
  const account = await manager.account();
  await manager.grantAndWait();
  // One more session: it may send at most 2.5 of that token.
  const [mint] = await leaves(manager);
  const key = sliceHex(mint.sessionKeyData, 0, 20);
  const addresses = ["address", "address", "address", "uint256"].map((type) => ({ type }));
  const transfer: Leaf & Record<string, unknown> = {
    ...mint,
    sessionValidationModule: `0x${ERC20_MODULE}`,
    sessionKeyData: encodeAbiParameters(addresses, [key, token, recipient, 2_500_000n]).toLowerCase() as Hex,
    sessionID: "other-token",
    label: "Pay \u202e\u200bBob",
  };
  const root = rootOf([mint, transfer].map(leafHash));
  await setMerkleRoot(chain.rpcUrl, account, root);
  const text = JSON.stringify({ merkleRoot: root, leafNodes: [mint, transfer] });
  await page.evaluate(([key, text]) => localStorage.setItem(key, text), [`${account.toLowerCase()}_sessions`, text]);
  await manager.open("/sessions");
  await expect(manager.rows("ACTIVE")).toHaveCount(2);
  // A name that hides something is shown without it, wherever it came from.
  await expect(page.locator(".session-row .title").first()).toHaveText("Pay Bob");
  await manager.rows().first().getByTestId("revoke-session").click();
  const question = page.getByTestId("session-change");
  await expect(question).toContainText("Take back “Pay Bob”?");
  await expect(question).toContainText(token);
  await expect(question).toContainText(recipient);
  await page.keyboard.press("Escape");

  await manager.open("/hooks/use_batch_session");
  await page.getByTestId("use-batch-session").click();
  await page.getByTestId("step-up-extend").click();
  const review = page.getByTestId("grant-review");
  const call = review.getByTestId("grant-call").filter({ hasText: "May send at most" });
  const unit = `“USD₮0” (token ${token})`;
  await expect(call).toContainText(`May send at most 2.5 ${unit} per call, only to ${recipient}`);
  const amount = call.getByTestId("grant-amount");
  await expect(call.locator("label").first()).toHaveText(`Highest amount per call, ${unit}`);
  await expect(amount).toHaveValue("2.5");
  await expect(amount).toHaveAttribute("inputmode", "decimal");
  await amount.fill("1,5");
  await amount.blur();
  await expect(call).toContainText(`May send at most 1.5 ${unit}`);
  await expect(amount).toHaveAttribute("aria-invalid", "false");
  await amount.fill("1,250");
  await amount.blur();
  await expect(call).toContainText("“1,250” can be read in more than one way");
  await expect(amount).toHaveAttribute("aria-invalid", "true");
  await expect(review.getByTestId("grant-confirm")).toBeDisabled();
});

test("the review fits 320 pixels", async ({ manager, page }) => {
  await page.setViewportSize({ width: 320, height: 720 });
  await openBatch(manager);
  const overflow = await page.getByTestId("grant-review").evaluate((review) => review.scrollWidth - review.clientWidth);
  expect(overflow).toBe(0);
});
