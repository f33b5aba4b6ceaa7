let session = use_session_with_distributed_key();
session.mutate.run(UseSessionVariables {
    calls: vec![call],
    corresponding_index: Some(0),
    ..Default::default()
});
