let deploy = use_deploy_smart_account();
deploy.mutate.run(DeploySmartAccountVariables::default());
