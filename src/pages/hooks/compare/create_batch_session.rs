let grant = use_create_batch_session();
grant.mutate.run(CreateBatchSessionVariables {
    policy: vec![mint.into(), pay.into()],
    ..Default::default()
});
