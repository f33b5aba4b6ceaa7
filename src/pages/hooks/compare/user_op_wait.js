const { isSuccess } = useUserOpWait(userOpResponse);
