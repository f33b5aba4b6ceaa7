//! The module's events. **No field is indexed**: a node's filter by topic finds the kind, never the account or the
//! session, so the data is read and compared. Enabling by an operation's signature gives no `SessionCreated`; what both
//! ways give is `SessionValidatorEnabled`.

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolEvent,
};

use crate::abi::{decode, smart_sessions::ISmartSession as Abi};

/// What a policy judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyPlace {
    /// Whole operations (1).
    UserOperation,
    /// Calls of one action (2).
    Action,
    /// Message signatures (3).
    Signature,
    /// None that is known.
    Other(u8),
}

impl PolicyPlace {
    fn of(code: u8) -> Self {
        match code {
            1 => Self::UserOperation,
            2 => Self::Action,
            3 => Self::Signature,
            other => Self::Other(other),
        }
    }
}

/// One event of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "every variant has the session, the account, and what its name says")]
pub enum SessionModuleEvent {
    /// A session was enabled by a call of the account, or when the module was installed.
    SessionCreated { permission_id: B256, account: Address },
    /// A session was removed.
    SessionRemoved { permission_id: B256, account: Address },
    /// A session has its validator: it is enabled, in whichever way.
    SessionValidatorEnabled { permission_id: B256, validator: Address, account: Address },
    /// A session has lost its validator.
    SessionValidatorDisabled { permission_id: B256, validator: Address, account: Address },
    /// Others may pay for a session's operations, or no longer.
    PaymasterPermitted { permission_id: B256, account: Address, enabled: bool },
    /// Grants that were signed for a session before are worth nothing now.
    NonceIterated { permission_id: B256, account: Address, nonce: U256 },
    /// A policy was set, its counters at the start.
    PolicyEnabled { permission_id: B256, place: PolicyPlace, policy: Address, account: Address },
    /// A policy was taken away.
    PolicyDisabled { permission_id: B256, place: PolicyPlace, policy: Address, account: Address },
    /// An action was disabled.
    ActionDisabled { permission_id: B256, action_id: B256, account: Address },
}

impl SessionModuleEvent {
    /// Whose session.
    pub fn account(&self) -> Address {
        match self {
            Self::SessionCreated { account, .. }
            | Self::SessionRemoved { account, .. }
            | Self::SessionValidatorEnabled { account, .. }
            | Self::SessionValidatorDisabled { account, .. }
            | Self::PaymasterPermitted { account, .. }
            | Self::NonceIterated { account, .. }
            | Self::PolicyEnabled { account, .. }
            | Self::PolicyDisabled { account, .. }
            | Self::ActionDisabled { account, .. } => *account,
        }
    }

    /// Which session.
    pub fn permission_id(&self) -> B256 {
        match self {
            Self::SessionCreated { permission_id, .. }
            | Self::SessionRemoved { permission_id, .. }
            | Self::SessionValidatorEnabled { permission_id, .. }
            | Self::SessionValidatorDisabled { permission_id, .. }
            | Self::PaymasterPermitted { permission_id, .. }
            | Self::NonceIterated { permission_id, .. }
            | Self::PolicyEnabled { permission_id, .. }
            | Self::PolicyDisabled { permission_id, .. }
            | Self::ActionDisabled { permission_id, .. } => *permission_id,
        }
    }
}

/// Reads an event of the module; `None` for any other, and for one that does not decode.
pub fn session_module_event(topics: &[B256], data: &[u8]) -> Option<SessionModuleEvent> {
    use SessionModuleEvent as E;
    Some(match *topics.first()? {
        Abi::SessionCreated::SIGNATURE_HASH => {
            let it = decode::loose_event::<Abi::SessionCreated>(topics, data).ok()?;
            E::SessionCreated { permission_id: it.permissionId, account: it.account }
        }
        Abi::SessionRemoved::SIGNATURE_HASH => {
            let it = decode::loose_event::<Abi::SessionRemoved>(topics, data).ok()?;
            E::SessionRemoved { permission_id: it.permissionId, account: it.smartAccount }
        }
        Abi::SessionValidatorEnabled::SIGNATURE_HASH => {
            let it = decode::loose_event::<Abi::SessionValidatorEnabled>(topics, data).ok()?;
            let (permission_id, validator) = (it.permissionId, it.sessionValidator);
            E::SessionValidatorEnabled { permission_id, validator, account: it.smartAccount }
        }
        Abi::SessionValidatorDisabled::SIGNATURE_HASH => {
            let it = decode::loose_event::<Abi::SessionValidatorDisabled>(topics, data).ok()?;
            let (permission_id, validator) = (it.permissionId, it.sessionValidator);
            E::SessionValidatorDisabled { permission_id, validator, account: it.smartAccount }
        }
        Abi::PermissionIdPermit4337Paymaster::SIGNATURE_HASH => {
            let it = decode::loose_event::<Abi::PermissionIdPermit4337Paymaster>(topics, data).ok()?;
            E::PaymasterPermitted { permission_id: it.permissionId, account: it.smartAccount, enabled: it.enabled }
        }
        Abi::NonceIterated::SIGNATURE_HASH => {
            let it = decode::loose_event::<Abi::NonceIterated>(topics, data).ok()?;
            E::NonceIterated { permission_id: it.permissionId, account: it.account, nonce: it.newValue }
        }
        Abi::PolicyEnabled::SIGNATURE_HASH => {
            let it = decode::loose_event::<Abi::PolicyEnabled>(topics, data).ok()?;
            let (permission_id, place) = (it.permissionId, PolicyPlace::of(it.policyType));
            E::PolicyEnabled { permission_id, place, policy: it.policy, account: it.smartAccount }
        }
        Abi::PolicyDisabled::SIGNATURE_HASH => {
            let it = decode::loose_event::<Abi::PolicyDisabled>(topics, data).ok()?;
            let (permission_id, place) = (it.permissionId, PolicyPlace::of(it.policyType));
            E::PolicyDisabled { permission_id, place, policy: it.policy, account: it.smartAccount }
        }
        Abi::ActionIdDisabled::SIGNATURE_HASH => {
            let it = decode::loose_event::<Abi::ActionIdDisabled>(topics, data).ok()?;
            E::ActionDisabled { permission_id: it.permissionId, action_id: it.actionId, account: it.smartAccount }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Trap: a filter by topic 1 finds nothing, as there is none.
    #[test]
    fn an_event_has_one_topic_and_its_account_in_the_data() {
        let (permission_id, account) = (B256::repeat_byte(1), Address::repeat_byte(2));
        let events = [
            (
                Abi::SessionCreated { permissionId: permission_id, account }.encode_log_data(),
                SessionModuleEvent::SessionCreated { permission_id, account },
            ),
            (
                Abi::PolicyEnabled {
                    permissionId: permission_id,
                    policyType: 2,
                    policy: account,
                    smartAccount: account,
                }
                .encode_log_data(),
                SessionModuleEvent::PolicyEnabled {
                    permission_id,
                    place: PolicyPlace::Action,
                    policy: account,
                    account,
                },
            ),
        ];
        for (log, expected) in events {
            assert_eq!(log.topics().len(), 1);
            let told = session_module_event(log.topics(), &log.data).unwrap();
            assert_eq!((told.account(), told.permission_id()), (account, permission_id));
            assert_eq!(told, expected);
            assert_eq!(session_module_event(log.topics(), &log.data[..31]), None);
        }
        assert_eq!(session_module_event(&[], &[]), None);
    }
}
