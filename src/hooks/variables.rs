//! What those mutations take that name an account, and the queries. What the others take stands beside the verb, in
//! `actions`.

use alloy::primitives::Address;

use crate::{actions::options::BuildUserOpOptions, protocol::smart_account::Call};

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

impl AsRef<[Call]> for UseSessionVariables {
    fn as_ref(&self) -> &[Call] {
        &self.calls
    }
}

impl AsRef<[Call]> for UseBatchSessionVariables {
    fn as_ref(&self) -> &[Call] {
        &self.calls
    }
}
