let send = use_send_transaction();
send.mutate.run(SendTransactionVariables { calls, ..Default::default() });
