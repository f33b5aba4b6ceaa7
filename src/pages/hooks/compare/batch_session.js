const { mutate } = useBatchSession();
mutate({ transactions: [mint, pay], correspondingIndexes: [0, 1] });
