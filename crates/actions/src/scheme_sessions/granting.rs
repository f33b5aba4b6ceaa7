//! Granting: the owner's operation that enables sessions, in steps.

use alloy::primitives::{Address, B256};
use futures::future::try_join;

use super::{GrantedKey, SchemeSessions};
use crate::{
    account::SmartAccountClient,
    clock::unix_seconds,
    default_paymaster::default_paymaster,
    enable_mode::EnableMode,
    error::AppError,
    fee_approval::approve_fee_first,
    native_rest::{complete_with_withdrawal, prepare_with_withdrawal, with_withdrawal},
    options::BuildUserOpOptions,
    prepare_user_operation::{ChainSnapshot, PreparedUserOperation, read_owner_snapshot},
    random,
    send_transaction::{complete_transaction, prepare_owner_operation},
    send_user_operation::may_have_arrived,
    token_payment,
};
use use_aa_protocol::{
    call::Call,
    foreign_text,
    lint::Severity,
    policy::SessionPolicy,
    session_scheme::{AboutSession, ActionLimits, OnChain, SessionLimits, SessionScheme, SessionTerms, Stored},
    user_op_response::UserOpResponse,
};

/// What is to be granted.
#[derive(Clone, Debug, Default)]
pub struct SessionGrant {
    /// What the session may do.
    pub policies: Vec<(SessionPolicy, ActionLimits)>,
    /// What holds of all that it does.
    pub limits: SessionLimits,
    /// How the owner's operation is built.
    pub options: BuildUserOpOptions,
    /// A name for people, kept in the store only.
    pub label: Option<String>,
}

/// Several sessions of one key, in one operation.
#[derive(Clone, Debug, Default)]
pub struct SessionGrants {
    /// What each of them may do.
    pub sessions: Vec<Vec<(SessionPolicy, ActionLimits)>>,
    /// What holds of all that each of them does.
    pub limits: SessionLimits,
    /// How the owner's operation is built.
    pub options: BuildUserOpOptions,
    /// A name for people, kept in the store only.
    pub label: Option<String>,
    /// Without a paymaster in the options it is sponsored wherever the server sponsors pages, and its sessions' uses may be,
    /// too.
    pub sponsored_where_possible: bool,
    /// When the sessions are put on chain.
    pub enable: EnableMode,
    /// The operation sends the account's native currency, balance and deposit, to the owner; where the account pays for it,
    /// what it may cost stays. A grant by signature sends nothing.
    pub withdraw_native: bool,
}

/// What a grant made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedSessions {
    /// Ids of the sessions, in their order.
    pub ids: Vec<B256>,
    /// Address of their key.
    pub session_key: Address,
    /// The operation.
    pub response: UserOpResponse,
}

/// A grant that lacks only the owner's signature. Nothing of it is stored yet.
#[derive(Clone, Debug)]
pub struct PreparedGrant<S> {
    sessions: Vec<S>,
    pub(super) key: GrantedKey,
    label: Option<String>,
    operation: PreparedUserOperation,
    withdrawal: Option<Withdrawal>,
}

/// What an operation is made of that sends the native currency to the owner, too.
#[derive(Clone, Debug)]
struct Withdrawal {
    calls: Vec<Call>,
    options: BuildUserOpOptions,
}

impl<S> PreparedGrant<S> {
    /// The operation: hash, gas, who pays.
    pub fn operation(&self) -> &PreparedUserOperation {
        &self.operation
    }

    /// The sessions as they will be stored.
    pub fn sessions(&self) -> &[S] {
        &self.sessions
    }
}

/// A grant before anybody pays for it.
pub(super) struct DraftedGrant<S> {
    pub sessions: Vec<S>,
    pub key: GrantedKey,
    pub label: Option<String>,
    calls: Vec<Call>,
    options: BuildUserOpOptions,
    pub snapshot: ChainSnapshot,
    enable: EnableMode,
    withdraw_native: bool,
}

