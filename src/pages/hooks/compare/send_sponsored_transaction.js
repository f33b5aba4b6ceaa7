const { mutate } = useSendSponsoredTransaction();
mutate({ transactions: [{ to, data }] });
