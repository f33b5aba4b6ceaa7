import { useTokenFees, useSmartAccount } from "@biconomy/use-aa";
import { encodeFunctionData, parseAbi } from "viem";

const NFT = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";
const abi = parseAbi(["function safeMint(address to)"]);

export function Fees() {
  const { smartAccountAddress: to } = useSmartAccount();
  const mint = to && { to: NFT, data: encodeFunctionData({ abi, functionName: "safeMint", args: [to] }) };
  const { data: fees, error } = useTokenFees({ transactions: mint && [mint] });

  return (
    <>
      <ul>
        {fees?.feeQuotes.map((quote) => (
          <li key={quote.tokenAddress}>
            {quote.maxGasFee} {quote.symbol}
          </li>
        ))}
      </ul>
      <p role="alert">{error?.message}</p>
    </>
  );
}
