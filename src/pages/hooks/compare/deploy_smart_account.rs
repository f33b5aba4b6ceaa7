let deploy = use_deploy_smart_account(MutationOptions::default());
deploy.mutate.run(DeploySmartAccountVariables::default());
