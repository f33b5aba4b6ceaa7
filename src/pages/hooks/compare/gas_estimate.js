const { data } = useGasEstimate({ transactions });
