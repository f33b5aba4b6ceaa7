import { Options, useCreateSessionWithDistributedKey, useSmartAccount, useUserOpWait } from "@biconomy/use-aa";

const NFT = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";

export function GrantToNodes() {
  const { smartAccountAddress } = useSmartAccount();
  const { mutate, data, error, isPending } = useCreateSessionWithDistributedKey();
  const wait = useUserOpWait(data);

  const click = () => {
    const policy = {
      contractAddress: NFT,
      functionSelector: "safeMint(address)",
      rules: [{ offset: 0, condition: 0, referenceValue: smartAccountAddress }],
      interval: { validUntil: 0, validAfter: 0 },
      valueLimit: 0n,
    };
    mutate({ policy: [policy], options: Options.Sponsored });
  };
  return (
    <>
      <button onClick={click} disabled={isPending || !smartAccountAddress}>Allow minting to me</button>
      <p>{wait.isSuccess && "Allowed"}</p>
      <p role="alert">{(error ?? wait.error)?.message}</p>
    </>
  );
}
