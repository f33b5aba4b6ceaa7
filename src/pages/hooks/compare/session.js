const { mutate } = useSession();
mutate({ transactions: tx, correspondingIndex: 0 });
