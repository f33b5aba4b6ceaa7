//! [`SessionClient`]: a smart account together with the place where its sessions are kept, so that no verb is told of
//! either again.

use std::{ops::Deref, rc::Rc};

mod steps;

use super::{
    account::SmartAccountClient,
    create_batch_session::{CreateBatchSessionVariables, create_batch_session},
    create_session::{CreateSessionVariables, create_session},
    create_session_with_distributed_key::create_session_with_distributed_key,
    options::BuildUserOpOptions,
    ports::{DistributedKeys, SessionStore},
    restore_sessions::{RestoreSessionsVariables, restore_sessions},
    revoke_sessions::{RevokeSessionsVariables, revoke_sessions},
    send_with_batch_session::{SendWithBatchSessionRequest, send_with_batch_session},
    send_with_distributed_session::send_with_distributed_session,
    send_with_session::{SendWithSessionRequest, send_with_session},
    settle_revocation::settle_revocation,
    settle_session::settle_session,
    speed_up_user_operation::speed_up_session_change,
    sync_sessions::{SyncedSessions, sync_sessions},
};
use crate::error::AppError;
use use_aa_protocol::{
    rpc::{GasFees, UserOpReceipt},
    session::SessionBook,
    smart_account::Call,
    user_op_response::UserOpResponse,
    user_operation::UserOperation,
};

/// A [`SmartAccountClient`] with a store for its sessions and, where there are any, the nodes that share keys.
///
/// It is the client as well: what the owner does without sessions is called on it, too. The verbs are those of the
/// modules beside it with their first arguments given.
///
/// ```
/// # use std::{error::Error, rc::Rc};
/// # use alloy::{primitives::{Address, address}, sol};
/// # use use_aa_actions::{account::SmartAccountClient, ports::SessionStore};
/// use use_aa_actions::create_session::CreateSessionVariables;
/// use use_aa_protocol::{policy::{Condition, Policy}, smart_account::Call};
///
/// # const NFT: Address = address!("7671fEc09dFa0eA0DC636626EE753350e2860D91");
/// sol! { function safeMint(address to); }
///
/// # async fn example(client: SmartAccountClient, store: Rc<dyn SessionStore>) -> Result<(), Box<dyn Error>> {
/// let account = client.with_sessions(store);
/// let me = account.get_account_address();
/// let mint = Policy::new(NFT, "safeMint(address to)").with_rule_on("to", Condition::Equal, me)?;
/// let granted = account.create_session(CreateSessionVariables { policy: vec![mint], ..Default::default() }).await?;
/// account.settle(&granted).await?;
///
/// let used = account.use_session(vec![Call::to(NFT, &safeMintCall { to: me })]).await?;
/// println!("{}", account.wait(&used).await?.transaction_hash);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SessionClient {
    client: SmartAccountClient,
    store: Rc<dyn SessionStore>,
    keys: Option<Rc<dyn DistributedKeys>>,
}

impl SmartAccountClient {
    /// This client with a store for the account's sessions.
    pub fn with_sessions(self, store: Rc<dyn SessionStore>) -> SessionClient {
        SessionClient { client: self, store, keys: None }
    }
}

impl Deref for SessionClient {
    type Target = SmartAccountClient;

    fn deref(&self) -> &Self::Target {
        &self.client
    }
}

impl SessionClient {
    /// The same with the nodes that share distributed keys.
    #[must_use]
    pub fn with_distributed_keys(mut self, keys: Rc<dyn DistributedKeys>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Where the sessions are kept.
    pub fn store(&self) -> &dyn SessionStore {
        self.store.as_ref()
    }

    /// The stored sessions, as they were last written: [`Self::sync_sessions`] compares them with the chain.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn sessions(&self) -> Result<SessionBook, AppError> {
        self.store.load(self.account).await
    }

    /// [`create_session`]: grants sessions for single calls. Follow it with [`Self::settle`].
    ///
    /// # Errors
    /// Those of [`create_session`].
    pub async fn create_session(&self, request: CreateSessionVariables) -> Result<UserOpResponse, AppError> {
        create_session(self, self.store(), request).await
    }

    /// [`create_batch_session`]: grants sessions that can be used together. Follow it with [`Self::settle`].
    ///
    /// # Errors
    /// Those of [`create_batch_session`].
    pub async fn create_batch_session(&self, request: CreateBatchSessionVariables) -> Result<UserOpResponse, AppError> {
        create_batch_session(self, self.store(), request).await
    }

    /// [`create_session_with_distributed_key`]: the key is shared by nodes. Follow it with [`Self::settle`].
    ///
    /// # Errors
    /// Those of [`create_session_with_distributed_key`]; `InvalidInput` without
    /// [`Self::with_distributed_keys`].
    pub async fn create_session_with_distributed_key(
        &self,
        request: CreateSessionVariables,
    ) -> Result<UserOpResponse, AppError> {
        create_session_with_distributed_key(self, self.store(), self.keys()?, request).await
    }

