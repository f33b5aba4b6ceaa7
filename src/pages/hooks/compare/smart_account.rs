let account = use_smart_account();
account.smart_account_address.get()
