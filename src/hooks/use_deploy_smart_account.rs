//! [`use_deploy_smart_account`].

use super::{
    DeploySmartAccountVariables, MutationOptions, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// Deploys the smart account without doing anything else; the owner signs. Seldom needed: any first operation of the
/// owner deploys the account on the way. Sponsored where the server can, unless the options say otherwise.
///
/// Fails with `AccountAlreadyDeployed` when there is nothing to do, and with `AccountHasNoFunds` when nobody would pay;
/// nothing is signed or sent then. Resolves when the bundler has the operation.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_deploy_smart_account.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: `useDeploySmartAccount`.
pub fn use_deploy_smart_account() -> UseMutationReturn<DeploySmartAccountVariables, UserOpResponse> {
    use_deploy_smart_account_with(MutationOptions::default())
}

/// As [`use_deploy_smart_account`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_deploy_smart_account_with(
    options: MutationOptions<DeploySmartAccountVariables, UserOpResponse>,
) -> UseMutationReturn<DeploySmartAccountVariables, UserOpResponse> {
    use_owner_operation(options, OwnerOperation::DeploySmartAccount)
}
