//! The heavy half of the hooks: everything that signs, encrypts, hashes or encodes.
//!
//! Each function here is a gateway: with the feature `lazy` what it does, and all that only it reaches, lives in a
//! chunk of its own, loaded at the first call. So nothing outside this file may call into [`crate::actions`] or the session
//! store. On the server the gateways answer with an error; nobody calls them there.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]
#![allow(unsafe_code)] // inside `wasm_split`'s expansion: the import of the chunk's entry points

use std::rc::Rc;

use alloy::primitives::{Address, B256, U256};
use zeroize::Zeroizing;

use super::{
    UserOpStatus,
    use_session_transfer::ImportedSessions,
    variables::{
        CostArguments, DeploySmartAccountVariables, GrantVariables, RestoreSessionsVariables, RevokeSessionsVariables,
        SendGasTokenTransactionVariables, SendTransactionVariables, SendWithdrawalsVariables, UseVariables,
    },
};
use crate::{
    actions::prove_revocation::RevocationProof,
    error::AppError,
    protocol::{
        distributed_key::KeyNetwork,
        paymaster::FeeQuotes,
        rpc::{UserOpReceipt, UserOpUpdate},
        session::SessionLeaf,
        user_op_response::UserOpResponse,
    },
};

/// Hears how far an operation is.
pub(super) type OnProgress = Rc<dyn Fn(UserOpStatus)>;
/// Hears each update of an operation that is waited for.
pub(super) type OnUpdate = Rc<dyn Fn(&UserOpUpdate)>;

/// The connected wallet, by name: ports are made inside the chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// The wallet's id ([`WalletInfo::id`](crate::client::wallet::info::WalletInfo::id)).
    pub wallet: String,
    /// Its account.
    pub address: Address,
}

/// What is stored for an account, compared with the chain.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredSessions {
    /// All leaves, oldest first.
    pub leaves: Vec<SessionLeaf>,
    /// Operations of unconfirmed leaves.
    pub pending: Vec<B256>,
    /// Operations that take leaves out.
    pub revocations: Vec<B256>,
    /// Ids of sessions that turned out to be ended by another device.
    pub ended: Vec<String>,
    /// The stored root is the one on chain.
    pub in_sync: bool,
    /// Clear-text keys of the JavaScript SDK that were encrypted on the way.
    pub taken_over: usize,
}

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
        async fn work(job: Job) -> Result<Answer, AppError> {
            match job {
                $(Job::$name { $($argument),* } => $body.await.map(Answer::$name),)*
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
fn in_chunk(job: Job) -> futures::future::LocalBoxFuture<'static, Result<Answer, Failed>> {
    Box::pin(async { work(job).await.map_err(Failed) })
}

#[cfg(not(feature = "hydrate"))]
async fn run(_: Job) -> Result<Answer, AppError> {
    Err(AppError::Internal { reason: "smart accounts work in the browser only".into() })
}

#[cfg(feature = "hydrate")]
use super::heavy;

gateways! {
    /// The address of the owner's smart account.
    fn smart_account_address(owner: Address) -> Address = heavy::smart_account_address(owner);

    /// Builds a grant ahead of the confirmation.
    fn prepare_create_session(owner: Owner, variables: GrantVariables) -> () =
        heavy::prepare_create_session(owner, variables);

    /// Grants sessions.
    fn create_session(
        owner: Owner,
        variables: GrantVariables,
        on_progress: OnProgress,
    ) -> UserOpResponse = heavy::create_session(owner, variables, on_progress);

    /// Builds a use of a session ahead of the click.
    fn prepare_use_session(account: Address, variables: UseVariables) -> () =
        heavy::prepare_use_session(account, variables);

    /// Uses a session.
    fn use_session(
        account: Address,
        variables: UseVariables,
        on_progress: OnProgress,
    ) -> UserOpResponse = heavy::use_session(account, variables, on_progress);

    /// Sends calls that the owner signs.
    fn send_transaction(
        owner: Owner,
        variables: SendTransactionVariables,
        sponsored: bool,
        on_progress: OnProgress,
    ) -> UserOpResponse = heavy::send_transaction(owner, variables, sponsored, on_progress);

    /// Deploys the account.
    fn deploy_smart_account(
        owner: Owner,
        variables: DeploySmartAccountVariables,
        on_progress: OnProgress,
    ) -> UserOpResponse = heavy::deploy_smart_account(owner, variables, on_progress);

    /// Sends calls that the owner signs, with the gas paid in a token.
    fn send_gas_token_transaction(
        owner: Owner,
        variables: SendGasTokenTransactionVariables,
        on_progress: OnProgress,
    ) -> UserOpResponse = heavy::send_gas_token_transaction(owner, variables, on_progress);

    /// Takes tokens and ether out of the account.
    fn send_withdrawals(
        owner: Owner,
        variables: SendWithdrawalsVariables,
        on_progress: OnProgress,
    ) -> UserOpResponse = heavy::send_withdrawals(owner, variables, on_progress);

    /// What an operation would cost in tokens.
    fn token_fees(owner: Owner, arguments: CostArguments) -> FeeQuotes = heavy::token_fees(owner, arguments);

    /// What an operation would cost at most, wei.
    fn gas_estimate(owner: Owner, arguments: CostArguments) -> U256 = heavy::gas_estimate(owner, arguments);

    /// How the network of nodes that share distributed keys is.
    fn key_network() -> KeyNetwork = heavy::distributed::network();

    /// Tells the nodes to sign no more with a session's key.
    fn revoke_at_nodes(account: Address, session_id: String) -> () =
        heavy::distributed::revoke(account, session_id);

    /// Follows an operation to its end and writes the outcome into store and log.
    fn wait_for_user_operation(
        account: Option<Address>,
        response: UserOpResponse,
        on_update: OnUpdate,
    ) -> UserOpReceipt = heavy::wait_for_user_operation(account, response, on_update);

    /// The stored sessions as they are.
    fn load_sessions(account: Address) -> Vec<SessionLeaf> = heavy::load_sessions(account);

    /// The stored sessions after comparing them with the chain.
    fn sync_sessions(account: Address) -> StoredSessions = heavy::sync_sessions(account);

    /// Takes sessions back.
    fn revoke_sessions(
        owner: Owner,
        variables: RevokeSessionsVariables,
        on_progress: OnProgress,
    ) -> UserOpResponse = heavy::revoke_sessions(owner, variables, on_progress);

    /// Brings revoked sessions back.
    fn restore_sessions(
        owner: Owner,
        variables: RestoreSessionsVariables,
        on_progress: OnProgress,
    ) -> UserOpResponse = heavy::restore_sessions(owner, variables, on_progress);

    /// Tries a session on the chain, without sending anything.
    fn prove_revocation(account: Address, session_id: String) -> RevocationProof =
        heavy::prove_revocation(account, session_id);

    /// Follows a revocation to its end.
    fn settle_revocation(account: Address, user_op_hash: B256) -> () =
        heavy::settle_revocation(account, user_op_hash);

    /// The stored sessions and keys as a text that a passphrase opens.
    fn export_sessions(account: Address, passphrase: Zeroizing<String>) -> String =
        heavy::custody::export(account, passphrase);

    /// Brings in such a text and compares with the chain.
    fn import_sessions(text: String, passphrase: Zeroizing<String>) -> ImportedSessions =
        heavy::custody::import(text, passphrase);

    /// Forgets an account in this browser.
    fn forget_device(account: Address) -> () = heavy::custody::forget_device(account);

    /// Follows the grant of one operation to its end.
    fn settle_session(account: Address, user_op_hash: B256) -> () = heavy::settle_session(account, user_op_hash);
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
