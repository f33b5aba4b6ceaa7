import { useGasEstimate, useSmartAccount } from "@biconomy/use-aa";
import { encodeFunctionData, parseAbi } from "viem";

const NFT = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";
const abi = parseAbi(["function safeMint(address to)"]);

export function Cost() {
  const { smartAccountAddress: to } = useSmartAccount();
  const mint = to && { to: NFT, data: encodeFunctionData({ abi, functionName: "safeMint", args: [to] }) };
  const { data: wei, error } = useGasEstimate({ transactions: mint ? [mint] : [] });

  return (
    <>
      <p>{wei !== undefined && `At most ${wei} wei`}</p>
      <p role="alert">{error?.message}</p>
    </>
  );
}
