let grant = use_create_session_with_distributed_key(MutationOptions::default());
grant.mutate.run(CreateSessionVariables { policy, ..Default::default() });
