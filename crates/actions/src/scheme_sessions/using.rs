//! Using: an operation that a session's key signs, in steps.

use alloy::primitives::{Address, B256};
use futures::future::try_join;

use super::{SchemeSessions, SessionChoice, Standing};
use crate::{
    default_paymaster::default_paymaster,
    error::{AppError, Upstream},
    options::BuildUserOpOptions,
    ports::DistributedKeys,
    prepare_user_operation::{PreparedUserOperation, UserOperationDraft, prepare_user_operation, read_snapshot_of},
    raise_fees::raised,
    send_user_operation::{may_have_arrived, send_user_operation},
    session_choice::KeyPlace,
};
use use_aa_protocol::{
    call::Call,
    clocks::Clocks,
    revert::revert_data,
    session_scheme::{OnChain, SessionCalls, SessionScheme},
    user_op_response::UserOpResponse,
};

/// What is to be done, and when.
pub(super) struct Calling<'a> {
    pub account: Address,
    pub calls: &'a [Call],
    pub now: Clocks,
    /// Who holds the key that is to sign.
    pub holder: KeyPlace,
}

/// A use that lacks only the session key's signature.
#[derive(Clone, Debug)]
pub struct PreparedUse<S> {
    session: S,
    modules: Vec<Address>,
    on_chain: Vec<S>,
    operation: PreparedUserOperation,
    enables: bool,
}

impl<S> PreparedUse<S> {
    /// The operation: hash, gas, who pays.
    pub fn operation(&self) -> &PreparedUserOperation {
        &self.operation
    }

    /// It enables the session, which the owner has signed for: no other use may be on its way then.
    pub fn enables(&self) -> bool {
        self.enables
    }

    /// The session that is used.
    pub fn session(&self) -> &S {
        &self.session
    }
}

impl<S: SessionScheme> SchemeSessions<S> {
    /// Makes the account do what a session allows. Its key signs, nobody else. The account pays unless the options name a
    /// paymaster: not every session may be sponsored.
    ///
    /// # Errors
    /// `SessionNotFound` for one that is not stored, or that the chain has not; `PolicyViolation` for what its policies
    /// refuse, by what is known here or by what the chain says; those of preparing and sending.
    pub async fn use_session(
        &self,
        id: B256,
        calls: &[Call],
        options: &BuildUserOpOptions,
    ) -> Result<UserOpResponse, AppError> {
        self.use_one(&SessionChoice::Id(id), calls, options, false).await
    }

    /// [`Self::use_session`] with the session that is meant. `as_in_pages`: without a paymaster in the options others pay
    /// wherever the server sponsors pages and the session allows it, and what is left of its limits is asked before anybody
    /// else is.
    ///
    /// # Errors
    /// As [`Self::use_session`]; those of the choice.
    pub async fn use_one(
        &self,
        choice: &SessionChoice,
        calls: &[Call],
        options: &BuildUserOpOptions,
        as_in_pages: bool,
    ) -> Result<UserOpResponse, AppError> {
        let prepared = self.prepare_use(choice, calls, options, as_in_pages).await?;
        self.complete_use(&prepared).await
    }

    /// [`Self::use_one`] as in pages, of a session whose key these nodes share: they sign.
    ///
    /// # Errors
    /// As [`Self::use_one`]; `InvalidInput` for one that was granted for another chain; `TooFewNodes`; `NodeRefused` and
    /// `PolicyViolation` when a node says no.
    pub async fn use_one_by_nodes(
        &self,
        keys: &dyn DistributedKeys,
        choice: &SessionChoice,
        calls: &[Call],
        options: &BuildUserOpOptions,
    ) -> Result<UserOpResponse, AppError> {
        let prepared = self.prepare_use_of(KeyPlace::Nodes, choice, calls, options, true).await?;
        self.sign_and_send(&prepared, Some(keys)).await
    }

    /// All of [`Self::use_one`] but sign and send: ahead of the click.
    ///
    /// # Errors
    /// Those of the choice, of the session's policies, and of preparing.
    pub async fn prepare_use(
        &self,
        choice: &SessionChoice,
        calls: &[Call],
        options: &BuildUserOpOptions,
        as_in_pages: bool,
    ) -> Result<PreparedUse<S::Session>, AppError> {
        self.prepare_use_of(KeyPlace::Store, choice, calls, options, as_in_pages).await
    }

