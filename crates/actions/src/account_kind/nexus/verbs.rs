//! The verbs of Smart Account V2's sessions, under their names and with their variables, over the Smart Sessions of a Nexus
//! account.
//!
//! - A policy of [`create_session`] becomes a session of its own, as it becomes a leaf of its own on V2. Those of
//!   [`create_batch_session`] become one session together: an operation names one session, so what is to be done in one
//!   operation must be granted in one.
//! - Sessions do not stand under a root: what a grant on V2 says of others (`reviewed`, `replace_unknown`) has nothing to
//!   say here.

use alloy::primitives::{Address, U256};
use use_aa_protocol::{
    kind::AccountKind,
    nexus::{NexusRelease, NexusSetup},
    policy::SessionPolicy,
    session_scheme::{ActionLimits, SessionLimits},
    smart_sessions::{SmartSessions, StoredSession, addresses::SMART_SESSION},
    user_op_response::{CreatedSession, UserOpResponse},
};

use crate::{
    account::SmartAccountClient,
    create_batch_session::CreateBatchSessionVariables,
    create_session::CreateSessionVariables,
    default_paymaster::sponsored_where_possible,
    enable_mode::EnableMode,
    error::AppError,
    fee_approval::approve_fee_first,
    grant::MAX_SESSIONS_PER_GRANT,
    grant_limits::limits_at,
    options::BuildUserOpOptions,
    restore_sessions::RestoreSessionsVariables,
    revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke},
    scheme_sessions::{GrantedSessions, PreparedUse, RevocationPart, SchemeSessions, SessionChoice, SessionGrants},
    send_gas_token_transaction::{SendGasTokenTransactionVariables, TokenParam},
    send_with_batch_session::SendWithBatchSessionRequest,
    send_with_session::SendWithSessionRequest,
};

/// The sessions of a Nexus account.
pub type NexusSessions = SchemeSessions<SmartSessions>;

/// What a page makes an owner's account with: the release whose contracts the lab has, with Smart Sessions from the
/// beginning.
pub fn owner_setup() -> NexusSetup {
    NexusSetup::new(NexusRelease::Modulekit0_5_9).with_validator(SMART_SESSION)
}

/// Grants a session for each policy, with one key for all of them. Resolves when the bundler has the operation.
///
/// # Errors
/// `PolicyRefused`, `InvalidInput` and `AccountKindCannot` for what cannot be granted; those of preparing, the wallet, the
/// bundler and the store.
pub async fn create_session(
    sessions: &NexusSessions,
    owner: &SmartAccountClient,
    variables: CreateSessionVariables,
) -> Result<UserOpResponse, AppError> {
    granted(sessions, owner, session_grants(variables)?).await
}

/// What [`create_session`] grants.
///
/// # Errors
/// `InvalidInput` and `AccountKindCannot` for what cannot be granted.
pub fn session_grants(variables: CreateSessionVariables) -> Result<SessionGrants, AppError> {
    let CreateSessionVariables { policy, label, options, withdraw_native, max_operation_cost, limits, enable, .. } =
        variables;
    if max_operation_cost.is_some() {
        return Err(cannot("a limit for what one operation may cost, which the nodes of distributed keys keep to"));
    }
    let policy = policy.into_iter().map(SessionPolicy::from).collect();
    let each = limited(policy, &limits)?.into_iter().map(|policy| vec![policy]).collect();
    Ok(grants(each, (label, options, withdraw_native), enable))
}

/// Grants one session for all the policies. Resolves when the bundler has the operation.
///
/// # Errors
/// As [`create_session`].
pub async fn create_batch_session(
    sessions: &NexusSessions,
    owner: &SmartAccountClient,
    variables: CreateBatchSessionVariables,
) -> Result<UserOpResponse, AppError> {
    granted(sessions, owner, batch_session_grants(variables)?).await
}

/// What [`create_batch_session`] grants.
///
/// # Errors
/// As [`session_grants`].
pub fn batch_session_grants(variables: CreateBatchSessionVariables) -> Result<SessionGrants, AppError> {
    let CreateBatchSessionVariables { policy, label, options, withdraw_native, limits, enable, .. } = variables;
    let together = vec![limited(policy, &limits)?];
    Ok(grants(together, (label, options, withdraw_native), enable))
}

