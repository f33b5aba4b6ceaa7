const { data } = useTokenFees({ transactions });
