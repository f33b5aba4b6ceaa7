//! Contracts that a session must never call.

use alloy::primitives::Address;

use super::{
    addresses::{SIMPLE_SIGNER, SMART_SESSION},
    policy_data::PolicyContract,
};
use crate::{accounts::nexus::NexusRelease, entry_point::EntryPoint};

/// Contracts that do what the account says: a session that may call them through the account could give itself
/// everything. The account's other modules are for whoever knows them to name.
pub fn obeys_account(contract: Address) -> bool {
    let owner_validator = |release: NexusRelease| release.parts().owner_validator == contract;
    [SMART_SESSION, SIMPLE_SIGNER].contains(&contract)
        || EntryPoint::from_address(contract).is_some()
        || NexusRelease::ALL.into_iter().any(owner_validator)
        || PolicyContract::at(contract).is_some()
}
