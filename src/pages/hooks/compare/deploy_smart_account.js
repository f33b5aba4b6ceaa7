const { mutate } = useDeploySmartAccount();
mutate({ options });
