import { useSendGasTokenTransaction, useSmartAccount, useTokenFees, useUserOpWait } from "@biconomy/use-aa";
import { encodeFunctionData, parseAbi } from "viem";

const NFT = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";
const abi = parseAbi(["function safeMint(address to)"]);

export function MintPaidInDollars() {
  const { smartAccountAddress } = useSmartAccount();
  const { mutate, data: response, error, isPending } = useSendGasTokenTransaction();
  const wait = useUserOpWait(response);

  const data =
    smartAccountAddress && encodeFunctionData({ abi, functionName: "safeMint", args: [smartAccountAddress] });
  const { data: fees } = useTokenFees({ transactions: data && [{ to: NFT, data }] });
  const quote = fees?.feeQuotes[0];

  const click = () => {
    mutate({ transactions: [{ to: NFT, data }], tokenParam: quote });
  };
  return (
    <>
      <button onClick={click} disabled={isPending || !quote}>Mint</button>
      <p>{wait.isSuccess && "Minted"}</p>
      <p role="alert">{(error ?? wait.error)?.message}</p>
    </>
  );
}
