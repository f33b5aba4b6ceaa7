const { smartAccountAddress } = useSmartAccount();
