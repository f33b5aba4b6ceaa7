import { useBatchSession, useSmartAccount, useUserOpWait } from "@biconomy/use-aa";
import { encodeFunctionData, parseAbi } from "viem";
import { useAccount } from "wagmi";

const NFT = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";
const TOKEN = "0x747A4168DB14F57871fa8cda8B5455D8C2a8e90a";
const abi = parseAbi(["function safeMint(address to)", "function transfer(address to, uint256 amount)"]);
const data = (functionName, args) => encodeFunctionData({ abi, functionName, args });

export function MintAndPay() {
  const { address: owner } = useAccount();
  const { smartAccountAddress } = useSmartAccount();
  const { mutate, data: response, error, isPending } = useBatchSession();
  const wait = useUserOpWait(response);

  const click = () => {
    const mint = { to: NFT, data: data("safeMint", [smartAccountAddress]) };
    const pay = { to: TOKEN, data: data("transfer", [owner, 1_000_000n]) };
    mutate({ transactions: [mint, pay], correspondingIndexes: [0, 1] });
  };
  return (
    <>
      <button onClick={click} disabled={isPending || !owner}>Mint and pay</button>
      <p>{wait.isSuccess && "Done"}</p>
      <p role="alert">{(error ?? wait.error)?.message}</p>
    </>
  );
}
