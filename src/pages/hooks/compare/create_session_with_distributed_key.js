const { mutate } = useCreateSessionWithDistributedKey();
mutate({ policy, options });
