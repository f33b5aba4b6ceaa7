let fees = use_token_fees(arguments);
fees.data.get()
