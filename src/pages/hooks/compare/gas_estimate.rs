let estimate = use_gas_estimate(arguments, QueryOptions::default());
estimate.data.get()
