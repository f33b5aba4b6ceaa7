let wait = use_user_op_wait(send.data, UserOpWaitOptions::default());
wait.is_success.get()