pub(super) fn limited(
    policies: Vec<SessionPolicy>,
    limits: &[ActionLimits],
) -> Result<Vec<(SessionPolicy, ActionLimits)>, AppError> {
    if policies.is_empty() || policies.len() > MAX_SESSIONS_PER_GRANT {
        let expected = format!("1 to {MAX_SESSIONS_PER_GRANT} policies");
        return Err(AppError::invalid("policy", expected, policies.len()));
    }
    if policies.iter().any(|policy| policy.session_key_address().is_some()) {
        return Err(cannot("a session key that the policy brings"));
    }
    Ok(policies.into_iter().enumerate().map(|(place, policy)| (policy, limits_at(limits, place))).collect())
}

fn grants(
    sessions: Vec<Vec<(SessionPolicy, ActionLimits)>>,
    (label, options, withdraw_native): (Option<String>, BuildUserOpOptions, bool),
    enable: EnableMode,
) -> SessionGrants {
    let limits = SessionLimits::default();
    SessionGrants { sessions, limits, options, label, sponsored_where_possible: true, enable, withdraw_native }
}

async fn granted(
    sessions: &NexusSessions,
    owner: &SmartAccountClient,
    grants: SessionGrants,
) -> Result<UserOpResponse, AppError> {
    let granted = sessions.grant_several(owner, grants).await?;
    Ok(response_to(owner.account, granted))
}

/// What is told of a grant.
pub fn response_to(account: Address, granted: GrantedSessions) -> UserOpResponse {
    let session = CreatedSession {
        account,
        session_ids: granted.ids.iter().map(ToString::to_string).collect(),
        session_key_address: granted.session_key,
    };
    UserOpResponse { session: Some(session), ..granted.response }
}

/// Calls that the owner signs, with the gas paid in a token. What the paymaster may not take yet the owner approves before, in
/// an operation of its own; `on_approval` hears of it.
///
/// # Errors
/// As [`approve_fee_first`] and [`SmartAccountClient::send_transaction`].
pub async fn send_gas_token_transaction(
    owner: &SmartAccountClient,
    variables: SendGasTokenTransactionVariables,
    on_approval: &dyn Fn(&UserOpResponse),
) -> Result<UserOpResponse, AppError> {
    let SendGasTokenTransactionVariables { calls, token_param, options } = variables;
    let options = token_param.options(&options);
    let send = async || {
        let quoted = approve_fee_first(owner, &calls, &options, on_approval).await?;
        owner.send_transaction(&calls, &quoted).await
    };
    match send().await {
        // Fees rose while the approval was mined. Nobody was shown that quote: once more with a new one.
        Err(AppError::GasTokenRefused { .. }) if matches!(token_param, TokenParam::Token(_)) => send().await,
        outcome => outcome,
    }
}

/// Does what a session allows. Without an id and a place the newest one that allows the call.
///
/// # Errors
/// As [`SchemeSessions::use_one`]; `InvalidInput` for more than one call.
pub async fn send_with_session(
    sessions: &NexusSessions,
    request: SendWithSessionRequest,
) -> Result<UserOpResponse, AppError> {
    sessions.complete_use(&prepare_send_with_session(sessions, request).await?).await
}

/// [`send_with_session`] but for signature and sending.
///
/// # Errors
/// As [`SchemeSessions::prepare_use`]; `InvalidInput` for more than one call.
pub async fn prepare_send_with_session(
    sessions: &NexusSessions,
    request: SendWithSessionRequest,
) -> Result<PreparedUse<StoredSession>, AppError> {
    let (choice, SendWithSessionRequest { calls, options, .. }) = choice_of_one(request)?;
    sessions.prepare_use(&choice, &calls, &in_own_lane(options)?, true).await
}

/// Which session is meant for the one call.
pub(super) fn choice_of_one(
    request: SendWithSessionRequest,
) -> Result<(SessionChoice, SendWithSessionRequest), AppError> {
    if request.calls.len() != 1 {
        let expected = "exactly one call (a batch session takes several)";
        return Err(AppError::invalid("calls", expected, request.calls.len()));
    }
    let choice = match (&request.session_id, request.corresponding_index) {
        (Some(id), _) => SessionChoice::Listed(id.clone()),
        (None, Some(place)) => SessionChoice::Place(place),
        (None, None) => SessionChoice::Newest,
    };
    Ok((choice, request))
}

/// Several calls in one operation, all or nothing, within one session.
///
/// # Errors
/// As [`send_with_session`]; `InvalidInput` for ids of several sessions.
pub async fn send_with_batch_session(
    sessions: &NexusSessions,
    request: SendWithBatchSessionRequest,
) -> Result<UserOpResponse, AppError> {
    sessions.complete_use(&prepare_send_with_batch_session(sessions, request).await?).await
}

