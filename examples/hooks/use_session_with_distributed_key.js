import { useSessionWithDistributedKey, useSmartAccount, useUserOpWait } from "@biconomy/use-aa";
import { encodeFunctionData, parseAbi } from "viem";

const NFT = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";
const abi = parseAbi(["function safeMint(address to)"]);

export function MintByNodes() {
  const { smartAccountAddress } = useSmartAccount();
  const { mutate, data: response, error, isPending } = useSessionWithDistributedKey();
  const wait = useUserOpWait(response);

  const click = () => {
    const data = encodeFunctionData({ abi, functionName: "safeMint", args: [smartAccountAddress] });
    mutate({ transactions: { to: NFT, data } });
  };
  return (
    <>
      <button onClick={click} disabled={isPending || !smartAccountAddress}>Mint</button>
      <p>{wait.isSuccess && "Minted"}</p>
      <p role="alert">{(error ?? wait.error)?.message}</p>
    </>
  );
}
