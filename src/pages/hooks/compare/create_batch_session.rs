let grant = use_create_batch_session(MutationOptions::default());
grant.mutate.run(CreateBatchSessionVariables {
    policy: vec![mint.into(), pay.into()],
    ..Default::default()
});