/// [`send_with_batch_session`] but for signature and sending.
///
/// # Errors
/// As [`prepare_send_with_session`]; `InvalidInput` for ids of several sessions.
pub async fn prepare_send_with_batch_session(
    sessions: &NexusSessions,
    request: SendWithBatchSessionRequest,
) -> Result<PreparedUse<StoredSession>, AppError> {
    let SendWithBatchSessionRequest { calls, session_ids, corresponding_indexes, options, .. } = request;
    let count = calls.len();
    let one_each = |field, named: usize| match named == count {
        true => Ok(()),
        false => Err(AppError::invalid(field, format!("one for each of the {count} calls"), named)),
    };
    let choice = match (session_ids, corresponding_indexes) {
        (Some(ids), _) => {
            one_each("sessionIds", ids.len())?;
            match (NexusSessions::ids_of(&ids)?.as_slice(), ids.into_iter().next()) {
                ([_], Some(first)) => SessionChoice::Listed(first),
                (several, _) => return Err(one_session("sessionIds", several.len())),
            }
        }
        (None, Some(places)) => {
            one_each("correspondingIndexes", places.len())?;
            match places.first() {
                Some(first) if places.iter().all(|place| place == first) => SessionChoice::Place(*first),
                _ => return Err(one_session("correspondingIndexes", places.len())),
            }
        }
        (None, None) => SessionChoice::Newest,
    };
    sessions.prepare_use(&choice, &calls, &in_own_lane(options)?, true).await
}

fn one_session(field: &str, named: usize) -> AppError {
    AppError::invalid(
        field,
        "one session: on this kind of account an operation names one, granted for all calls",
        named,
    )
}

/// A use waits for no other, unless the caller says so.
pub(super) fn in_own_lane(mut options: BuildUserOpOptions) -> Result<BuildUserOpOptions, AppError> {
    if options.nonce_options.and_then(|nonce| nonce.nonce_key).is_none() {
        let [a, b, c, ..] = crate::random::word()?.0;
        let lane = U256::from(u32::from_be_bytes([0, a, b, c]));
        options.nonce_options = Some(crate::options::NonceOptions { nonce_key: Some(lane), ..Default::default() });
    }
    Ok(options)
}

/// Takes sessions back; many of them in several operations.
///
/// # Errors
/// As [`SchemeSessions::revoke_in_parts`].
pub async fn revoke_sessions(
    sessions: &NexusSessions,
    owner: &SmartAccountClient,
    variables: RevokeSessionsVariables,
) -> Result<UserOpResponse, AppError> {
    revoke_sessions_with(sessions, owner, variables, &|_| {}).await
}

/// [`revoke_sessions`], and `on_part` hears of each operation but the last.
///
/// # Errors
/// As [`SchemeSessions::revoke_in_parts`].
pub async fn revoke_sessions_with(
    sessions: &NexusSessions,
    owner: &SmartAccountClient,
    variables: RevokeSessionsVariables,
    on_part: &dyn Fn(RevocationPart<'_>),
) -> Result<UserOpResponse, AppError> {
    let RevokeSessionsVariables { sessions: which, options, .. } = variables;
    let ids = match which {
        SessionsToRevoke::These(listed) => NexusSessions::ids_of(&listed)?,
        SessionsToRevoke::All => sessions.ids_in_force().await?,
    };
    if ids.is_empty() {
        return Err(AppError::SessionNotFound { wanted: "any session that can be used".into() });
    }
    let chain = owner.relay.chain_info().await?;
    sessions.revoke_in_parts(owner, &ids, &sponsored_where_possible(&chain, &options), on_part).await
}

/// Brings sessions back that were taken back: the same keys and policies, and what the chain counts begins at nothing.
///
/// # Errors
/// As [`SchemeSessions::bring_back`].
pub async fn restore_sessions(
    sessions: &NexusSessions,
    owner: &SmartAccountClient,
    variables: RestoreSessionsVariables,
) -> Result<UserOpResponse, AppError> {
    let RestoreSessionsVariables { session_ids, options, .. } = variables;
    let ids = NexusSessions::ids_of(&session_ids)?;
    let chain = owner.relay.chain_info().await?;
    let returned = sessions.bring_back(owner, &ids, &sponsored_where_possible(&chain, &options)).await?;
    Ok(response_to(owner.account, returned))
}

fn cannot(what: &str) -> AppError {
    AppError::kind_cannot(AccountKind::Nexus, what)
}
