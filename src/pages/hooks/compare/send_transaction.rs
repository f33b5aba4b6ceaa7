let send = use_send_transaction(MutationOptions::default());
send.mutate.run(SendTransactionVariables { calls, ..Default::default() });
