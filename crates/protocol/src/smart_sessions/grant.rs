//! What the owner signs for a session (EIP-712), and how.
//!
//! A grant may be for several chains: the signed hash is over the digests of all, and each chain looks at its own. A
//! grant that is signed and not used can be used by whoever holds it and the session key, also after the session was
//! removed, until [`calls::revoke_enable_signature`](super::calls::revoke_enable_signature) is on chain: removing a
//! session does not raise the nonce that the grant names.

use alloy::{
    primitives::{Address, B256, Bytes, U256, b256, keccak256},
    sol_types::SolStruct,
};

use serde::{Deserialize, Serialize};

use super::{
    EnableMode,
    addresses::{FALLBACK_ADMINISTRATION, FALLBACK_GENERIC, FALLBACK_TARGET, SMART_SESSION},
    session::{Session, actions_to, policies_to},
};
use crate::{
    ProtocolError,
    abi::smart_sessions::typed,
    accounts::nexus::{AccountDomain, GrantSigning, NestedTypedData, recoverable},
};

mod wallet;

pub use wallet::{typed_data, typed_data_of_several};

/// Separator of the domain `EIP712Domain(string name,string version)` with `SmartSession` and `1`: no chain, no
/// contract.
pub const DOMAIN_SEPARATOR: B256 = b256!("057501e891776d1482927e5f094ae44049a4d893ba2d7b334dd7db8d38d3a0e1");

/// What the chain knows of a session for one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainDigest {
    /// The chain.
    pub chain_id: u64,
    /// [`session_digest`] there.
    pub session_digest: B256,
}

/// Is one of the session's actions this fallback? What the owner signs says so in words of its own.
fn has_fallback(session: &Session, selector: [u8; 4]) -> bool {
    let is = |target: Address, own: [u8; 4]| target == FALLBACK_TARGET && own == selector;
    session.actions.iter().any(|action| is(action.action_target, action.action_target_selector.0))
}

fn permissions(session: &Session, mode: EnableMode) -> typed::SignedPermissions {
    let contexts = session.erc7739_policies.allowed_erc7739_content.iter();
    let context = |it: &super::Erc7739Context| typed::ERC7739Context {
        appDomainSeparator: it.app_domain_separator,
        contentName: it.content_names.clone(),
    };
    typed::SignedPermissions {
        permitGenericPolicy: has_fallback(session, FALLBACK_GENERIC),
        permitAdminAccess: has_fallback(session, FALLBACK_ADMINISTRATION),
        ignoreSecurityAttestations: mode == EnableMode::UnsafeEnable,
        permitERC4337Paymaster: session.permit_erc4337_paymaster,
        userOpPolicies: policies_to(&session.user_op_policies),
        erc7739Policies: typed::ERC7739Data {
            allowedERC7739Content: contexts.map(context).collect(),
            erc1271Policies: policies_to(&session.erc7739_policies.erc1271_policies),
        },
        actions: actions_to(&session.actions),
    }
}

pub(super) fn signed_session(
    session: &Session,
    account: Address,
    nonce: U256,
    mode: EnableMode,
) -> typed::SignedSession {
    typed::SignedSession {
        account,
        permissions: permissions(session, mode),
        sessionValidator: session.session_validator,
        sessionValidatorInitData: session.session_validator_init_data.clone(),
        salt: session.salt,
        smartSession: SMART_SESSION,
        nonce,
    }
}

/// hashStruct of what the session may do.
pub fn permissions_hash(session: &Session, mode: EnableMode) -> B256 {
    permissions(session, mode).eip712_hash_struct()
}

/// What one chain compares: session, account, and the module's `getNonce` for both, 0 for a new session.
pub fn session_digest(session: &Session, account: Address, nonce: U256, mode: EnableMode) -> B256 {
    signed_session(session, account, nonce, mode).eip712_hash_struct()
}

/// hashStruct of the list of all chains.
pub fn multi_chain_hash(digests: &[ChainDigest]) -> B256 {
    let entry = |it: &ChainDigest| {
        let parts = [type_hash::<typed::ChainSession>(), B256::from(U256::from(it.chain_id)), it.session_digest];
        keccak256(parts.concat())
    };
    let entries = keccak256(digests.iter().map(entry).collect::<Vec<_>>().concat());
    keccak256([type_hash::<typed::MultiChainSession>(), entries].concat())
}

fn type_hash<T: SolStruct>() -> B256 {
    keccak256(T::eip712_encode_type().as_bytes())
}

/// The hash that the owner's consent is over.
pub fn enable_hash(digests: &[ChainDigest]) -> B256 {
    let contents = multi_chain_hash(digests);
    keccak256([&[0x19, 0x01][..], DOMAIN_SEPARATOR.as_slice(), contents.as_slice()].concat())
}

/// What the owner signs, bare: no `personal_sign`.
///
/// # Errors
/// None for types of ours; the nested form says what could be wrong.
pub fn owner_digest(
    digests: &[ChainDigest],
    signing: GrantSigning,
    domain: AccountDomain,
) -> Result<B256, ProtocolError> {
    match signing {
        GrantSigning::Plain => Ok(enable_hash(digests)),
        GrantSigning::Nested => {
            let contents_type = typed::MultiChainSession::eip712_encode_type();
            nested(digests, &contents_type).digest(domain)
        }
    }
}

fn nested<'a>(digests: &[ChainDigest], contents_type: &'a str) -> NestedTypedData<'a> {
    NestedTypedData { app_domain_separator: DOMAIN_SEPARATOR, contents_hash: multi_chain_hash(digests), contents_type }
}

/// `permissionEnableSig`: the validator that is to judge the owner's signature over [`owner_digest`], and what it
/// reads. From Nexus 1.2 on the zero address names the default validator.
///
/// # Errors
/// `Invalid` for a signature that no validator takes.
pub fn permission_enable_sig(
    digests: &[ChainDigest],
    signing: GrantSigning,
    owner_validator: Address,
    owner_signature: &[u8],
) -> Result<Bytes, ProtocolError> {
    let signature = recoverable(owner_signature)?;
    let signature = match signing {
        GrantSigning::Plain => signature.to_vec().into(),
        GrantSigning::Nested => {
            nested(digests, &typed::MultiChainSession::eip712_encode_type()).signature(&signature)?
        }
    };
    Ok(crate::accounts::nexus::erc1271_signature(owner_validator, &signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_follow_from_the_actions() {
        let action = |target, selector: [u8; 4]| super::super::ActionData {
            action_target: target,
            action_target_selector: selector.into(),
            action_policies: Vec::new(),
        };
        let flags = |target, selector| {
            let session = Session { actions: vec![action(target, selector)], ..Session::default() };
            let signed = permissions(&session, EnableMode::Enable);
            (signed.permitGenericPolicy, signed.permitAdminAccess)
        };
        assert_eq!(flags(FALLBACK_TARGET, FALLBACK_GENERIC), (true, false));
        assert_eq!(flags(FALLBACK_TARGET, FALLBACK_ADMINISTRATION), (false, true));
        assert_eq!(flags(Address::repeat_byte(1), FALLBACK_GENERIC), (false, false));
    }
}
