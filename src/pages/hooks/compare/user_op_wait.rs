let wait = use_user_op_wait(send.data);
wait.is_success.get()
