import { Options, useCreateBatchSession, useSmartAccount, useUserOpWait } from "@biconomy/use-aa";
import { useAccount } from "wagmi";

const NFT = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";
const TOKEN = "0x747A4168DB14F57871fa8cda8B5455D8C2a8e90a";
const always = { validUntil: 0, validAfter: 0 };

export function GrantBatch() {
  const { address: owner } = useAccount();
  const { smartAccountAddress } = useSmartAccount();
  const { mutate, data, error, isPending } = useCreateBatchSession();
  const wait = useUserOpWait(data);

  const click = () => {
    const mint = {
      contractAddress: NFT,
      functionSelector: "safeMint(address)",
      rules: [{ offset: 0, condition: 0, referenceValue: smartAccountAddress }],
      interval: always,
      valueLimit: 0n,
    };
    const pay = {
      contractAddress: TOKEN,
      functionSelector: "transfer(address,uint256)",
      rules: [
        { offset: 0, condition: 0, referenceValue: owner },
        { offset: 32, condition: 1, referenceValue: 5_000_000n },
      ],
      interval: always,
      valueLimit: 0n,
    };
    mutate({ policy: [mint, pay], options: Options.Sponsored });
  };
  return (
    <>
      <button onClick={click} disabled={isPending || !smartAccountAddress}>Allow minting and paying</button>
      <p>{wait.isSuccess && "Allowed"}</p>
      <p role="alert">{(error ?? wait.error)?.message}</p>
    </>
  );
}
