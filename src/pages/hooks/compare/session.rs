let session = use_session();
session.mutate.run(UseSessionVariables {
    calls: vec![call],
    corresponding_index: Some(0),
    ..Default::default()
});
