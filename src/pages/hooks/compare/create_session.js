const { mutate } = useCreateSession();
mutate({ policy: [policy], options });
