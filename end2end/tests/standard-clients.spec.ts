import { expect, test } from "@playwright/test";
import { JsonRpcProvider } from "ethers";
import { createSmartAccountClient } from "permissionless";
import { toBiconomySmartAccount, toNexusSmartAccount } from "permissionless/accounts";
import { type Address, encodeFunctionData, http, parseAbi, parseEther, zeroAddress } from "viem";
import {
  createBundlerClient, createPaymasterClient, entryPoint06Address, entryPoint07Address, entryPoint08Address, getUserOperationHash,
} from "viem/account-abstraction";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { Chain, DEMO_NFT, DEMO_TOKEN } from "../fixtures/chain.ts";
import { LAB_KEY } from "../fixtures/lab-key.ts";

/**
 * Clients from npm as they were published, against `/rpc/{chainId}/{key}`: they speak ERC-7769 and ERC-7677 and know
 * nothing of this server. No page is opened.
 */
const VERIFYING_PAYMASTER: Address = "0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789";
const abi = parseAbi(["function safeMint(address)", "function nothingLikeThat()"]);
const mint = (to: Address) => ({ to: DEMO_NFT, data: encodeFunctionData({ abi, functionName: "safeMint", args: [to] }) });
const unknownFunction = { to: DEMO_NFT, data: encodeFunctionData({ abi, functionName: "nothingLikeThat" }) };
const url = () => `${process.env.USE_AA_URL}/rpc/31337/${LAB_KEY}`;

// viem offers twice what is due, and twice is what is sponsored: where another test's blocks lower the base fee in between,
// that is too much.
test.describe.configure({ mode: "default" });

/** The lab's parts of Nexus, which have other addresses than the public ones. */
const NEXUS = {
  version: "1.0.1",
  factoryAddress: "0xd315fef6e26B247AB24dDD7953d81b43DCc5fF8a",
  validatorAddress: "0x4741D465b86c6Fdf67B3604698dFF78EF6658974",
} as const;
const VERIFYING_PAYMASTER_V07: Address = "0x4d809E7a5B3481220529D015a72133B7DAa9047E";
const TOKEN_PAYMASTER_V07: Address = "0x61f8c91eF06AE286D6402ec54B1DC1C3f59348f5";

/** The same with a Nexus account, on entry point v0.7. */
async function nexusPerson() {
  const chain = new Chain(process.env.USE_AA_LAB_RPC_URL!);
  const owner = privateKeyToAccount(generatePrivateKey());
  const account = await toNexusSmartAccount({ client: chain.client, owners: [owner], ...NEXUS });
  const paymaster = createPaymasterClient({ transport: http(url()) });
  const userOperation = {
    estimateFeesPerGas: async ({ bundlerClient }: any) => {
      const { fast }: any = await bundlerClient.request({ method: "pimlico_getUserOperationGasPrice", params: [] });
      return { maxFeePerGas: BigInt(fast.maxFeePerGas), maxPriorityFeePerGas: BigInt(fast.maxPriorityFeePerGas) };
    },
  };
  const common = { account, client: chain.client, transport: http(url()), pollingInterval: 100, userOperation };
  return { chain, account, sponsored: createBundlerClient({ ...common, paymaster }), alone: createBundlerClient(common), common, paymaster };
}

/** Why something is refused, as viem tells it. */
async function failure(sent: Promise<unknown>) {
  const error: any = await sent.then(() => undefined, (error) => error);
  expect(error, "it is refused").toBeTruthy();
  const names: string[] = [];
  error.walk((cause: any) => void names.push(cause.name));
  return { names, text: String(error.message), code: error.walk((cause: any) => typeof cause.code === "number")?.code };
}

/** Somebody new, with the clients that an app would make. */
async function person() {
  const chain = new Chain(process.env.USE_AA_LAB_RPC_URL!);
  const owner = privateKeyToAccount(generatePrivateKey());
  const account = (nonceKey?: bigint) =>
    toBiconomySmartAccount({
      client: chain.client, owners: [owner], nonceKey, entryPoint: { address: entryPoint06Address, version: "0.6" },
    });
  const paymaster = createPaymasterClient({ transport: http(url()) });
  const common = { client: chain.client, transport: http(url()), pollingInterval: 100 };
  return {
    chain, owner, account,
    sponsored: createBundlerClient({ ...common, account: await account(), paymaster }),
    alone: createBundlerClient({ ...common, account: await account() }),
  };
}

