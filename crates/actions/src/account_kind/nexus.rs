//! Biconomy Nexus. Its address is asked of the factory once, checked and stored ([`NexusAccount`]); from then on the stored
//! account says which release it is of, and nobody guesses.

mod distributed;
mod verbs;

use std::rc::Rc;

use alloy::primitives::{Address, B256, Bytes, U256};
use async_trait::async_trait;
use futures::future::{join, try_join};
use serde_json::json;

use super::AccountKind;
use crate::{
    account::SmartAccountClient,
    chain_reads::{Block, Quantity, eth_call, eth_call_word, malformed, read},
    clock::unix_seconds,
    error::AppError,
    ports::{Relay, Wallet},
};
use use_aa_protocol::{
    ProtocolError,
    call::Call,
    clocks::Clocks,
    entry_point::EntryPoint,
    nexus::{
        self, AddressScheme, ENTRY_POINT, GrantSigning, NexusAccount, NexusRelease, NexusSetup, NonceKey,
        STUB_SIGNATURE, compute_address_call, computed_address, decode_validators, validators_call,
    },
    rpc::AccountState,
    signature::counterfactual,
};

pub use distributed::{create_session_with_distributed_key, send_with_distributed_session};
pub use verbs::{
    NexusSessions, batch_session_grants, create_batch_session, create_session, owner_setup,
    prepare_send_with_batch_session, prepare_send_with_session, response_to, restore_sessions, revoke_sessions,
    revoke_sessions_with, send_gas_token_transaction, send_with_batch_session, send_with_session, session_grants,
};

/// Most validators of an account that are read.
const VALIDATORS: u16 = 32;

/// An account of this kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nexus {
    account: NexusAccount,
    init_code: Bytes,
}

impl Nexus {
    /// The owner's account, whose address this chain's factory tells. Nobody is believed: funds that are sent to another
    /// address are lost. It is reckoned from the set-up, where that takes it with the creation code of the account's proxy,
    /// which is inside the factory's code and known by its hash. To be stored: [`Self::account`].
    ///
    /// # Errors
    /// `InvalidInput` for a set-up that no account can have, where the chain has no such factory, and for another address
    /// than follows from the set-up; `UpstreamMalformed` for a factory that is not the release's; those of the [`Relay`].
    pub async fn find(relay: &dyn Relay, owner: Address, setup: &NexusSetup) -> Result<Self, AppError> {
        let init_data = setup.init_data(owner)?;
        let code = proxy_creation_code(relay, setup.release).await?;
        let hash = setup.release.init_code_hash(code.as_ref().map(AsRef::as_ref), &init_data)?;
        let reckoned = setup.release.address(&init_data, nexus::salt(setup.index), hash);
        let account = setup.account(owner, asked_address(relay, setup, init_data).await?);
        if account.address != reckoned {
            return Err(not_reckoned(reckoned, &account));
        }
        Self::stored(account)
    }

    /// An account that was found before. No chain is asked; whoever is about to send funds there asks
    /// ([`Self::check`]).
    ///
    /// # Errors
    /// `InvalidInput` for a set-up that no account can have, and for another address than follows from it, where that can
    /// be reckoned.
    pub fn stored(account: NexusAccount) -> Result<Self, AppError> {
        if let Some(address) = account.setup().address(account.owner)?
            && address != account.address
        {
            return Err(not_reckoned(address, &account));
        }
        let init_code = account.init_code()?;
        Ok(Self { account, init_code })
    }

    /// Asks the factory again: does it still make this account of this set-up?
    ///
    /// # Errors
    /// `InvalidInput` when it names another address; those of the [`Relay`].
    pub async fn check(&self, relay: &dyn Relay) -> Result<(), AppError> {
        let setup = self.account.setup();
        let init_data = setup.init_data(self.account.owner)?;
        Ok(self.account.check_address(asked_address(relay, &setup, init_data).await?)?)
    }

    /// What is to be stored of it.
    pub fn account(&self) -> &NexusAccount {
        &self.account
    }
}

/// A client for an account of this kind; the only way in which its code comes into a page.
///
/// # Errors
/// As [`Nexus::find`]; `InvalidInput` when a stored account is another owner's, or the factory does not make it.
pub async fn connect(
    wallet: Rc<dyn Wallet>,
    relay: Rc<dyn Relay>,
    known: Option<NexusAccount>,
    setup: &NexusSetup,
) -> Result<(SmartAccountClient, NexusAccount), AppError> {
    let owner = wallet.address();
    let kind = match known {
        Some(known) => {
            if known.owner != owner {
                return Err(AppError::invalid("account.owner", format!("{owner}, the wallet's"), known.owner));
            }
            let kind = Nexus::stored(known)?;
            kind.check(relay.as_ref()).await?;
            kind
        }
        None => Nexus::find(relay.as_ref(), owner, setup).await?,
    };
    let account = kind.account.clone();
    Ok((SmartAccountClient::of_kind(Rc::new(kind), wallet, relay), account))
}

fn not_reckoned(reckoned: Address, account: &NexusAccount) -> AppError {
    AppError::invalid("account.address", format!("{reckoned}, by its set-up"), account.address)
}

/// The creation code of the release's proxies, out of the factory's code, where an account's address does not follow without
/// it. It is believed by its hash.
pub(super) async fn proxy_creation_code(relay: &dyn Relay, release: NexusRelease) -> Result<Option<Bytes>, AppError> {
    let parts = release.parts();
    if matches!(parts.address_scheme, AddressScheme::InitDataInSalt { .. }) {
        return Ok(None);
    }
    let code = read::<Bytes>(relay, "eth_getCode", json!([parts.factory, "latest"])).await?;
    let found = release.proxy_creation_code_in(&code);
    let absent = || malformed(format!("the code of {} is not that of Nexus {}", parts.factory, release.as_str()));
    found.map(Some).ok_or_else(absent)
}

