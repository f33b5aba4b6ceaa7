let send = use_send_sponsored_transaction(MutationOptions::default());
send.mutate.run(SendTransactionVariables { calls, ..Default::default() });
