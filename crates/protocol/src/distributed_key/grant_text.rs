//! The text of a [`Grant`]: what the owner's wallet shows and signs, by version. A change of any word is a new version.

use alloy::primitives::U256;
use serde_json::{Value, json};

use super::{Grant, GrantedLeaf, TypedData, permissions, typed_data::typed_data};
use crate::{ProtocolError, describe::utc, paymaster::DecimalText};

/// Field names are what the person reads in the wallet.
mod versions_1_and_2 {
    #![allow(missing_docs)]
    alloy::sol! {
        #[derive(Debug)]
        struct DistributedSession {
            string purpose;
            string[] permissions;
            string expires;
            address account;
            address owner;
            uint64 accountIndex;
            uint64 chainId;
            address entryPoint;
            address sessionKey;
            bytes32 sessionKeyId;
            uint8 nodesThatMustSign;
            uint8 nodesThatHoldTheKey;
            bytes32 pageKey;
            uint64 validUntil;
            bytes32 policyHash;
            bytes32 challenge;
        }
    }
}

/// With a limit on what the gas of each operation may cost.
mod version_3 {
    #![allow(missing_docs)]
    alloy::sol! {
        #[derive(Debug)]
        struct DistributedSession {
            string purpose;
            string[] permissions;
            string fees;
            string expires;
            address account;
            address owner;
            uint64 accountIndex;
            uint64 chainId;
            address entryPoint;
            address sessionKey;
            bytes32 sessionKeyId;
            uint8 nodesThatMustSign;
            uint8 nodesThatHoldTheKey;
            bytes32 pageKey;
            uint64 validUntil;
            bytes32 policyHash;
            uint256 maxOperationCost;
            bytes32 challenge;
        }
    }
}

impl Grant {
    /// What the owner's wallet shows and signs; says in words what `leaves` allow.
    ///
    /// # Errors
    /// When the data of a leaf is not that of the ABI session validation module, or the version is not known here.
    pub fn typed_data(&self, leaves: &[GrantedLeaf]) -> Result<TypedData, ProtocolError> {
        let message = self.message(permissions(self.version, leaves)?);
        let mut fields = fields(&message);
        if self.version <= 2 {
            return Ok(typed_data(self.version, self.chain_id, &message, fields));
        }
        let limit = self.operation_cost_limit();
        let message = with_limit(message, limit);
        fields.insert(2, ("fees", "string", json!(message.fees)));
        // As text: not every wallet reads so large a number.
        fields.insert(fields.len() - 1, ("maxOperationCost", "uint256", json!(limit.to_string())));
        Ok(typed_data(self.version, self.chain_id, &message, fields))
    }

    fn message(&self, permissions: Vec<String>) -> versions_1_and_2::DistributedSession {
        let (t, n) = (self.threshold, self.nodes);
        versions_1_and_2::DistributedSession {
            purpose: purpose(t, n),
            permissions,
            expires: utc(self.valid_until),
            account: self.account,
            owner: self.owner,
            accountIndex: self.account_index,
            chainId: self.chain_id,
            entryPoint: self.entry_point,
            sessionKey: self.session_key_address,
            sessionKeyId: self.key_id,
            nodesThatMustSign: t,
            nodesThatHoldTheKey: n,
            pageKey: self.ephemeral_key,
            validUntil: self.valid_until,
            policyHash: self.policy_hash,
            challenge: self.challenge,
        }
    }
}

pub(super) fn purpose(threshold: u8, nodes: u8) -> String {
    format!(
        "Let {threshold} of {nodes} nodes sign for my smart account, without asking me again, what is listed below. \
         Nobody holds the whole key."
    )
}

fn fields(message: &versions_1_and_2::DistributedSession) -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("purpose", "string", json!(message.purpose)),
        ("permissions", "string[]", json!(message.permissions)),
        ("expires", "string", json!(message.expires)),
        ("account", "address", json!(message.account)),
        ("owner", "address", json!(message.owner)),
        ("accountIndex", "uint64", json!(message.accountIndex)),
        ("chainId", "uint64", json!(message.chainId)),
        ("entryPoint", "address", json!(message.entryPoint)),
        ("sessionKey", "address", json!(message.sessionKey)),
        ("sessionKeyId", "bytes32", json!(message.sessionKeyId)),
        ("nodesThatMustSign", "uint8", json!(message.nodesThatMustSign)),
        ("nodesThatHoldTheKey", "uint8", json!(message.nodesThatHoldTheKey)),
        ("pageKey", "bytes32", json!(message.pageKey)),
        ("validUntil", "uint64", json!(message.validUntil)),
        ("policyHash", "bytes32", json!(message.policyHash)),
        ("challenge", "bytes32", json!(message.challenge)),
    ]
}

fn with_limit(message: versions_1_and_2::DistributedSession, limit: U256) -> version_3::DistributedSession {
    version_3::DistributedSession {
        purpose: message.purpose,
        permissions: message.permissions,
        fees: fee_words(limit),
        expires: message.expires,
        account: message.account,
        owner: message.owner,
        accountIndex: message.accountIndex,
        chainId: message.chainId,
        entryPoint: message.entryPoint,
        sessionKey: message.sessionKey,
        sessionKeyId: message.sessionKeyId,
        nodesThatMustSign: message.nodesThatMustSign,
        nodesThatHoldTheKey: message.nodesThatHoldTheKey,
        pageKey: message.pageKey,
        validUntil: message.validUntil,
        policyHash: message.policyHash,
        maxOperationCost: limit,
        challenge: message.challenge,
    }
}

/// The node does not know the currency's name, so the wallet is not told it either. What a paymaster takes in tokens
/// follows a rate of its own, which no node knows.
pub(super) fn fee_words(limit: U256) -> String {
    let tokens = "Tokens that a paymaster may take by an allowance are not limited by this.";
    if limit.is_zero() {
        return format!("My account pays none of the chain's native currency for operations: others must. {tokens}");
    }
    let whole = DecimalText::from_units(limit, 18);
    format!(
        "The gas of each operation that my account pays for itself may cost at most {whole} of the chain's native \
         currency ({limit} wei). How many operations there are is not limited. {tokens}"
    )
}

/// The encoded type that is hashed, for the tests.
#[cfg(test)]
pub(super) fn encoded_type() -> String {
    <version_3::DistributedSession as alloy::sol_types::SolStruct>::eip712_root_type().into_owned()
}
