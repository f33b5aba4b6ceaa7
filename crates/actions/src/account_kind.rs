//! [`AccountKind`]: what the verbs of a [`SmartAccountClient`](super::account::SmartAccountClient) must know of an account
//! and what differs between kinds. One file for each kind below; nothing outside of them names a kind's contracts.
//!
//! A kind is chosen before its code is needed: a client holds it as a trait object, so a page that never makes an account
//! of a kind loads none of its code.

use alloy::primitives::{Address, Bytes, U256};
use async_trait::async_trait;

use super::ports::Relay;
use crate::error::AppError;
use use_aa_protocol::{ProtocolError, call::Call, entry_point::EntryPoint, rpc::AccountState};

pub mod biconomy_v2;
pub mod nexus;

/// One account and its kind: where it is, how it is made, what its call data, nonces and signatures look like.
#[async_trait(?Send)]
pub trait AccountKind {
    /// Names the kind, and its release where that decides the address, in messages and stores.
    fn name(&self) -> &'static str;
    /// Who takes its operations.
    fn entry_point(&self) -> EntryPoint;
    /// Where it is, deployed or not.
    fn address(&self) -> Address;
    /// `initCode` of the operation that deploys it; empty where it is known to have code.
    fn init_code(&self) -> Bytes;
    /// Call data for one or several calls. `as_batch`: one call, too, is said as a batch, where the kind tells them apart.
    ///
    /// # Errors
    /// `Invalid` without a call.
    fn encode_calls(&self, calls: &[Call], as_batch: bool) -> Result<Bytes, ProtocolError>;
    /// The calls inside call data that [`Self::encode_calls`] makes.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    fn decode_calls(&self, call_data: &[u8]) -> Result<Vec<Call>, ProtocolError>;
    /// Key (192 bits) of the owner's nonces in a lane that a caller chose; 0 is the usual one.
    ///
    /// # Errors
    /// `Invalid` for a lane that the kind has not.
    fn owner_nonce_key(&self, lane: U256) -> Result<U256, ProtocolError>;
    /// An operation's signature of the right form by nobody, for estimates.
    fn owner_stub(&self) -> Bytes;
    /// An operation's signature around the owner's `personal_sign` of its hash.
    fn owner_signature(&self, signature: [u8; 65]) -> Bytes;
    /// A message's signature for `isValidSignature` (ERC-1271), or for whoever asks before the account is deployed
    /// (ERC-6492), around the owner's `personal_sign` of the message.
    ///
    /// # Errors
    /// `Invalid` where the account takes no such signatures.
    fn message_signature(&self, signature: [u8; 65], deployed: bool) -> Result<Bytes, ProtocolError>;
    /// The owner's signature of a bare digest, without `personal_sign`, as a deployed account takes it (ERC-1271).
    ///
    /// # Errors
    /// `Invalid` where the account takes no such signatures.
    fn consent_signature(&self, _signature: [u8; 65]) -> Result<Bytes, ProtocolError> {
        Err(ProtocolError::invalid("account", "a kind that takes signatures of bare digests", self.name()))
    }
    /// What the chain says of it now, with the next nonce under this key.
    ///
    /// # Errors
    /// Those of the [`Relay`].
    async fn read_state(&self, relay: &dyn Relay, nonce_key: U256) -> Result<AccountState, AppError>;
}
