import { Options, useDeploySmartAccount, useUserOpWait } from "@biconomy/use-aa";

export function Deploy() {
  const { mutate, data, error, isPending } = useDeploySmartAccount();
  const wait = useUserOpWait(data);

  return (
    <>
      <button onClick={() => mutate({ options: Options.Sponsored })} disabled={isPending}>
        Deploy
      </button>
      <p>{wait.isSuccess && "Deployed"}</p>
      <p role="alert">{(error ?? wait.error)?.message}</p>
    </>
  );
}
