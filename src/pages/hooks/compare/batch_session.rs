let batch = use_batch_session();
batch.mutate.run(UseBatchSessionVariables {
    calls: vec![mint, pay],
    corresponding_indexes: Some(vec![0, 1]),
    ..Default::default()
});
