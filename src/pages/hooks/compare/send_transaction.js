const { mutate } = useSendTransaction();
mutate({ transactions: [{ to, data }] });