    /// Does the calls by sessions, without the owner: one call by the newest session that can be used, several by the
    /// newest of one key that allow them all, in one operation. [`Self::use_session_with`] chooses.
    ///
    /// # Errors
    /// Those of [`send_with_session`] and [`send_with_batch_session`].
    pub async fn use_session(&self, calls: Vec<Call>) -> Result<UserOpResponse, AppError> {
        let (account, options) = (self.account, BuildUserOpOptions::default());
        let (relay, store) = (self.relay.as_ref(), self.store());
        match calls.len() {
            0 | 1 => {
                let request = SendWithSessionRequest { account, calls, options, ..Default::default() };
                send_with_session(relay, store, request).await
            }
            _ => {
                let request = SendWithBatchSessionRequest { account, calls, options, ..Default::default() };
                send_with_batch_session(relay, store, request).await
            }
        }
    }

    /// [`send_with_session`], for this account whatever the request says.
    ///
    /// # Errors
    /// Those of [`send_with_session`].
    pub async fn use_session_with(&self, request: SendWithSessionRequest) -> Result<UserOpResponse, AppError> {
        let request = SendWithSessionRequest { account: self.account, ..request };
        send_with_session(self.relay.as_ref(), self.store(), request).await
    }

    /// [`send_with_batch_session`], for this account whatever the request says.
    ///
    /// # Errors
    /// Those of [`send_with_batch_session`].
    pub async fn use_batch_session_with(
        &self,
        request: SendWithBatchSessionRequest,
    ) -> Result<UserOpResponse, AppError> {
        let request = SendWithBatchSessionRequest { account: self.account, ..request };
        send_with_batch_session(self.relay.as_ref(), self.store(), request).await
    }

    /// [`send_with_distributed_session`], for this account whatever the request says.
    ///
    /// # Errors
    /// Those of [`send_with_distributed_session`]; `InvalidInput` without [`Self::with_distributed_keys`].
    pub async fn use_distributed_session_with(
        &self,
        request: SendWithSessionRequest,
    ) -> Result<UserOpResponse, AppError> {
        let request = SendWithSessionRequest { account: self.account, ..request };
        send_with_distributed_session(self.relay.as_ref(), self.store(), self.keys()?, request).await
    }

    /// [`revoke_sessions`]: takes sessions back. Follow it with [`Self::settle_revocation`].
    ///
    /// # Errors
    /// Those of [`revoke_sessions`].
    pub async fn revoke_sessions(&self, request: RevokeSessionsVariables) -> Result<UserOpResponse, AppError> {
        revoke_sessions(self, self.store(), request).await
    }

    /// [`restore_sessions`]: brings revoked sessions back. Follow it with [`Self::settle`].
    ///
    /// # Errors
    /// Those of [`restore_sessions`].
    pub async fn restore_sessions(&self, request: RestoreSessionsVariables) -> Result<UserOpResponse, AppError> {
        restore_sessions(self, self.store(), request).await
    }

    /// [`settle_session`], without news on the way: follows a grant to its end, which makes its sessions usable.
    ///
    /// # Errors
    /// Those of [`settle_session`].
    pub async fn settle(&self, granted: &UserOpResponse) -> Result<UserOpReceipt, AppError> {
        settle_session(self.relay.as_ref(), self.store(), self.account, granted.user_op_hash, |_| {}).await
    }

    /// [`settle_revocation`], without news on the way.
    ///
    /// # Errors
    /// Those of [`settle_revocation`].
    pub async fn settle_revocation(&self, revoked: &UserOpResponse) -> Result<UserOpReceipt, AppError> {
        settle_revocation(self.relay.as_ref(), self.store(), self.account, revoked.user_op_hash, |_| {}).await
    }

    /// [`speed_up_session_change`]: overtakes what the owner signed and is stuck, a grant or a revocation, too.
    ///
    /// # Errors
    /// Those of [`speed_up_session_change`].
    pub async fn speed_up(&self, stuck: &UserOperation, fees: &GasFees) -> Result<UserOpResponse, AppError> {
        speed_up_session_change(self, self.store(), stuck, fees).await
    }

    /// [`sync_sessions`]: brings the stored sessions in line with the chain and with what other devices published.
    ///
    /// # Errors
    /// Those of [`sync_sessions`].
    pub async fn sync_sessions(&self) -> Result<SyncedSessions, AppError> {
        sync_sessions(self.relay.as_ref(), self.store(), self.account).await
    }

    fn keys(&self) -> Result<&dyn DistributedKeys, AppError> {
        let missing = || AppError::invalid("keys", "nodes that share keys (`with_distributed_keys`)", "none");
        self.keys.as_deref().ok_or_else(missing)
    }
}

impl std::fmt::Debug for SessionClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionClient").field("client", &self.client).finish_non_exhaustive()
    }
}
