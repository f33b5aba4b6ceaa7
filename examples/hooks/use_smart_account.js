import { useSmartAccount } from "@biconomy/use-aa";
import { useBytecode } from "wagmi";

export function Account() {
  const { smartAccountAddress } = useSmartAccount();
  const { data: code } = useBytecode({ address: smartAccountAddress });

  if (!smartAccountAddress) return "Connect a wallet first";
  return (
    <>
      <code>{smartAccountAddress}</code>
      <p>{code ? "on the chain" : "not on the chain yet"}</p>
    </>
  );
}
