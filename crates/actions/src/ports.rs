//! What the actions need from the world: a wallet, a relay, a session store.
//!
//! The browser's implementations live in `use_aa::client`, others in [`crate::adapters`]; tests and natively running
//! programs bring their own. Futures need not be `Send`: a wallet lives in one page.

use std::collections::BTreeSet;

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::local::PrivateKeySigner,
};
use async_trait::async_trait;
use futures::stream::LocalBoxStream;

use crate::error::AppError;
use use_aa_protocol::{
    distributed_key::{
        EphemeralKey, KeyAttestation, KeyNetwork, KeyOffer, NodeNonce, Revocation, SignOutcome, SignRequest,
        SignedGrant, TypedData,
    },
    paymaster::{FeeQuotes, FeeQuotesRequest},
    rpc::{AccountState, ChainInfo, GasEstimate, GasFees, SimulationType, SponsorContext, Sponsorship, UserOpUpdate},
    session::{PublishedLeaves, SessionBook},
    user_operation::UserOperation,
};

/// The owner's wallet.
#[async_trait(?Send)]
pub trait Wallet {
    /// Address of the owner (an externally owned account).
    fn address(&self) -> Address;
    /// Chain the wallet is on now.
    async fn chain_id(&self) -> Result<u64, AppError>;
    /// `personal_sign` (EIP-191) over the raw bytes; 65 bytes `r‖s‖v`, v 27 or 28.
    async fn sign_message(&self, message: &[u8]) -> Result<Bytes, AppError>;
    /// `eth_signTypedData_v4` (EIP-712); 65 bytes `r‖s‖v`, v 27 or 28.
    async fn sign_typed_data(&self, typed_data: &TypedData) -> Result<Bytes, AppError>;
    /// The next request to sign is for what was just signed, with higher fees: the bundler did not take it for less, and
    /// nothing was sent. For whoever shows people what they are asked.
    fn signs_again(&self) {}
}

/// The way to chain, bundler and paymaster: our server.
#[async_trait(?Send)]
pub trait Relay {
    /// Chain and services, as the server is configured. Implementations cache it.
    async fn chain_info(&self) -> Result<ChainInfo, AppError>;
    /// State of an account; `nonce_key` is the 192-bit lane of the nonce that is asked for.
    async fn account_state(&self, account: Address, nonce_key: U256) -> Result<AccountState, AppError>;
    /// A read-only JSON-RPC call that the server's allow-list passes on.
    async fn read(&self, method: &str, params: serde_json::Value) -> Result<serde_json::Value, AppError>;
    /// Fees to offer now.
    async fn gas_fees(&self) -> Result<GasFees, AppError>;
    /// Gas limits from the bundler, for an operation with a dummy signature.
    async fn estimate(
        &self,
        user_operation: &UserOperation,
        state_override: Option<serde_json::Value>,
    ) -> Result<GasEstimate, AppError>;
    /// Asks the paymaster to pay.
    async fn sponsor(&self, user_operation: &UserOperation, context: &SponsorContext) -> Result<Sponsorship, AppError>;
    /// Asks the paymaster what gas would cost in tokens. The operation carries its gas limits.
    async fn fee_quotes(
        &self,
        user_operation: &UserOperation,
        request: &FeeQuotesRequest,
    ) -> Result<FeeQuotes, AppError>;
    /// Publishes the leaves under the root that the account has on chain now, for its owner's other devices.
    async fn publish_sessions(&self, account: Address, leaves: &PublishedLeaves) -> Result<(), AppError>;
    /// The leaves under this root, when somebody has published them. Not to be believed before they are hashed.
    async fn published_sessions(&self, account: Address, root: B256) -> Result<Option<PublishedLeaves>, AppError>;
    /// Hands the signed operation to the bundler; the result is its hash. `simulation_type` only where the caller
    /// asked for one: most bundlers refuse it.
    async fn send(
        &self,
        user_operation: &UserOperation,
        simulation_type: Option<SimulationType>,
    ) -> Result<B256, AppError>;
    /// A signed operation that was sent, by its hash, while somebody behind the relay has it.
    async fn sent_operation(&self, _user_op_hash: B256) -> Result<Option<UserOperation>, AppError> {
        Ok(None)
    }
    /// Follows an operation to its end. Reconnects by itself; ends after a final update or an error
    /// that waiting cannot mend.
    fn watch(&self, user_op_hash: B256) -> LocalBoxStream<'static, Result<UserOpUpdate, AppError>>;
}

