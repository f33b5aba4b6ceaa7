//! Biconomy Smart Account V2: the ECDSA module answers for the owner, our server reads its state.

use alloy::primitives::{Address, Bytes, U256};
use async_trait::async_trait;

use super::AccountKind;
use crate::{error::AppError, ports::Relay};
use use_aa_protocol::{
    ProtocolError,
    accounts::biconomy_v2::{self, ENTRY_POINT},
    call::Call,
    entry_point::EntryPoint,
    rpc::AccountState,
    signature::counterfactual,
};

/// An account of this kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BiconomyV2 {
    address: Address,
    init_code: Bytes,
}

impl BiconomyV2 {
    /// The owner's account of index 0 with the ECDSA module (docs/protocol.md 2.2).
    pub fn of_owner(owner: Address) -> Self {
        let template = biconomy_v2::AccountTemplate::ecdsa(owner);
        Self { address: template.address(U256::ZERO), init_code: template.init_code(U256::ZERO) }
    }

    /// One that has code, whoever owns it.
    pub fn deployed(address: Address) -> Self {
        Self { address, init_code: Bytes::new() }
    }
}

#[async_trait(?Send)]
impl AccountKind for BiconomyV2 {
    fn name(&self) -> &'static str {
        biconomy_v2::NAME
    }

    fn entry_point(&self) -> EntryPoint {
        ENTRY_POINT
    }

    fn address(&self) -> Address {
        self.address
    }

    fn init_code(&self) -> Bytes {
        self.init_code.clone()
    }

    fn encode_calls(&self, calls: &[Call], as_batch: bool) -> Result<Bytes, ProtocolError> {
        biconomy_v2::encode_calls(calls, as_batch)
    }

    fn decode_calls(&self, call_data: &[u8]) -> Result<Vec<Call>, ProtocolError> {
        biconomy_v2::decode_calls(call_data)
    }

    fn owner_nonce_key(&self, lane: U256) -> Result<U256, ProtocolError> {
        Ok(lane)
    }

    fn owner_stub(&self) -> Bytes {
        biconomy_v2::owner_stub()
    }

    fn owner_signature(&self, signature: [u8; 65]) -> Bytes {
        biconomy_v2::owner_signature(&signature)
    }

    fn message_signature(&self, signature: [u8; 65], deployed: bool) -> Result<Bytes, ProtocolError> {
        let wrapped = biconomy_v2::owner_signature(&signature);
        Ok(match self.init_code.split_first_chunk::<20>() {
            Some((factory, data)) if !deployed => counterfactual((*factory).into(), data.to_vec().into(), wrapped),
            _ => wrapped,
        })
    }

    async fn read_state(&self, relay: &dyn Relay, nonce_key: U256) -> Result<AccountState, AppError> {
        relay.account_state(self.address, nonce_key).await
    }
}
