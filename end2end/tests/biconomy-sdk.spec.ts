import { expect, test } from "@playwright/test";
import { type Address, type Hex, createWalletClient, encodeAbiParameters, encodeFunctionData, http, parseAbi, parseEther } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { Chain, DEMO_NFT } from "../fixtures/chain.ts";
import { LAB_KEY } from "../fixtures/lab-key.ts";

/**
 * The npm package `@biconomy/account`, as it was published, against our server: what an app does that only changed its
 * two URLs. No page is opened; the SDK runs in Node.
 */
const RELEASES = ["4.5.7", "4.6.3"] as const;

const DEMO_TOKEN: Address = "0x747A4168DB14F57871fa8cda8B5455D8C2a8e90a";
const TOKEN_PAYMASTER: Address = "0x00000f7365cA6C59A2C93719ad53d567ed49c14C";
const VERIFYING_PAYMASTER: Address = "0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789";

/**
 * When something fails the SDK downloads its list of error texts from GitHub, and loses the error when it cannot. The
 * list is given to it here (an empty one), so that the test needs no network and errors can be read.
 */
const ERROR_TEXTS = "https://raw.githubusercontent.com/bcnmy/aa-errors/main/docs/errors.json";
const realFetch = globalThis.fetch;
test.beforeAll(() => {
  globalThis.fetch = (input, init) =>
    String(input) === ERROR_TEXTS ? Promise.resolve(Response.json([])) : realFetch(input, init);
});
test.afterAll(() => {
  globalThis.fetch = realFetch;
});

const abi = parseAbi([
  "function safeMint(address)",
  "function mint(address, uint256)",
  "function transfer(address, uint256) returns (bool)",
  "function balanceOf(address) view returns (uint256)",
]);
const mintNft = (to: Address) => ({ to: DEMO_NFT, data: encodeFunctionData({ abi, functionName: "safeMint", args: [to] }) });
const mintTokens = (to: Address, amount: bigint) => ({
  to: DEMO_TOKEN, data: encodeFunctionData({ abi, functionName: "mint", args: [to, amount] }),
});
const transfer = (to: Address, amount: bigint) => ({
  to: DEMO_TOKEN, data: encodeFunctionData({ abi, functionName: "transfer", args: [to, amount] }),
});

