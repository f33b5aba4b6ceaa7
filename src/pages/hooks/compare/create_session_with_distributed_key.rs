let grant = use_create_session_with_distributed_key();
grant.mutate.run(CreateSessionVariables { policy, ..Default::default() });