test("viem's clients with permissionless' Biconomy account deploy, batch, pay for themselves and use twenty lanes", async () => {
  test.setTimeout(120_000);
  const { chain, account, sponsored, alone } = await person();
  const { address } = await account();

  await test.step("the first operation deploys the account, sponsored", async () => {
    expect(await sponsored.getChainId()).toBe(31337);
    expect(await sponsored.getSupportedEntryPoints()).toContain(entryPoint06Address);
    const hash = await sponsored.sendUserOperation({ calls: [mint(address)] });
    const receipt = await sponsored.waitForUserOperationReceipt({ hash });
    expect(receipt).toMatchObject({
      success: true, userOpHash: hash, sender: address, entryPoint: entryPoint06Address, paymaster: VERIFYING_PAYMASTER,
    });
    expect(receipt.actualGasCost).toBeGreaterThan(0n);
    expect(receipt.receipt.status).toBe("success");
    expect(receipt.logs.at(-1)!.transactionHash).toBe(receipt.receipt.transactionHash);
    const known = await sponsored.getUserOperation({ hash });
    expect(known).toMatchObject({
      entryPoint: entryPoint06Address, transactionHash: receipt.receipt.transactionHash, blockNumber: receipt.receipt.blockNumber,
    });
    const { sender, nonce, callData } = known.userOperation;
    expect({ sender: sender.toLowerCase(), nonce }).toEqual({ sender: address.toLowerCase(), nonce: receipt.nonce });
    expect(callData).toContain(mint(address).data.slice(2));
    expect(await chain.nfts(address)).toBe(1n);
  });

  await test.step("a batch, by permissionless' own client and fees that the endpoint advises", async () => {
    const client = createSmartAccountClient({
      account: await account(), client: chain.client, bundlerTransport: http(url()),
      paymaster: createPaymasterClient({ transport: http(url()) }),
      userOperation: {
        estimateFeesPerGas: async ({ bundlerClient }) => {
          const fees: any = await bundlerClient.request({ method: "pimlico_getUserOperationGasPrice" as any, params: [] as any });
          return { maxFeePerGas: BigInt(fees.fast.maxFeePerGas), maxPriorityFeePerGas: BigInt(fees.fast.maxPriorityFeePerGas) };
        },
      },
    });
    await client.sendTransaction({ calls: [mint(address), mint(address)] });
    expect(await chain.nfts(address)).toBe(3n);
  });

  await test.step("the account pays for itself", async () => {
    await chain.client.setBalance({ address, value: parseEther("1") });
    const hash = await alone.sendUserOperation({ calls: [mint(address), { to: address, value: 1n }] });
    const receipt = await alone.waitForUserOperationReceipt({ hash });
    expect(receipt).toMatchObject({ success: true, paymaster: zeroAddress });
    expect(await chain.client.getBalance({ address })).toBeLessThan(parseEther("1"));
  });

  await test.step("twenty lanes at once", async () => {
    const lanes = Array.from({ length: 20 }, (_, lane) => BigInt(lane) + 1_000n);
    const receipts = await Promise.all(lanes.map(async (lane) => {
      const hash = await sponsored.sendUserOperation({ account: await account(lane), calls: [mint(address)] });
      return sponsored.waitForUserOperationReceipt({ hash, timeout: 60_000 });
    }));
    expect(receipts.every(({ success }) => success)).toBe(true);
    expect(receipts.map(({ nonce }) => BigInt(nonce) >> 64n)).toEqual(lanes);
    expect(await chain.nfts(address)).toBe(24n);
  });
});

