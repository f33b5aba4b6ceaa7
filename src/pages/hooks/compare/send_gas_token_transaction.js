const { mutate } = useSendGasTokenTransaction();
mutate({ transactions: [{ to, data }], tokenParam: feeQuote });
