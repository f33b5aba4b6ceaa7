let grant = use_create_session();
grant.mutate.run(CreateSessionVariables {
    policy: vec![policy],
    ..Default::default()
});
