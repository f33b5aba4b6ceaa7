//! A session, as the module takes it and as JSON has it.

use alloy::primitives::{Address, B256, Bytes, FixedBytes};
use serde::{Deserialize, Serialize};

use crate::{ProtocolError, abi::smart_sessions as abi};

/// Most sessions in what is read.
pub const MAX_SESSIONS: usize = 64;
/// Most actions of a session that is read; and most contexts of signing.
pub const MAX_ACTIONS: usize = 128;
/// Most policies in one place of a session that is read.
pub const MAX_POLICIES: usize = 32;

/// A policy contract and what it is set to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyData {
    /// The contract.
    pub policy: Address,
    /// What it reads.
    pub init_data: Bytes,
}

/// One function of one contract, and the policies that judge its calls: all must pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionData {
    /// The function; [`VALUE_SELECTOR`](super::addresses::VALUE_SELECTOR) for calls without one.
    pub action_target_selector: FixedBytes<4>,
    /// The contract.
    pub action_target: Address,
    /// At least one; each contract once.
    pub action_policies: Vec<PolicyData>,
}

/// What a session may sign for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erc7739Context {
    /// The app's domain.
    pub app_domain_separator: B256,
    /// Types of what may be signed. Owners sign this list under the name `contentName`.
    pub content_names: Vec<String>,
}

/// What a session may sign. Grants leave it empty: permits are signatures, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erc7739Data {
    /// For which apps.
    #[serde(rename = "allowedERC7739Content")]
    pub allowed_erc7739_content: Vec<Erc7739Context>,
    /// What judges the signatures.
    pub erc1271_policies: Vec<PolicyData>,
}

/// A session. JSON as the ABI names the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Judges the session key's signature.
    pub session_validator: Address,
    /// What it judges by: of a simple signer the 20 bytes of the session key's address.
    pub session_validator_init_data: Bytes,
    /// Random, always: with validator and data it is the session's identity.
    pub salt: B256,
    /// Judge whole operations.
    pub user_op_policies: Vec<PolicyData>,
    /// What it may sign.
    pub erc7739_policies: Erc7739Data,
    /// What it may call.
    pub actions: Vec<ActionData>,
    /// Others may pay for its operations.
    #[serde(rename = "permitERC4337Paymaster")]
    pub permit_erc4337_paymaster: bool,
}

impl Session {
    /// Refuses more actions or policies than any honest session has.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check_size(&self) -> Result<(), ProtocolError> {
        let within = |field: &str, count: usize, most: usize| match count {
            count if count > most => Err(ProtocolError::invalid(field, format!("at most {most}"), count)),
            _ => Ok(()),
        };
        within("actions", self.actions.len(), MAX_ACTIONS)?;
        within("userOpPolicies", self.user_op_policies.len(), MAX_POLICIES)?;
        within("erc1271Policies", self.erc7739_policies.erc1271_policies.len(), MAX_POLICIES)?;
        within("allowedERC7739Content", self.erc7739_policies.allowed_erc7739_content.len(), MAX_ACTIONS)?;
        for (index, action) in self.actions.iter().enumerate() {
            within(&format!("actions[{index}].actionPolicies"), action.action_policies.len(), MAX_POLICIES)?;
        }
        for (index, context) in self.erc7739_policies.allowed_erc7739_content.iter().enumerate() {
            within(&format!("allowedERC7739Content[{index}].contentNames"), context.content_names.len(), MAX_POLICIES)?;
        }
        Ok(())
    }
}

pub(super) fn policies_from(policies: Vec<abi::PolicyData>) -> Vec<PolicyData> {
    policies.into_iter().map(|it| PolicyData { policy: it.policy, init_data: it.initData }).collect()
}

pub(super) fn policies_to(policies: &[PolicyData]) -> Vec<abi::PolicyData> {
    policies.iter().map(|it| abi::PolicyData { policy: it.policy, initData: it.init_data.clone() }).collect()
}

pub(super) fn actions_from(actions: Vec<abi::ActionData>) -> Vec<ActionData> {
    let action = |it: abi::ActionData| ActionData {
        action_target_selector: it.actionTargetSelector,
        action_target: it.actionTarget,
        action_policies: policies_from(it.actionPolicies),
    };
    actions.into_iter().map(action).collect()
}

pub(super) fn actions_to(actions: &[ActionData]) -> Vec<abi::ActionData> {
    let action = |it: &ActionData| abi::ActionData {
        actionTargetSelector: it.action_target_selector,
        actionTarget: it.action_target,
        actionPolicies: policies_to(&it.action_policies),
    };
    actions.iter().map(action).collect()
}

impl From<abi::Session> for Session {
    fn from(it: abi::Session) -> Self {
        let context = |it: abi::ERC7739Context| Erc7739Context {
            app_domain_separator: it.appDomainSeparator,
            content_names: it.contentNames,
        };
        Self {
            session_validator: it.sessionValidator,
            session_validator_init_data: it.sessionValidatorInitData,
            salt: it.salt,
            user_op_policies: policies_from(it.userOpPolicies),
            erc7739_policies: Erc7739Data {
                allowed_erc7739_content: it.erc7739Policies.allowedERC7739Content.into_iter().map(context).collect(),
                erc1271_policies: policies_from(it.erc7739Policies.erc1271Policies),
            },
            actions: actions_from(it.actions),
            permit_erc4337_paymaster: it.permitERC4337Paymaster,
        }
    }
}

impl From<&Session> for abi::Session {
    fn from(it: &Session) -> Self {
        let context = |it: &Erc7739Context| abi::ERC7739Context {
            appDomainSeparator: it.app_domain_separator,
            contentNames: it.content_names.clone(),
        };
        Self {
            sessionValidator: it.session_validator,
            sessionValidatorInitData: it.session_validator_init_data.clone(),
            salt: it.salt,
            userOpPolicies: policies_to(&it.user_op_policies),
            erc7739Policies: abi::ERC7739Data {
                allowedERC7739Content: it.erc7739_policies.allowed_erc7739_content.iter().map(context).collect(),
                erc1271Policies: policies_to(&it.erc7739_policies.erc1271_policies),
            },
            actions: actions_to(&it.actions),
            permitERC4337Paymaster: it.permit_erc4337_paymaster,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn sessions_beyond_any_honest_size_name_the_field() {
        let many = |count| vec![PolicyData::default(); count];
        let action = |count| ActionData { action_policies: many(count), ..ActionData::default() };
        let good = Session { actions: vec![action(MAX_POLICIES); MAX_ACTIONS], ..Session::default() };
        assert_eq!(good.check_size(), Ok(()));
        for (session, field) in [
            (Session { actions: vec![action(0); MAX_ACTIONS + 1], ..Session::default() }, "actions"),
            (Session { actions: vec![action(MAX_POLICIES + 1)], ..Session::default() }, "actions[0].actionPolicies"),
            (Session { user_op_policies: many(MAX_POLICIES + 1), ..Session::default() }, "userOpPolicies"),
        ] {
            let error = session.check_size().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field}: expected at most")), "{error}");
        }
    }
}