/// The nodes that share distributed keys, through our server, which is not trusted.
#[async_trait(?Send)]
pub trait DistributedKeys {
    /// How the network of nodes is.
    async fn network(&self) -> Result<KeyNetwork, AppError>;
    /// A key that belongs to nobody yet, and a nonce of every node; may take as long as a key takes to be made.
    async fn offer(&self) -> Result<KeyOffer, AppError>;
    /// Has every node bind the offered key to what the owner signed.
    async fn bind(&self, grant: &SignedGrant, nonces: &[NodeNonce]) -> Result<Vec<KeyAttestation>, AppError>;
    /// Nonces of `threshold` nodes that answer.
    async fn challenge(&self, threshold: u8) -> Result<Vec<NodeNonce>, AppError>;
    /// Has the nodes of the request sign.
    async fn sign(
        &self,
        request: &SignRequest,
        nonces: &[NodeNonce],
        session_key_address: Address,
    ) -> Result<SignOutcome, AppError>;
    /// Tells the nodes that a grant is taken back.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), AppError>;
}

/// A change to a [`SessionBook`], applied under the store's lock.
pub type SessionBookChange<'a> = Box<dyn FnOnce(&mut SessionBook) -> Result<(), AppError> + 'a>;

/// A change to one record of a session scheme, applied under the store's lock: it gets the record as it is kept now, and
/// gives what is to be kept; `None`: nothing.
pub type RecordChange<'a> =
    Box<dyn FnOnce(Option<serde_json::Value>) -> Result<Option<serde_json::Value>, AppError> + 'a>;

/// Where the sessions of an account are kept.
#[async_trait(?Send)]
pub trait SessionStore {
    /// All leaves of the account, in insertion order (this order is the tree).
    async fn load(&self, account: Address) -> Result<SessionBook, AppError>;
    /// Reads, changes and writes as one step: two tabs do not lose each other's writes.
    /// When `change` fails nothing is written. Returns the book as written.
    async fn update(&self, account: Address, change: SessionBookChange<'_>) -> Result<SessionBook, AppError>;
    /// What a session scheme keeps of the account's sessions, in the order in which they came
    /// ([`SchemeSessions`](super::scheme_sessions::SchemeSessions)). Smart Account V2's are in the book.
    async fn records(&self, _account: Address, _scheme: &str) -> Result<Vec<serde_json::Value>, AppError> {
        Ok(Vec::new())
    }
    /// Reads, changes and writes one of them as one step, as [`Self::update`] does with the book: in its place, or behind
    /// the others; what becomes `None` is forgotten. When `change` fails nothing is written.
    async fn change_record(
        &self,
        _account: Address,
        scheme: &str,
        _id: B256,
        _change: RecordChange<'_>,
    ) -> Result<(), AppError> {
        Err(AppError::Storage { reason: format!("this store keeps no sessions of the scheme {scheme}") })
    }
    /// Keeps a record whatever is kept there, or forgets it.
    async fn put_record(
        &self,
        account: Address,
        scheme: &str,
        id: B256,
        record: Option<serde_json::Value>,
    ) -> Result<(), AppError> {
        self.change_record(account, scheme, id, Box::new(move |_| Ok(record))).await
    }
    /// Keeps the private key of a session; encrypted where the store outlives the process.
    async fn put_signer(&self, account: Address, signer: &PrivateKeySigner) -> Result<(), AppError>;
    /// The session key with this address, or [`AppError::SessionNotFound`].
    async fn signer(&self, account: Address, session_key_address: Address) -> Result<PrivateKeySigner, AppError>;
    /// Keeps the ephemeral key that speaks for a distributed session key; encrypted like session keys.
    async fn put_ephemeral_key(
        &self,
        _account: Address,
        _session_key_address: Address,
        _key: &EphemeralKey,
    ) -> Result<(), AppError> {
        Err(AppError::Storage { reason: "this store keeps no keys of distributed sessions".into() })
    }
    /// The ephemeral key for this distributed session key, or [`AppError::SessionNotFound`].
    async fn ephemeral_key(&self, _account: Address, session_key_address: Address) -> Result<EphemeralKey, AppError> {
        Err(AppError::SessionNotFound { wanted: format!("the page's key for {session_key_address}") })
    }
    /// Session keys that are stored here and that nobody can open any more: the store's own key is gone, or another.
    async fn lost_keys(&self, _account: Address) -> Result<BTreeSet<Address>, AppError> {
        Ok(BTreeSet::new())
    }
    /// Forgets a session key, or the ephemeral key of a distributed one; an unknown one is no error.
    async fn remove_signer(&self, account: Address, session_key_address: Address) -> Result<(), AppError>;
}
