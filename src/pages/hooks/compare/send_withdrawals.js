const { mutate } = useSendWithdrawals();
mutate({ withdrawalRequests: [{ address: token, recipient }] });
