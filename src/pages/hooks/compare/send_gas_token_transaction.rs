let send = use_send_gas_token_transaction();
send.mutate.run(SendGasTokenTransactionVariables {
    calls,
    token_param: quote.into(), // or the token's address
    options: Default::default(),
});