for (const release of RELEASES) {
  test(`@biconomy/account ${release} creates and uses sessions, sponsored and with gas in tokens`, async () => {
    test.setTimeout(120_000);
    const sdk = await import(`biconomy-account-${release.replaceAll(".", "-")}`);
    const chain = new Chain(process.env.USE_AA_LAB_RPC_URL!);
    const tokens = (owner: Address) => chain.client.readContract({ address: DEMO_TOKEN, abi, functionName: "balanceOf", args: [owner] });
    const bundlerUrl = `${process.env.USE_AA_URL}/api/v2/31337/${LAB_KEY}`;
    const paymasterUrl = `${process.env.USE_AA_URL}/api/v1/31337/${LAB_KEY}`;
    const customChain = sdk.getCustomChain("use-aa lab", 31337, chain.rpcUrl, "http://127.0.0.1/none");
    // The SDK's own way to ask more often than every five seconds.
    const bundler = await sdk.createBundler({
      bundlerUrl, chainId: 31337, customChain,
      userOpReceiptIntervals: { 31337: 100 }, userOpWaitForTxHashIntervals: { 31337: 100 },
    });
    const signer = createWalletClient({
      account: privateKeyToAccount(generatePrivateKey()), chain: customChain, transport: http(chain.rpcUrl),
    });
    const config = { bundler, paymasterUrl, customChain, chainId: 31337 };
    const account = await sdk.createSmartAccountClient({ ...config, signer });
    const address: Address = await account.getAccountAddress();
    const sponsored = { paymasterServiceData: { mode: sdk.PaymasterMode.SPONSORED } };
    const done = async (response: { userOpHash: Hex; wait(): Promise<any>; waitForTxHash(): Promise<any> }) => {
      expect(response.userOpHash).toMatch(/^0x[0-9a-f]{64}$/);
      const { transactionHash } = await response.waitForTxHash();
      const receipt = await response.wait();
      expect(receipt.success).toBe("true");
      expect(receipt.userOpHash).toBe(response.userOpHash);
      expect(receipt.receipt.transactionHash).toBe(transactionHash);
      return receipt;
    };

    await test.step("the first operation deploys the account, sponsored", async () => {
      const receipt = await done(await account.sendTransaction(mintNft(address), sponsored));
      expect(receipt.paymaster).toBe(VERIFYING_PAYMASTER);
      expect(await chain.nfts(address)).toBe(1n);
      expect(await chain.client.getCode({ address })).toBeTruthy();
      const status = await bundler.getUserOpStatus(receipt.userOpHash);
      expect(status).toMatchObject({ state: "CONFIRMED", transactionHash: receipt.receipt.transactionHash });
      const known = await bundler.getUserOpByHash(receipt.userOpHash);
      expect(known.transactionHash).toBe(receipt.receipt.transactionHash);
      expect(known.sender.toLowerCase()).toBe(address.toLowerCase());
    });

    const store = new sdk.SessionMemoryStorage(address);
    const { sessionKeyAddress } = await sdk.createSessionKeyEOA(account, customChain, store);
    const mintPolicy = {
      sessionKeyAddress, contractAddress: DEMO_NFT, functionSelector: "safeMint(address)",
      rules: [{ offset: 0, condition: 0, referenceValue: address }],
      interval: { validUntil: 0, validAfter: 0 }, valueLimit: 0n,
    };

    const session = await test.step("a session is created", async () => {
      const response = await sdk.createSession(account, [mintPolicy], store, sponsored);
      await done(response);
      expect(await chain.sessionRoot(address)).not.toMatch(/^0x0+$/);
      return response.session;
    });

    await test.step("and used, by a client without the owner's key", async () => {
      const dapp = await sdk.createSessionSmartAccountClient({ ...config, accountAddress: address }, session);
      await done(await dapp.sendTransaction(mintNft(address), sponsored, { leafIndex: "LAST_LEAF", store }));
      expect(await chain.nfts(address)).toBe(2n);
    });

    await test.step("but not beyond its policy", async () => {
      const dapp = await sdk.createSessionSmartAccountClient({ ...config, accountAddress: address }, session);
      const stolen = dapp.sendTransaction(mintNft(signer.account.address), sponsored, { leafIndex: "LAST_LEAF", store });
      await expect(stolen).rejects.toThrow(/ABISV Arg Rule Violated/);
      expect(await chain.nfts(signer.account.address)).toBe(0n);
    });

    await test.step("a batch of sessions is created and used", async () => {
      await done(await account.sendTransaction(mintTokens(address, 100_000_000n), sponsored));
      const leaves = [
        sdk.createERC20SessionDatum({
          interval: { validUntil: 0, validAfter: 0 }, sessionKeyAddress,
          sessionKeyData: encodeAbiParameters(
            [{ type: "address" }, { type: "address" }, { type: "address" }, { type: "uint256" }],
            [sessionKeyAddress, DEMO_TOKEN, signer.account.address, 5_000_000n],
          ),
        }),
        sdk.createABISessionDatum(mintPolicy),
      ];
      const granted = await sdk.createBatchSession(account, store, leaves, sponsored);
      await done(granted);
      const dapp = await sdk.createSessionSmartAccountClient({ ...config, accountAddress: address }, granted.session, "BATCHED");
      const calls = [transfer(signer.account.address, 4_000_000n), mintNft(address)];
      await done(await dapp.sendTransaction(calls, sponsored, { leafIndex: "LAST_LEAVES", store }));
      expect(await tokens(signer.account.address)).toBe(4_000_000n);
      expect(await chain.nfts(address)).toBe(3n);
    });

    await test.step("gas is paid in tokens, by a quote", async () => {
      const before = await tokens(address);
      const erc20 = { mode: sdk.PaymasterMode.ERC20 };
      const { feeQuotes, tokenPaymasterAddress } = await account.getTokenFees(mintNft(address), { paymasterServiceData: erc20 });
      expect(tokenPaymasterAddress).toBe(TOKEN_PAYMASTER);
      const feeQuote = feeQuotes.find((quote: any) => quote.tokenAddress === DEMO_TOKEN);
      expect(feeQuote.maxGasFee).toBeGreaterThan(0);
      const receipt = await done(await account.sendTransaction(mintNft(address), {
        paymasterServiceData: { ...erc20, feeQuote, spender: tokenPaymasterAddress },
      }));
      expect(receipt.paymaster).toBe(TOKEN_PAYMASTER);
      const paid = before - (await tokens(address));
      expect(paid).toBeGreaterThan(0n);
      expect(Number(paid)).toBeLessThanOrEqual(Math.ceil(feeQuote.maxGasFee * 10 ** feeQuote.decimal));
    });

    await test.step("and by a preferred token", async () => {
      const before = await tokens(address);
      await done(await account.sendTransaction(mintNft(address), {
        paymasterServiceData: { mode: sdk.PaymasterMode.ERC20, preferredToken: DEMO_TOKEN },
      }));
      expect(await tokens(address)).toBeLessThan(before);
      expect(await chain.nfts(address)).toBe(5n);
    });

    await test.step("and by the account itself", async () => {
      await chain.client.setBalance({ address, value: parseEther("1") });
      const receipt = await done(await account.sendTransaction(mintNft(address)));
      expect(BigInt(receipt.paymaster)).toBe(0n);
      expect(await chain.client.getBalance({ address })).toBeLessThan(parseEther("1"));
    });

    const operations = await chain.operations(address);
    expect(operations.length).toBe(9);
    expect(operations.every((operation) => operation.success)).toBe(true);
  });
}