impl<S: SessionScheme> SchemeSessions<S> {
    /// Makes a key, keeps it, and has the owner grant it a session. The session can be used once the operation is mined.
    ///
    /// # Errors
    /// `PolicyRefused` for what must not be granted; those of preparing, the wallet, the bundler and the store. Where the
    /// operation cannot have arrived, nothing stays in the store.
    pub async fn grant(
        &self,
        owner: &SmartAccountClient,
        grant: SessionGrant,
    ) -> Result<(B256, UserOpResponse), AppError> {
        let SessionGrant { policies, limits, options, label } = grant;
        let sessions = vec![policies];
        let grants = SessionGrants { sessions, limits, options, label, ..SessionGrants::default() };
        let granted = self.grant_several(owner, grants).await?;
        let id = granted.ids.first().copied().unwrap_or_default();
        Ok((id, granted.response))
    }

    /// [`Self::grant`] for several sessions of one key, in one operation.
    ///
    /// # Errors
    /// As [`Self::grant`].
    pub async fn grant_several(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
    ) -> Result<GrantedSessions, AppError> {
        self.grant_several_with(owner, grants, &|_| {}).await
    }

    /// [`Self::grant_several`], and `on_approval` hears of an approval that goes before.
    ///
    /// # Errors
    /// As [`Self::grant`].
    pub async fn grant_several_with(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
        on_approval: &dyn Fn(&UserOpResponse),
    ) -> Result<GrantedSessions, AppError> {
        if grants.enable == EnableMode::WithFirstUse {
            if grants.withdraw_native {
                let expected = "false: a grant by signature sends nothing";
                return Err(AppError::invalid("withdrawNative", expected, true));
            }
            return self.grant_by_signature(owner, grants).await;
        }
        let prepared = self.approve_and_prepare_grant(owner, grants, on_approval).await?;
        self.complete_grant(owner, prepared).await
    }

    /// [`Self::prepare_grant`] after the owner has approved the fee, where that is paid in a token and an approval of its own
    /// is missing ([`approve_fee_first`]).
    ///
    /// # Errors
    /// As [`Self::prepare_grant`] and [`approve_fee_first`].
    pub async fn approve_and_prepare_grant(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
        on_approval: &dyn Fn(&UserOpResponse),
    ) -> Result<PreparedGrant<S::Session>, AppError> {
        let mut drafted = self.draft_grant(owner, grants, GrantedKey::new()?).await?;
        let quoted = match drafted.withdraw_native {
            true => with_withdrawal(owner, &drafted.snapshot, &drafted.calls).await?,
            false => drafted.calls.clone(),
        };
        let options = approve_fee_first(owner, &quoted, &drafted.options, on_approval).await?;
        if options != drafted.options {
            // The approval took a nonce, and may have created the account.
            drafted.snapshot = read_owner_snapshot(owner, &options).await?;
            drafted.options = options;
        }
        self.build_grant(owner, drafted).await
    }

    /// All of [`Self::grant_several`] but store, sign and send: while a person reads.
    ///
    /// # Errors
    /// `PolicyRefused` for what must not be granted; those of preparing.
    pub async fn prepare_grant(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
    ) -> Result<PreparedGrant<S::Session>, AppError> {
        self.prepare_grant_of(owner, grants, GrantedKey::new()?).await
    }

    /// [`Self::prepare_grant`] with this key.
    pub(crate) async fn prepare_grant_of(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
        key: GrantedKey,
    ) -> Result<PreparedGrant<S::Session>, AppError> {
        let drafted = self.draft_grant(owner, grants, key).await?;
        self.build_grant(owner, drafted).await
    }

