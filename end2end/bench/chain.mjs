// The lab's chain, past the application: when it mines, and what it holds.
import {
  createPublicClient, createTestClient, encodeFunctionData, http, parseAbi, publicActions, walletActions, webSocket,
} from "viem";
import { foundry } from "viem/chains";

const ENTRY_POINT = "0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789";
const SESSION_KEY_MANAGER = "0x000002FbFfedd9B33F4E7156F2DE8D48945E7489";
const abi = parseAbi(["function setMerkleRoot(bytes32)", "function getSessionKeys(address) view returns (bytes32)"]);

/** Tells when each transaction of the entry point was mined, milliseconds since 1970: anvil pushes its logs. */
export function watchMined(rpcUrl) {
  const transport = webSocket(rpcUrl.replace(/^http/, "ws"), { reconnect: false, keepAlive: false });
  const client = createPublicClient({ chain: foundry, transport });
  const mined = new Map();
  const stop = client.watchEvent({
    address: ENTRY_POINT,
    batch: false,
    onLogs: (logs) => {
      const now = performance.timeOrigin + performance.now();
      for (const { transactionHash } of logs) if (!mined.has(transactionHash)) mined.set(transactionHash, now);
    },
  });
  return {
    mined,
    async stop() {
      stop();
      (await client.transport.getRpcClient()).close();
    },
  };
}

/** Sets the session root of an account, sent by the account itself. */
export async function setMerkleRoot(rpcUrl, account, root) {
  const client = createTestClient({ chain: foundry, mode: "anvil", transport: http(rpcUrl), pollingInterval: 20 })
    .extend(publicActions)
    .extend(walletActions);
  await client.setBalance({ address: account, value: 10n ** 18n });
  await client.impersonateAccount({ address: account });
  const data = encodeFunctionData({ abi, functionName: "setMerkleRoot", args: [root] });
  const hash = await client.sendTransaction({ account, to: SESSION_KEY_MANAGER, data });
  await client.waitForTransactionReceipt({ hash });
  await client.stopImpersonatingAccount({ address: account });
  const now = await client.readContract({ address: SESSION_KEY_MANAGER, abi, functionName: "getSessionKeys", args: [account] });
  if (now !== root) throw new Error(`the root on chain is ${now}, not ${root}`);
}
