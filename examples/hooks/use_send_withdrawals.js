import { useSendWithdrawals, useUserOpWait } from "@biconomy/use-aa";

const TOKEN = "0x747A4168DB14F57871fa8cda8B5455D8C2a8e90a";

export function WithdrawAll() {
  const { mutate, data, error, isPending } = useSendWithdrawals();
  const wait = useUserOpWait(data);

  return (
    <>
      <button onClick={() => mutate({ withdrawalRequests: [{ address: TOKEN }] })} disabled={isPending}>
        Withdraw all
      </button>
      <p>{wait.isSuccess && "Withdrawn"}</p>
      <p role="alert">{(error ?? wait.error)?.message}</p>
    </>
  );
}
