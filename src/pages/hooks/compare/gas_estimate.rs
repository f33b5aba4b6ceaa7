let estimate = use_gas_estimate(arguments);
estimate.data.get()
