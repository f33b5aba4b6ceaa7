//! Owner wallets: EIP-6963 discovery, EIP-1193 requests, the lab's own wallet.

pub mod answers;
#[cfg(feature = "hydrate")]
pub mod eip1193;
#[cfg(feature = "hydrate")]
pub mod events;
pub mod info;
#[cfg(feature = "hydrate")]
mod js_values;
pub mod lab;
pub use use_aa_actions::adapters::local_wallet as local;
#[cfg(feature = "hydrate")]
pub mod registry;
#[cfg(feature = "hydrate")]
mod stopped_scripts;
pub mod thrown;

#[cfg(feature = "hydrate")]
pub use connect::{Connected, port};

#[cfg(feature = "hydrate")]
mod connect {
    use std::rc::Rc;

    use alloy::primitives::Address;

    use super::{super::patience::within, eip1193, info::LAB_WALLET, lab, registry};
    use crate::{actions::ports::Wallet, error::AppError};

    /// What a wallet shared when it was connected.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Connected {
        /// The owner.
        pub address: Address,
        /// Its chain; `None` when it did not say.
        pub chain_id: Option<u64>,
    }

    impl Connected {
        /// Connects the wallet called `id`; `silent` asks nobody and answers `None` when the wallet shares no account.
        /// `lab_chain` is the chain that the lab wallet is on.
        pub async fn open(id: &str, silent: bool, lab_chain: Option<u64>) -> Result<Option<Self>, AppError> {
            if id == LAB_WALLET {
                return Ok(Some(Self { address: lab::OWNER, chain_id: lab_chain }));
            }
            let provider = provider(id)?;
            let Some(address) = eip1193::accounts(&provider, silent).await? else {
                let reason = "the wallet shares no account with this page".to_owned();
                return if silent { Ok(None) } else { Err(AppError::NoWallet { reason }) };
            };
            let chain_id = eip1193::chain_id(&provider).await.ok();
            Ok(Some(Self { address, chain_id }))
        }

        /// As [`open`](Self::open), silent, for so many milliseconds: a wallet whose worker died may never answer.
        pub async fn open_in_time(id: &str, patience: u64, lab_chain: Option<u64>) -> Result<Option<Self>, AppError> {
            within(patience, Self::open(id, true, lab_chain)).await
        }
    }

    /// The port to a connected wallet. Brings in the signer of the lab wallet: for code that is loaded on demand.
    pub fn port(id: &str, owner: Address, chain_id: u64) -> Result<Rc<dyn Wallet>, AppError> {
        if id == LAB_WALLET {
            return lab::wallet(chain_id);
        }
        Ok(Rc::new(eip1193::Eip1193Wallet::new(provider(id)?, owner)))
    }

    fn provider(id: &str) -> Result<js_sys::Object, AppError> {
        registry::provider(id)
            .ok_or_else(|| AppError::NoWallet { reason: format!("{id} is not installed in this browser") })
    }
}
