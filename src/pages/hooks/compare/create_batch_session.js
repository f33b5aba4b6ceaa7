const { mutate } = useCreateBatchSession();
mutate({ policy: [mint, pay], options });
