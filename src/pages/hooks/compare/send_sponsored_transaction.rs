let send = use_send_sponsored_transaction();
send.mutate.run(SendTransactionVariables { calls, ..Default::default() });
