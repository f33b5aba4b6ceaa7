let withdraw = use_send_withdrawals();
withdraw.mutate.run(SendWithdrawalsVariables {
    withdrawal_requests: vec![WithdrawalRequest { recipient, ..WithdrawalRequest::all(token) }],
    ..Default::default()
});
