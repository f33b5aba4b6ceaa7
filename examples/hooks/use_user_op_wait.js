import { useUserOpWait } from "@biconomy/use-aa";

export function Followed({ response }) {
  const { data, error, isLoading, isSuccess } = useUserOpWait(response);

  return (
    <>
      <p>{isLoading ? "waiting" : isSuccess ? "included" : ""}</p>
      <code>{data?.receipt?.transactionHash}</code>
      <p role="alert">{error?.message}</p>
    </>
  );
}
