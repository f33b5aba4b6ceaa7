let grant = use_create_session(MutationOptions::default());
grant.mutate.run(CreateSessionVariables {
    policy: vec![policy],
    ..Default::default()
});
