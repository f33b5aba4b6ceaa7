let withdraw = use_send_withdrawals(MutationOptions::default());
withdraw.mutate.run(SendWithdrawalsVariables {
    withdrawal_requests: vec![WithdrawalRequest { recipient, ..WithdrawalRequest::all(token) }],
    ..Default::default()
});
