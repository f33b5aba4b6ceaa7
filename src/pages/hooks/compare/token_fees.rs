let fees = use_token_fees(arguments, QueryOptions::default());
fees.data.get()