    async fn prepare_use_of(
        &self,
        holder: KeyPlace,
        choice: &SessionChoice,
        calls: &[Call],
        options: &BuildUserOpOptions,
        as_in_pages: bool,
    ) -> Result<PreparedUse<S::Session>, AppError> {
        let (relay, account) = (self.relay.as_ref(), self.kind.address());
        let snapshot = read_snapshot_of(self.kind.as_ref(), relay, options, S::nonce_key);
        let (snapshot, known) = try_join(snapshot, self.read()).await?;
        let deployed = snapshot.account.deployed;
        // Without code it has no sessions, but those whose first use creates it, too.
        if !deployed && known.ids_in_force().is_empty() {
            return Err(AppError::AccountNotDeployed { account });
        }
        let calling = Calling { account, calls, now: snapshot.now(), holder };
        let session = self.choose(choice, &known, &calling).await?;
        let sponsored = as_in_pages && S::may_be_sponsored(session);
        let options = &if sponsored { default_paymaster(&snapshot, options) } else { options.clone() };
        let call_data = self.kind.encode_calls(calls, options.force_encode_for_batch.unwrap_or(false))?;
        let sponsored = options.paymaster_service_data.as_ref().is_some_and(|data| data.mode.is_some());
        let now = snapshot.now().latest();
        S::judge(session, &SessionCalls { account, calls, call_data: &call_data, sponsored, now })?;
        let enables = known.standing(S::id(session)) == Standing::Waiting;
        if !deployed && !enables {
            return Err(AppError::AccountNotDeployed { account });
        }
        if as_in_pages && !enables {
            self.check_left(session, calls).await?;
        }
        let on_chain = OnChain { account, modules: &snapshot.account.modules, sessions: &known.on_chain };
        let draft = UserOperationDraft {
            entry_point: self.kind.entry_point(),
            sender: account,
            init_code: if deployed { Default::default() } else { self.kind.init_code() },
            call_data,
            dummy_signature: S::use_stub(&on_chain, session)?,
        };
        let operation = prepare_user_operation(relay, &snapshot, draft, options).await.map_err(told::<S>)?;
        let session = session.clone();
        Ok(PreparedUse { session, modules: snapshot.account.modules, on_chain: known.on_chain, operation, enables })
    }

    /// Can it be sent as it was prepared? It is young enough, and the session still allows it.
    pub fn is_ready(&self, prepared: &PreparedUse<S::Session>) -> bool {
        let PreparedUse { session, operation, .. } = prepared;
        let call_data = &operation.user_operation.call_data;
        let Ok(calls) = self.kind.decode_calls(call_data) else { return false };
        let (sponsored, now) = (operation.is_sponsored(), operation.now().latest());
        let used = SessionCalls { account: self.kind.address(), calls: &calls, call_data, sponsored, now };
        operation.is_fresh() && S::judge(session, &used).is_ok()
    }

    /// Signs with the session's key, and sends.
    ///
    /// # Errors
    /// `SessionNotFound` where the store has not the key; those of sending.
    pub async fn complete_use(&self, prepared: &PreparedUse<S::Session>) -> Result<UserOpResponse, AppError> {
        self.sign_and_send(prepared, None).await
    }

    async fn sign_and_send(
        &self,
        prepared: &PreparedUse<S::Session>,
        keys: Option<&dyn DistributedKeys>,
    ) -> Result<UserOpResponse, AppError> {
        let (relay, account) = (self.relay.as_ref(), self.kind.address());
        let PreparedUse { session, modules, on_chain, operation, enables } = prepared;
        let on_chain = OnChain { account, modules, sessions: on_chain };
        let signer = self.signer(keys, session, operation.chain.chain_id).await?;
        let sign_and_send = async |prepared: &PreparedUserOperation| {
            let mut signed = prepared.user_operation.clone();
            // Which session it is for, the nodes must know.
            signed.signature = S::use_signature(&on_chain, session, &[])?;
            let signature = signer.sign(&signed, prepared.user_op_hash).await?;
            signed.signature = S::use_signature(&on_chain, session, &signature)?;
            if *enables {
                self.note_first_use(S::id(session), prepared.user_op_hash).await?;
            }
            send_user_operation(relay, &signed, prepared).await
        };
        let refusal = match sign_and_send(operation).await {
            Ok(response) => return Ok(response),
            Err(refusal) => refusal,
        };
        let mut noted = vec![operation.user_op_hash];
        let outcome = match raised(relay, operation, &refusal).await {
            Ok(Some(higher)) => {
                noted.push(higher.user_op_hash);
                sign_and_send(&higher).await
            }
            Ok(None) => Err(refusal),
            Err(error) => Err(error),
        };
        if let (true, Err(error)) = (*enables, &outcome)
            && !may_have_arrived(error)
        {
            self.no_first_use(S::id(session), &noted).await?;
        }
        outcome.map_err(told::<S>)
    }
}

/// A bundler's refusal that is a policy's.
fn told<S: SessionScheme>(error: AppError) -> AppError {
    let AppError::UpstreamRejected { upstream: Upstream::Bundler, message, data, .. } = &error else { return error };
    let reverted = data.as_deref().and_then(revert_data);
    S::refusal(message, reverted.as_ref().map(AsRef::as_ref)).map_or(error, AppError::from)
}
