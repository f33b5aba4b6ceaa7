//! The way from the hooks to everything that signs, encrypts, hashes or encodes.
//!
//! With the feature `lazy`, what these functions do, and all that only they reach, lives in a chunk of its own, loaded
//! at the first call. So no hook calls into [`crate::actions`] or the session store by another way. On the
//! server they answer with an error; nobody calls them there.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]
#![allow(unsafe_code)] // inside `wasm_split`'s expansion: the import of the chunk's entry points

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, U256};
use zeroize::Zeroizing;

use super::{
    Progress,
    answers::{ImportedSessions, OnUpdate, StoredSessions},
    context::ConnectedOwner,
    operations::{GrantVariables, OwnerOperation, UseVariables},
    variables::CostArguments,
};
use crate::{
    actions::{fee_funds::FeeFunds, prove_revocation::RevocationProof},
    error::AppError,
    protocol::{
        distributed_key::KeyNetwork,
        paymaster::FeeQuotes,
        rpc::{GasFees, UserOpReceipt},
        session::SessionLeaf,
        user_op_response::UserOpResponse,
    },
};

/// Writes one function per verb; all of them go through [`run`], the one entry of the chunk. (One entry, because the
/// splitter leaves in the first load whatever hangs on an entry that the page happens not to use.)
macro_rules! gateways {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $output:ty = $body:expr;)*) => {
        /// A verb and its arguments.
        #[allow(non_camel_case_types)]
        enum Job { $($name { $($argument: $type),* },)* }

        /// What a verb answers.
        #[allow(non_camel_case_types)]
        enum Answer { $($name($output),)* }

        #[cfg(feature = "hydrate")]
        fn work(job: Job) -> LocalBoxFuture<'static, Result<Answer, AppError>> {
            match job {
                $(Job::$name { $($argument),* } => held(move || async move { $body.await.map(Answer::$name) }),)*
            }
        }

        $(
            $(#[$doc])*
            pub(super) async fn $name($($argument: $type),*) -> Result<$output, AppError> {
                match run(Job::$name { $($argument),* }).await? {
                    Answer::$name(output) => Ok(output),
                    _ => Err(AppError::Internal { reason: "the answer to another question".into() }),
                }
            }
        )*
    };
}

/// A verb's work, made and kept outside of the stack: of that a page has one megabyte, and without optimization a function
/// that waits for any of the verbs has room for all of them.
#[cfg(feature = "hydrate")]
fn held<F: Future<Output = Result<Answer, AppError>> + 'static>(
    make: impl FnOnce() -> F,
) -> LocalBoxFuture<'static, Result<Answer, AppError>> {
    Box::pin(make())
}

#[cfg(all(feature = "hydrate", not(feature = "lazy")))]
async fn run(job: Job) -> Result<Answer, AppError> {
    work(job).await
}

#[cfg(all(feature = "hydrate", feature = "lazy"))]
async fn run(job: Job) -> Result<Answer, AppError> {
    in_chunk(job).await.map_err(|Failed(error)| error)
}

#[cfg(all(feature = "hydrate", feature = "lazy"))]
#[leptos::wasm_split::wasm_split(
    smart_account,
    wasm_split_path = ::leptos::wasm_split,
    fallible,
    return_wrapper(let future = _; { future.await } -> Result<Answer, Failed>)
)]
fn in_chunk(job: Job) -> LocalBoxFuture<'static, Result<Answer, Failed>> {
    Box::pin(async { work(job).await.map_err(Failed) })
}

#[cfg(not(feature = "hydrate"))]
async fn run(_: Job) -> Result<Answer, AppError> {
    Err(AppError::Internal { reason: "smart accounts work in the browser only".into() })
}

#[cfg(feature = "hydrate")]
use super::chunk;
#[cfg(feature = "hydrate")]
use futures::future::LocalBoxFuture;

