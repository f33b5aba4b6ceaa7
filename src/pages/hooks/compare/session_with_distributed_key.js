const { mutate } = useSessionWithDistributedKey();
mutate({ transactions: tx, correspondingIndex: 0 });