test("viem's clients with permissionless' Nexus account deploy, batch, pay for themselves and in tokens, and are refused with reasons", async () => {
  test.setTimeout(120_000);
  const { chain, account, sponsored, alone, common, paymaster } = await nexusPerson();
  const { address } = account;

  await test.step("the first operation deploys the account, sponsored", async () => {
    expect(await sponsored.getSupportedEntryPoints()).toContain(entryPoint07Address);
    const hash = await sponsored.sendUserOperation({ calls: [mint(address)] });
    const receipt = await sponsored.waitForUserOperationReceipt({ hash });
    expect(receipt).toMatchObject({
      success: true, userOpHash: hash, sender: address, entryPoint: entryPoint07Address, paymaster: VERIFYING_PAYMASTER_V07,
    });
    const known = await sponsored.getUserOperation({ hash });
    expect(known).toMatchObject({ entryPoint: entryPoint07Address, transactionHash: receipt.receipt.transactionHash });
    expect(known.userOperation.paymaster?.toLowerCase()).toBe(VERIFYING_PAYMASTER_V07.toLowerCase());
    expect(await chain.nfts(address)).toBe(1n);
  });

  await test.step("a batch, and ten lanes at once", async () => {
    const batch = await sponsored.sendUserOperation({ calls: [mint(address), mint(address)] });
    expect(await sponsored.waitForUserOperationReceipt({ hash: batch })).toMatchObject({ success: true });
    const lanes = Array.from({ length: 10 }, (_, lane) => BigInt(lane) + 1n);
    const receipts = await Promise.all(lanes.map(async (key) => {
      const nonce = await account.getNonce({ key });
      const hash = await sponsored.sendUserOperation({ nonce, calls: [mint(address)] });
      return sponsored.waitForUserOperationReceipt({ hash, timeout: 60_000 });
    }));
    expect(receipts.every(({ success }) => success)).toBe(true);
    expect(await chain.nfts(address)).toBe(13n);
  });

  await test.step("the account pays for itself", async () => {
    expect((await failure(alone.sendUserOperation({ calls: [mint(address)] }))).names).toContain("InsufficientPrefundError");
    await chain.client.setBalance({ address, value: parseEther("1") });
    const hash = await alone.sendUserOperation({ calls: [mint(address)] });
    expect(await alone.waitForUserOperationReceipt({ hash })).toMatchObject({ success: true });
    expect(await chain.client.getBalance({ address })).toBeLessThan(parseEther("1"));
  });

  await test.step("it pays in a token that it approved before", async () => {
    const token = parseAbi(["function approve(address,uint256)", "function mint(address,uint256)"]);
    const amount = 100_000_000_000n;
    const approve = { to: DEMO_TOKEN, data: encodeFunctionData({ abi: token, functionName: "approve", args: [TOKEN_PAYMASTER_V07, amount] }) };
    const approved = await sponsored.sendUserOperation({ calls: [approve] });
    expect(await sponsored.waitForUserOperationReceipt({ hash: approved })).toMatchObject({ success: true });
    const faucet = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
    const given = await chain.client.sendUnsignedTransaction({
      from: faucet, to: DEMO_TOKEN, data: encodeFunctionData({ abi: token, functionName: "mint", args: [address, amount] }),
    });
    await chain.client.waitForTransactionReceipt({ hash: given });
    const inTokens = createBundlerClient({
      ...common, paymaster, paymasterContext: { mode: "ERC20", tokenInfo: { feeTokenAddress: DEMO_TOKEN } },
    });
    const hash = await inTokens.sendUserOperation({ calls: [mint(address)] });
    const receipt = await inTokens.waitForUserOperationReceipt({ hash });
    expect(receipt).toMatchObject({ success: true, paymaster: TOKEN_PAYMASTER_V07 });
    expect(await chain.tokens(address)).toBeLessThan(amount);
  });

  await test.step("refusals", async () => {
    const reverts = await failure(sponsored.sendUserOperation({ calls: [unknownFunction] }));
    expect(reverts.names, reverts.text).toContain("ExecutionRevertedError");
    const many = await failure(sponsored.sendUserOperation({ calls: Array.from({ length: 65 }, () => mint(address)) }));
    expect(many).toMatchObject({ code: -32501, text: expect.stringContaining("64") });
    const prepared = await sponsored.prepareUserOperation({ calls: [mint(address)] });
    // The owner signs, but for more gas of the paymaster's than it signed for.
    const unpaid: any = { ...prepared, paymasterPostOpGasLimit: prepared.paymasterPostOpGasLimit! + 1n };
    const changed = await failure(sponsored.sendUserOperation({ ...unpaid, signature: await account.signUserOperation(unpaid) } as any));
    expect(changed.text).toContain("AA34");
  });
});