gateways! {
    /// The address of the owner's smart account.
    fn smart_account_address(owner: Address) -> Address = chunk::smart_account_address(owner);

    /// Builds a grant ahead of the confirmation.
    fn prepare_grant(owner: ConnectedOwner, variables: GrantVariables) -> () =
        chunk::grants::prepare(owner, variables);

    /// Grants sessions.
    fn grant(owner: ConnectedOwner, variables: GrantVariables, progress: Progress) -> UserOpResponse =
        chunk::grants::grant(owner, variables, progress);

    /// Builds a use of sessions ahead of the click.
    fn prepare_use(account: Address, variables: UseVariables) -> () = chunk::uses::prepare(account, variables);

    /// Uses sessions.
    fn use_sessions_with(account: Address, variables: UseVariables, progress: Progress) -> UserOpResponse =
        chunk::uses::use_sessions_with(account, variables, progress);

    /// Sends what the owner signs.
    fn send_owner_operation(
        owner: ConnectedOwner,
        operation: OwnerOperation,
        progress: Progress,
    ) -> UserOpResponse = chunk::owner_operations::send(owner, operation, progress);

    /// What an operation would cost in tokens.
    fn token_fees(owner: ConnectedOwner, arguments: CostArguments) -> FeeQuotes = chunk::token_fees(owner, arguments);

    /// What an operation would cost at most, wei.
    fn gas_estimate(owner: ConnectedOwner, arguments: CostArguments) -> U256 = chunk::gas_estimate(owner, arguments);

    /// What an account can be made to pay fees with.
    fn fee_funds(account: Address) -> FeeFunds = chunk::fee_funds(account);

    /// How the network of nodes that share distributed keys is.
    fn key_network() -> KeyNetwork = chunk::distributed::network();

    /// Tells the nodes to sign no more with a session's key.
    fn revoke_at_nodes(account: Address, session_id: String) -> () = chunk::distributed::revoke(account, session_id);

    /// Follows an operation to its end and writes the outcome into store and log.
    fn wait_for_user_operation(
        account: Option<Address>,
        response: UserOpResponse,
        on_update: OnUpdate,
    ) -> UserOpReceipt = chunk::following::wait_for_user_operation(account, response, on_update);

    /// Overtakes an operation with the same and higher fees.
    fn speed_up(
        owner: Option<ConnectedOwner>,
        stuck: UserOpResponse,
        fees: Option<GasFees>,
        progress: Progress,
    ) -> UserOpResponse = chunk::speeding_up::speed_up(owner, stuck, fees, progress);

    /// Says why an operation cannot be overtaken.
    fn can_speed_up(user_op_hash: B256) -> () = chunk::speeding_up::can_speed_up(user_op_hash);

    /// Follows the grant of one operation to its end.
    fn settle_session(account: Address, user_op_hash: B256) -> () =
        chunk::following::settle_session(account, user_op_hash);

    /// Follows a revocation to its end.
    fn settle_revocation(account: Address, user_op_hash: B256) -> () =
        chunk::following::settle_revocation(account, user_op_hash);

    /// Tries a session on the chain, without sending anything.
    fn prove_revocation(account: Address, session_id: String) -> RevocationProof =
        chunk::prove_revocation(account, session_id);

    /// The stored sessions as they are.
    fn load_sessions(account: Address) -> Vec<SessionLeaf> = chunk::stored_sessions::load_sessions(account);

    /// Session keys that are stored here and cannot be opened any more.
    fn lost_keys(account: Address) -> BTreeSet<Address> = chunk::stored_sessions::lost_keys(account);

    /// The stored sessions after comparing them with the chain.
    fn sync_sessions(account: Address) -> StoredSessions = chunk::stored_sessions::sync_sessions(account);

    /// The stored sessions and keys as a text that a passphrase opens.
    fn export_sessions(account: Address, passphrase: Zeroizing<String>) -> String =
        chunk::custody::export(account, passphrase);

    /// Brings in such a text and compares with the chain.
    fn import_sessions(text: String, passphrase: Zeroizing<String>) -> ImportedSessions =
        chunk::custody::import(text, passphrase);

    /// Forgets an account in this browser.
    fn forget_device(account: Address) -> () = chunk::custody::forget_device(account);
}

/// Why a verb failed: the chunk was not loaded, or what it did.
#[cfg(all(feature = "hydrate", feature = "lazy"))]
struct Failed(AppError);

#[cfg(all(feature = "hydrate", feature = "lazy"))]
impl From<leptos::wasm_split::SplitLoaderError> for Failed {
    fn from(_: leptos::wasm_split::SplitLoaderError) -> Self {
        Self(AppError::Network { reason: "a part of this page could not be loaded; try again".into() })
    }
}
