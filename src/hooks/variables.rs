//! What the mutations take.

use alloy::primitives::Address;

use crate::{
    actions::{
        options::BuildUserOpOptions, revoke_sessions::SessionsToRevoke, send_gas_token_transaction::TokenParam,
        send_withdrawals::WithdrawalRequest,
    },
    protocol::{
        policy::{Policy, SessionPolicy},
        smart_account::Call,
    },
};

/// Variables of [`use_create_session`](super::use_create_session).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateSessionVariables {
    /// What is to be allowed; one session each, one key for all that bring none.
    pub policy: Vec<Policy>,
    /// A name for people, kept in this browser.
    pub label: Option<String>,
    /// How the granting operation is built; sponsored where the server can, unless said otherwise.
    pub options: BuildUserOpOptions,
    /// Grant even when the account has sessions that this browser does not know, which ends them. Ask first:
    /// [`UseSessionListReturn::is_in_sync`](super::UseSessionListReturn) tells.
    pub replace_unknown: bool,
}

/// Variables of [`use_revoke_sessions`](super::use_revoke_sessions).
#[derive(Clone, Debug, PartialEq)]
pub struct RevokeSessionsVariables {
    /// Which sessions.
    pub sessions: SessionsToRevoke,
    /// How the revoking operation is built; sponsored where the server can, unless said otherwise.
    pub options: BuildUserOpOptions,
}

/// Variables of [`use_restore_sessions`](super::use_restore_sessions).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RestoreSessionsVariables {
    /// Ids of revoked sessions.
    pub session_ids: Vec<String>,
    /// How the operation is built; sponsored where the server can, unless said otherwise.
    pub options: BuildUserOpOptions,
}

/// Variables of [`use_session`](super::use_session).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UseSessionVariables {
    /// What to do: exactly one call in a single session.
    pub calls: Vec<Call>,
    /// Which of the usable sessions, oldest first: 0 is the first. `None`: the newest.
    pub corresponding_index: Option<usize>,
    /// Which session by id; comes before the index.
    pub session_id: Option<String>,
    /// Whose session; `None`: the account of [`use_smart_account`](super::use_smart_account).
    pub smart_account_address: Option<Address>,
    /// How the operation is built; each gets a nonce lane of its own, unless said otherwise.
    pub options: BuildUserOpOptions,
}

/// Variables of [`use_send_transaction`](super::use_send_transaction) and
/// [`use_send_sponsored_transaction`](super::use_send_sponsored_transaction).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendTransactionVariables {
    /// What to do, in one operation.
    pub calls: Vec<Call>,
    /// How the operation is built.
    pub options: BuildUserOpOptions,
}

/// Variables of [`use_create_batch_session`](super::use_create_batch_session).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateBatchSessionVariables {
    /// What is to be allowed, judged by the ABI or the ERC-20 module; one session each, one key for all that bring
    /// none. `Policy` and `Erc20Policy` both go `.into()`.
    pub policy: Vec<SessionPolicy>,
    /// A name for people, kept in this browser.
    pub label: Option<String>,
    /// How the granting operation is built; sponsored where the server can, unless said otherwise.
    pub options: BuildUserOpOptions,
    /// As in [`CreateSessionVariables`].
    pub replace_unknown: bool,
}

/// Variables of [`use_batch_session`](super::use_batch_session).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UseBatchSessionVariables {
    /// What to do, in this order, all or nothing. One call is enough.
    pub calls: Vec<Call>,
    /// Which of the usable sessions, oldest first, one for each call: 0 is the first. `None`: the newest ones that
    /// allow the calls.
    pub corresponding_indexes: Option<Vec<usize>>,
    /// Which sessions by id, one for each call; comes before the indexes.
    pub session_ids: Option<Vec<String>>,
    /// Whose sessions; `None`: the account of [`use_smart_account`](super::use_smart_account).
    pub smart_account_address: Option<Address>,
    /// How the operation is built; each gets a nonce lane of its own, unless said otherwise.
    pub options: BuildUserOpOptions,
}

/// Variables of [`use_deploy_smart_account`](super::use_deploy_smart_account).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeploySmartAccountVariables {
    /// How the operation is built; sponsored where the server can, unless said otherwise.
    pub options: BuildUserOpOptions,
}

/// Variables of [`use_send_gas_token_transaction`](super::use_send_gas_token_transaction).
#[derive(Clone, Debug, PartialEq)]
pub struct SendGasTokenTransactionVariables {
    /// What to do, in one operation.
    pub calls: Vec<Call>,
    /// In what the gas is paid: a token's address, or a quote of [`use_token_fees`](super::use_token_fees).
    pub token_param: TokenParam,
    /// How the operation is built. `max_approval` approves without limit, so that no later operation needs to.
    pub options: BuildUserOpOptions,
}

/// Variables of [`use_send_withdrawals`](super::use_send_withdrawals).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendWithdrawalsVariables {
    /// What is taken out, in one operation; none at all = all of the ether.
    pub withdrawal_requests: Vec<WithdrawalRequest>,
    /// Who gets what names no recipient; `None`: the account's owner.
    pub default_recipient: Option<Address>,
    /// How the operation is built; the account pays the gas unless these name a paymaster.
    pub options: BuildUserOpOptions,
}

/// What [`use_token_fees`](super::use_token_fees) and [`use_gas_estimate`](super::use_gas_estimate) ask about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CostArguments {
    /// What would be done, in one operation. Nothing is asked while there are none.
    pub calls: Vec<Call>,
    /// How the operation would be built.
    pub options: BuildUserOpOptions,
}

/// Variables of [`use_revoke_at_nodes`](super::use_revoke_at_nodes).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RevokeAtNodesVariables {
    /// A session with a distributed key. Every session of its key ends with it.
    pub session_id: String,
    /// Whose session; `None`: the account of [`use_smart_account`](super::use_smart_account).
    pub smart_account_address: Option<Address>,
}

/// What a grant is made from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum GrantVariables {
    Sessions(CreateSessionVariables),
    Batch(CreateBatchSessionVariables),
    Distributed(CreateSessionVariables),
}

/// What a use of sessions is made from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum UseVariables {
    Single(UseSessionVariables),
    Batch(UseBatchSessionVariables),
    Distributed(UseSessionVariables),
}