async fn asked_address(relay: &dyn Relay, setup: &NexusSetup, init_data: Bytes) -> Result<Address, AppError> {
    let call = compute_address_call(init_data, nexus::salt(setup.index));
    let answer = eth_call(relay, setup.release.parts().factory, call).await?;
    Ok(computed_address(&answer)?)
}

#[async_trait(?Send)]
impl AccountKind for Nexus {
    fn name(&self) -> &'static str {
        self.account.release.parts().account_id
    }

    fn entry_point(&self) -> EntryPoint {
        ENTRY_POINT
    }

    fn address(&self) -> Address {
        self.account.address
    }

    fn init_code(&self) -> Bytes {
        self.init_code.clone()
    }

    fn encode_calls(&self, calls: &[Call], _: bool) -> Result<Bytes, ProtocolError> {
        nexus::encode_calls(calls)
    }

    fn decode_calls(&self, call_data: &[u8]) -> Result<Vec<Call>, ProtocolError> {
        nexus::decode_calls(call_data)
    }

    fn owner_nonce_key(&self, lane: U256) -> Result<U256, ProtocolError> {
        let key: NonceKey = self.account.owner_key(lane)?;
        Ok(U256::from(key.to_u192()))
    }

    fn owner_stub(&self) -> Bytes {
        STUB_SIGNATURE.into()
    }

    fn owner_signature(&self, signature: [u8; 65]) -> Bytes {
        signature.into()
    }

    fn consent_signature(&self, signature: [u8; 65]) -> Result<Bytes, ProtocolError> {
        if self.account.grant_signing != GrantSigning::Plain {
            let expected = "an account whose validator takes plain signatures";
            return Err(ProtocolError::invalid("grantSigning", expected, "nested"));
        }
        Ok(nexus::erc1271_signature(self.account.validator_for_messages(), &signature))
    }

    fn message_signature(&self, signature: [u8; 65], deployed: bool) -> Result<Bytes, ProtocolError> {
        let signature = self.consent_signature(signature)?;
        Ok(match self.init_code.split_first_chunk::<20>() {
            Some((factory, data)) if !deployed => counterfactual((*factory).into(), data.to_vec().into(), signature),
            _ => signature,
        })
    }

    async fn read_state(&self, relay: &dyn Relay, nonce_key: U256) -> Result<AccountState, AppError> {
        let account = self.account.address;
        let code = read::<Bytes>(relay, "eth_getCode", json!([account, "latest"]));
        let balance = read::<Quantity>(relay, "eth_getBalance", json!([account, "latest"]));
        let nonce = EntryPoint::get_nonce(account, nonce_key);
        let nonce = eth_call_word(relay, ENTRY_POINT.address(), nonce, "EntryPoint.getNonce");
        let block = read::<Block>(relay, "eth_getBlockByNumber", json!(["latest", false]));
        // A node that knows no pending block repeats the latest one, or has none to tell of.
        let pending = read::<Option<Block>>(relay, "eth_getBlockByNumber", json!(["pending", false]));
        let facts = try_join(try_join(code, balance), try_join(nonce, block));
        let (facts, pending) = join(facts, pending).await;
        let ((code, balance), (nonce, block)) = facts?;
        let deployed = !code.is_empty();
        let modules = match deployed {
            true => decode_validators(&eth_call(relay, account, validators_call(VALIDATORS)).await?)?,
            // What its first operation creates it with is there when the operation's calls are made.
            false => self.account.further_validators.clone(),
        };
        let block = block.time();
        let clocks = Clocks { block, pending: pending.ok().flatten().map_or(block, Block::time), wall: unix_seconds() };
        Ok(AccountState {
            deployed,
            nonce,
            merkle_root: B256::ZERO,
            session_key_manager_enabled: false,
            batched_session_router_enabled: false,
            modules,
            older_merkle_root: B256::ZERO,
            older_session_key_manager_enabled: false,
            roots_disputed: None,
            owner_kind: None,
            balance: balance.0,
            block_timestamp: block,
            clocks,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures::executor::block_on;

    use super::*;
    use crate::fake::Fake;
    use use_aa_protocol::nexus::NexusRelease;

    #[test]
    fn an_address_that_follows_from_the_set_up_is_believed_of_nobody() {
        let (fake, owner, foreign) = (Fake::new(), Address::repeat_byte(1), Address::repeat_byte(2));
        let setup = NexusSetup::new(NexusRelease::V1_0_2);
        let own = setup.address(owner).unwrap().unwrap();
        let tell = |address: Address, setup: &NexusSetup| {
            fake.answer_amount(setup.release.parts().factory, address.into_word().into());
        };
        let refused = |result: Result<Nexus, AppError>| {
            let error = result.unwrap_err();
            assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "account.address"), "{error}");
        };
        tell(foreign, &setup);
        refused(block_on(Nexus::find(&fake, owner, &setup)));
        refused(Nexus::stored(setup.account(owner, foreign)));
        // The address is another owner's, or of another index.
        refused(Nexus::stored(setup.account(foreign, own)));
        tell(own, &setup);
        let found = block_on(Nexus::find(&fake, owner, &setup)).unwrap();
        assert_eq!(found.account().address, own);
        assert!(Nexus::stored(found.account().clone()).is_ok());
        // Of the others the creation code of the proxy decides, and a factory without it is not the release's.
        let asked = NexusSetup::new(NexusRelease::V1_2_0);
        assert_eq!(asked.address(owner), Ok(None));
        tell(foreign, &asked);
        assert!(block_on(Nexus::find(&fake, owner, &asked)).is_err());
    }
}