    /// Sessions and calls of a grant, before anybody pays for it.
    pub(super) async fn draft_grant(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
        key: GrantedKey,
    ) -> Result<DraftedGrant<S::Session>, AppError> {
        self.check_owner(owner)?;
        let account = self.kind.address();
        let (snapshot, known) = try_join(read_owner_snapshot(owner, &grants.options), self.read()).await?;
        let (mut options, mut limits) = (grants.options, grants.limits);
        if grants.sponsored_where_possible {
            limits.sponsored |= snapshot.chain.sponsors_pages();
            // Who pays for the grant in a token may pay so for its uses.
            limits.sponsored |= token_payment::asked(&options).is_some();
            options = default_paymaster(&snapshot, &options);
        }
        let now = snapshot.now().latest();
        let on_chain = OnChain { account, modules: &snapshot.account.modules, sessions: &known.on_chain };
        let mut sessions = Vec::new();
        for policies in &grants.sessions {
            let session = S::session(&SessionTerms {
                account,
                policies,
                limits: limits.clone(),
                session_key: key.address(),
                salt: random::word()?,
                now,
            })?;
            let found = S::lint(&session, &on_chain, now);
            if let Some(stop) = found.into_iter().find(|found| found.severity == Severity::Stop) {
                return Err(AppError::PolicyRefused { reason: stop.text });
            }
            sessions.push(session);
        }
        let calls = S::grant_calls(&on_chain, &sessions)?;
        let label = grants.label.as_deref().and_then(foreign_text::name);
        let (enable, withdraw_native) = (grants.enable, grants.withdraw_native);
        Ok(DraftedGrant { sessions, key, label, calls, options, snapshot, enable, withdraw_native })
    }

    async fn build_grant(
        &self,
        owner: &SmartAccountClient,
        drafted: DraftedGrant<S::Session>,
    ) -> Result<PreparedGrant<S::Session>, AppError> {
        if drafted.enable == EnableMode::WithFirstUse {
            let expected = "a grant by an operation: one by signature has nothing to prepare";
            return Err(AppError::invalid("enable", expected, "WithFirstUse"));
        }
        let DraftedGrant { sessions, key, label, calls, options, snapshot, withdraw_native, .. } = drafted;
        let (operation, withdrawal) = match withdraw_native {
            true => {
                let operation = prepare_with_withdrawal(owner, &snapshot, calls.clone(), &options).await?;
                (operation, Some(Withdrawal { calls, options }))
            }
            false => (prepare_owner_operation(owner, &snapshot, &calls, &options).await?, None),
        };
        Ok(PreparedGrant { sessions, key, label, operation, withdrawal })
    }

    /// Keeps key and sessions of a prepared grant, has the owner sign it, and sends it.
    ///
    /// # Errors
    /// Those of the wallet, the bundler and the store.
    pub async fn complete_grant(
        &self,
        owner: &SmartAccountClient,
        grant: PreparedGrant<S::Session>,
    ) -> Result<GrantedSessions, AppError> {
        let account = self.kind.address();
        let PreparedGrant { sessions, key, label, operation, withdrawal } = grant;
        let ids = sessions.iter().map(S::id).collect::<Vec<_>>();
        let about = AboutSession {
            label,
            created_at: Some(unix_seconds()),
            granted_by: Some(operation.user_op_hash),
            nodes: key.at_nodes().cloned(),
            ..AboutSession::default()
        };
        let keep = async {
            key.put(self.store.as_ref(), account).await?;
            for session in sessions {
                self.put(Stored { session, ending: false, about: about.clone() }).await?;
            }
            Ok::<_, AppError>(())
        };
        if let Err(error) = keep.await {
            // Nobody has signed: what was kept of it is of no use. What cannot be taken back says nothing more.
            self.take_back(account, &ids, key.address()).await.ok();
            return Err(error);
        }
        let sent = match withdrawal {
            Some(Withdrawal { calls, options }) => complete_with_withdrawal(owner, &operation, calls, &options).await,
            None => complete_transaction(owner, &operation).await,
        };
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                if !may_have_arrived(&error) {
                    self.take_back(account, &ids, key.address()).await?;
                }
                return Err(error);
            }
        };
        if response.user_op_hash != operation.user_op_hash {
            // It was sent with higher fees. Should there be no room for its hash, the chain tells what became of it.
            for id in &ids {
                let sent = |stored: &mut Stored<S::Session>| stored.about.granted_by = Some(response.user_op_hash);
                self.change(*id, sent).await.ok();
            }
        }
        Ok(GrantedSessions { ids, session_key: key.address(), response })
    }

    /// Takes a grant out of the store that came to nothing.
    async fn take_back(&self, account: Address, ids: &[B256], session_key: Address) -> Result<(), AppError> {
        for id in ids {
            self.store.put_record(account, S::NAME, *id, None).await?;
        }
        self.store.remove_signer(account, session_key).await
    }
}
