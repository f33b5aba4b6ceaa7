//! The text of grants for Nexus accounts: what the owner's wallet shows and signs. A change of any word is a new version.

use serde_json::json;

use super::NEXUS_GRANT_VERSION;
use crate::{
    ProtocolError,
    describe::utc,
    distributed_key::{
        Grant, TypedData,
        grant_text::{fee_words, purpose},
        typed_data::typed_data,
    },
    policy::SessionEpoch,
    smart_sessions::{
        ActionDescription, Session, SessionDescription,
        addresses::{SMART_SESSION, VALUE_SELECTOR},
    },
};

/// Field names are what the person reads in the wallet.
mod version_4 {
    #![allow(missing_docs)]
    alloy::sol! {
        #[derive(Debug)]
        struct DistributedSession {
            string purpose;
            string[] permissions;
            string fees;
            string expires;
            string accountKind;
            address account;
            address owner;
            uint64 accountIndex;
            uint64 chainId;
            address entryPoint;
            address sessionModule;
            address sessionKey;
            bytes32 sessionKeyId;
            bytes32[] permissionIds;
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
    /// What the owner of a Nexus account is shown and signs; says in words what the sessions allow.
    ///
    /// # Errors
    /// When a policy cannot be said in words, or the grant is for another kind of account.
    pub fn nexus_typed_data(&self, sessions: &[Session]) -> Result<TypedData, ProtocolError> {
        let granted = self.nexus.as_ref().filter(|_| self.version == NEXUS_GRANT_VERSION);
        let granted = granted.ok_or_else(|| ProtocolError::invalid("version", "4, for Nexus", self.version))?;
        let limit = self.operation_cost_limit();
        let message = version_4::DistributedSession {
            purpose: purpose(self.threshold, self.nodes),
            permissions: permissions(sessions)?,
            fees: fee_words(limit),
            expires: utc(self.valid_until),
            accountKind: format!("Biconomy Nexus, release {}, with Smart Sessions", granted.release.as_str()),
            account: self.account,
            owner: self.owner,
            accountIndex: self.account_index,
            chainId: self.chain_id,
            entryPoint: self.entry_point,
            sessionModule: SMART_SESSION,
            sessionKey: self.session_key_address,
            sessionKeyId: self.key_id,
            permissionIds: granted.permission_ids.clone(),
            nodesThatMustSign: self.threshold,
            nodesThatHoldTheKey: self.nodes,
            pageKey: self.ephemeral_key,
            validUntil: self.valid_until,
            policyHash: self.policy_hash,
            maxOperationCost: limit,
            challenge: self.challenge,
        };
        let fields = vec![
            ("purpose", "string", json!(message.purpose)),
            ("permissions", "string[]", json!(message.permissions)),
            ("fees", "string", json!(message.fees)),
            ("expires", "string", json!(message.expires)),
            ("accountKind", "string", json!(message.accountKind)),
            ("account", "address", json!(message.account)),
            ("owner", "address", json!(message.owner)),
            ("accountIndex", "uint64", json!(message.accountIndex)),
            ("chainId", "uint64", json!(message.chainId)),
            ("entryPoint", "address", json!(message.entryPoint)),
            ("sessionModule", "address", json!(message.sessionModule)),
            ("sessionKey", "address", json!(message.sessionKey)),
            ("sessionKeyId", "bytes32", json!(message.sessionKeyId)),
            ("permissionIds", "bytes32[]", json!(message.permissionIds)),
            ("nodesThatMustSign", "uint8", json!(message.nodesThatMustSign)),
            ("nodesThatHoldTheKey", "uint8", json!(message.nodesThatHoldTheKey)),
            ("pageKey", "bytes32", json!(message.pageKey)),
            ("validUntil", "uint64", json!(message.validUntil)),
            ("policyHash", "bytes32", json!(message.policyHash)),
            // As text: not every wallet reads so large a number.
            ("maxOperationCost", "uint256", json!(limit.to_string())),
            ("challenge", "bytes32", json!(message.challenge)),
        ];
        Ok(typed_data(self.version, self.chain_id, &message, fields))
    }
}

/// Each function that may be called, numbered over all sessions, then what holds of each session as a whole.
fn permissions(sessions: &[Session]) -> Result<Vec<String>, ProtocolError> {
    let mut lines = Vec::new();
    let mut number = 0;
    for session in sessions {
        let description = SessionDescription::of(session);
        let first = number + 1;
        for action in &description.actions {
            number += 1;
            lines.extend(function(number, action)?);
        }
        lines.push(together(first..=number, &description)?);
    }
    Ok(lines)
}

/// Single calls as grants for V2 say them, then what the chain counts of them.
fn function(number: usize, action: &ActionDescription) -> Result<Vec<String>, ProtocolError> {
    let mut lines = match &action.calls {
        Some(calls) => calls.signed_lines(number, NEXUS_GRANT_VERSION),
        None if action.selector == VALUE_SELECTOR => {
            vec![format!("{number}. May send native currency to {}, only if:", action.target)]
        }
        None => {
            let got = format!("others, for function 0x{} of {}", hex::encode(action.selector), action.target);
            return Err(ProtocolError::invalid("sessions", "policies that can be said in words", got));
        }
    };
    let mut counted = Vec::new();
    if action.calls.is_none() {
        counted.extend(times(action.window));
    }
    counted.extend(action.uses.map(|most| format!("at most {most} calls in all")));
    counted.extend(action.total_value.map(|most| format!("native currency in all at most {most} wei")));
    let spent = |most| format!("transfers and allowances of the token in all at most {most} of its smallest unit");
    counted.extend(action.total_spent.map(spent));
    let totals = action.totals.iter();
    counted.extend(totals.map(|(offset, most)| {
        format!("the 32 bytes from byte {offset} of the arguments, over all calls together, at most {most}")
    }));
    let before = lines.len();
    lines.extend(counted.iter().enumerate().map(|(place, words)| format!("{number}.{} {words}", before + place)));
    Ok(lines)
}

/// What holds of a session's operations.
fn together(functions: std::ops::RangeInclusive<usize>, session: &SessionDescription) -> Result<String, ProtocolError> {
    if session.is_unreadable || session.signs_messages {
        let expected = "policies that can be said in words, and no signing of messages";
        return Err(ProtocolError::invalid("sessions", expected, session.permission_id));
    }
    let mut words = Vec::new();
    words.extend(session.operations.map(|most| format!("at most {most} operations in all")));
    words.extend(session.total_value.map(|most| format!("native currency in all at most {most} wei")));
    words.extend(times(session.window));
    words.push(
        if session.sponsored { "others may pay for them" } else { "only my account may pay for them" }.to_owned(),
    );
    let (first, last) = functions.into_inner();
    Ok(format!("Operations of {first} to {last}: {}", words.join("; ")))
}

fn times(window: SessionEpoch) -> Vec<String> {
    let begin = (window.valid_after != 0).then(|| format!("not before {}", utc(window.valid_after)));
    let end = (window.valid_until != 0).then(|| format!("not after {}", utc(window.valid_until)));
    begin.into_iter().chain(end).collect()
}

/// The encoded type that is hashed, for the tests.
#[cfg(test)]
pub(super) fn encoded_type() -> String {
    <version_4::DistributedSession as alloy::sol_types::SolStruct>::eip712_root_type().into_owned()
}