test("refusals reach viem with their reasons", async () => {
  const { chain, account, sponsored, alone } = await person();
  const { address } = await account();
  expect(await failure(alone.sendUserOperation({ calls: [mint(address)] })), "nobody pays").toMatchObject({
    names: expect.arrayContaining(["InsufficientPrefundError"]),
  });
  const reverts = await failure(sponsored.sendUserOperation({ calls: [unknownFunction] }));
  expect(reverts.names).toContain("ExecutionRevertedError");
  const refused = await failure(sponsored.sendUserOperation({ calls: Array.from({ length: 65 }, () => mint(address)) }));
  expect(refused).toMatchObject({ code: -32501, text: expect.stringContaining("64") });

  const prepared = await sponsored.prepareUserOperation({ calls: [mint(address)] });
  const stub = await failure(sponsored.sendUserOperation({ ...prepared, signature: await (await account()).getStubSignature() } as any));
  expect(stub.names, stub.text).toContain("SignatureCheckFailedError");
  // The owner signs, but for more gas than the paymaster signed for.
  const unpaid = { ...prepared, callGasLimit: prepared.callGasLimit + 1n };
  const changed = await failure(
    sponsored.sendUserOperation({ ...unpaid, signature: await (await account()).signUserOperation(unpaid as any) } as any),
  );
  expect(changed.names, changed.text).toContain("SignatureCheckFailedError");
  expect(await chain.nfts(address)).toBe(0n);

  const paymaster = createPaymasterClient({ transport: http(url()) });
  const asked = { ...prepared, chainId: 31337, entryPointAddress: entryPoint08Address } as any;
  expect(await failure(paymaster.getPaymasterStubData(asked))).toMatchObject({ code: -32602, text: expect.stringContaining("v0.7") });
  expect(await failure(paymaster.getPaymasterData({ ...asked, entryPointAddress: entryPoint06Address, chainId: 1 }))).toMatchObject({ code: -32602 });
  const stranger = createBundlerClient({ transport: http(url().slice(0, -1) + "2", { retryCount: 0 }) });
  expect(await failure(stranger.getChainId())).toMatchObject({ code: -32001 });
  expect(await failure(alone.getUserOperationReceipt({ hash: `0x${"1".repeat(64)}` })), "not known, not yet mined").toMatchObject({
    names: expect.arrayContaining(["UserOperationReceiptNotFoundError"]),
  });
});

test("ethers takes the endpoint for a node of its chain, batches its calls and reads refusals", async () => {
  const { owner, account, sponsored } = await person();
  const provider = new JsonRpcProvider(url());
  expect((await provider.getNetwork()).chainId).toBe(31337n);
  const prepared: any = await sponsored.prepareUserOperation({ calls: [mint((await account()).address)] });
  const signature = await (await account()).signUserOperation(prepared);
  const names = ["nonce", "callGasLimit", "verificationGasLimit", "preVerificationGas", "maxFeePerGas", "maxPriorityFeePerGas"];
  const { sender, initCode, callData, paymasterAndData } = prepared;
  const operation = {
    sender, initCode, callData, paymasterAndData, signature,
    ...Object.fromEntries(names.map((name) => [name, `0x${prepared[name].toString(16)}`])),
  };
  // All in one tick: one batch.
  const [served, gas, unknown, hash] = await Promise.all([
    provider.send("eth_supportedEntryPoints", []),
    provider.send("eth_estimateUserOperationGas", [operation, entryPoint06Address]),
    provider.send("eth_getUserOperationByHash", [`0x${"1".repeat(64)}`]),
    provider.send("eth_sendUserOperation", [operation, entryPoint06Address]),
  ]);
  expect(served).toContain(entryPoint06Address);
  for (const name of ["callGasLimit", "verificationGasLimit", "preVerificationGas"]) expect(gas[name]).toMatch(/^0x[1-9a-f][0-9a-f]*$/);
  expect(unknown).toBe(null);
  expect(hash).toBe(getUserOperationHash({
    chainId: 31337, entryPointAddress: entryPoint06Address, entryPointVersion: "0.6", userOperation: { ...prepared, signature },
  }));
  await expect.poll(() => provider.send("eth_getUserOperationReceipt", [hash])).toMatchObject({ success: true, userOpHash: hash });
  const again = await provider.send("eth_sendUserOperation", [{ ...operation, nonce: "many" }, entryPoint06Address]).catch((error) => error);
  expect(again.error).toMatchObject({ code: -32602, message: expect.stringContaining("nonce") });
  expect(owner.address).not.toBe(sender);
  provider.destroy();
});
