//! Enabling sessions: by the account's call, and by an operation's own signature.

use alloy::primitives::{Address, B256, Bytes, Signature, U256};

use super::{
    ModuleState, Refusal, Surroundings,
    policy::{Place, PolicyState},
    revert::{OUT_OF_BOUNDS, data, panic, with},
    state::{EnabledSession, Policies},
};
use crate::{
    abi::{nexus::INexus, smart_sessions::ISmartSession as Abi},
    accounts::nexus::split_erc1271,
    signature::personal_digest,
    smart_sessions::{
        ActionData, EnableGrant, EnableMode, PolicyContract, PolicyData, Session,
        addresses::SMART_SESSION,
        grant::{enable_hash, session_digest},
        ids,
    },
};

/// What a policy is to judge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Judges {
    Operations,
    Calls,
    Signatures,
}

impl ModuleState {
    /// `enableSessions`: all or none.
    ///
    /// # Errors
    /// Why the chain refuses.
    pub fn enable_sessions(&mut self, sessions: &[Session], around: Surroundings<'_>) -> Result<(), Refusal> {
        if sessions.is_empty() {
            return Err(with(Abi::InvalidData {}));
        }
        let mut next = self.clone();
        for session in sessions {
            next.enable(session, around)?;
        }
        *self = next;
        Ok(())
    }

    pub(super) fn enable(&mut self, session: &Session, around: Surroundings<'_>) -> Result<B256, Refusal> {
        let id = ids::permission_id(session);
        let known = self.session(id).cloned();
        let mut enabled = known.unwrap_or_else(|| EnabledSession {
            session_validator: session.session_validator,
            session_validator_init_data: session.session_validator_init_data.clone(),
            permits_paymaster: false,
            user_op_policies: Vec::new(),
            actions: Default::default(),
        });
        let account = around.account;
        let place = Place { account, config_id: ids::user_op_config_id(account, id) };
        set_all(&mut enabled.user_op_policies, &session.user_op_policies, Judges::Operations, place)?;
        let place = Place { account, config_id: ids::erc1271_config_id(account, id) };
        // Message signatures are not modelled: what judges them must exist, and is forgotten.
        set_all(&mut Vec::new(), &session.erc7739_policies.erc1271_policies, Judges::Signatures, place)?;
        set_actions(&mut enabled, &session.actions, id, account)?;
        enabled.permits_paymaster = session.permit_erc4337_paymaster;
        if !around.simple_signers.contains(&session.session_validator) {
            return Err(with(Abi::InvalidISessionValidator { sessionValidator: session.session_validator }));
        }
        match self.session_mut(id) {
            Some(known) => *known = enabled,
            None => self.sessions.push((id, enabled)),
        }
        Ok(id)
    }

    /// A grant that comes with an operation; the digest, the owner's signature, then the session.
    pub(super) fn enable_by_grant(
        &mut self,
        grant: &EnableGrant,
        mode: EnableMode,
        around: Surroundings<'_>,
    ) -> Result<B256, Refusal> {
        let told = grant.digest().ok_or_else(|| Refusal::Reverted(panic(OUT_OF_BOUNDS)))?;
        if told.chain_id != around.chain_id {
            return Err(with(Abi::ChainIdMismatch { providedChainId: told.chain_id }));
        }
        let id = ids::permission_id(&grant.session);
        let nonce = self.nonce(id);
        let computed = session_digest(&grant.session, around.account, nonce, mode);
        if computed != told.session_digest {
            return Err(with(Abi::HashMismatch { providedHash: told.session_digest, computedHash: computed }));
        }
        let hash = enable_hash(&grant.digests);
        if !(around.is_valid_signature)(hash, &grant.permission_enable_sig).map_err(Refusal::Reverted)? {
            return Err(with(Abi::InvalidEnableSignature { account: around.account, hash }));
        }
        self.set_nonce(id, nonce.wrapping_add(U256::from(1)));
        self.enable(&grant.session, around)
    }
}

/// Sets the policies of actions.
pub(super) fn set_actions(
    enabled: &mut EnabledSession,
    actions: &[ActionData],
    permission_id: B256,
    account: Address,
) -> Result<(), Refusal> {
    for action in actions {
        if action.action_target.is_zero() || action.action_target == SMART_SESSION {
            return Err(with(Abi::InvalidActionId {}));
        }
        let action_id = ids::id_of_action(action);
        let place = Place { account, config_id: ids::action_config_id(account, permission_id, action_id) };
        let mut policies = enabled.actions.get(&action_id).cloned().unwrap_or_default();
        set_all(&mut policies, &action.action_policies, Judges::Calls, place)?;
        if !policies.is_empty() {
            enabled.actions.insert(action_id, policies);
        }
    }
    Ok(())
}

/// Sets policies, one after the other: one that is there already, or comes twice, is set anew.
pub(super) fn set_all(
    policies: &mut Policies,
    data: &[PolicyData],
    judges: Judges,
    place: Place,
) -> Result<(), Refusal> {
    for PolicyData { policy, init_data } in data {
        let contract = PolicyContract::at(*policy).ok_or(Refusal::Unknown(*policy))?;
        let is_able = match judges {
            Judges::Operations => contract.judges_operations(),
            Judges::Calls => true,
            Judges::Signatures => contract.judges_signatures(),
        };
        if !is_able {
            return Err(with(Abi::UnsupportedPolicy { policy: *policy }));
        }
        let state = PolicyState::set(contract, init_data, place).map_err(Refusal::Reverted)?;
        match policies.iter_mut().find(|(address, _)| address == policy) {
            Some((_, known)) => *known = state,
            None => policies.push((*policy, state)),
        }
    }
    Ok(())
}

/// The ERC-1271 of an account with the lab's owner validator and Smart Sessions: the first 20 bytes name one of the
/// two.
///
/// # Errors
/// What the account reverts with for any other validator.
pub fn owner_validator(validator: Address, owner: Address, hash: B256, signature: &[u8]) -> Result<bool, Bytes> {
    let (named, signature) = split_erc1271(signature).ok_or_else(Bytes::new)?;
    if named == SMART_SESSION {
        return Ok(false); // it never answers for message signatures
    }
    if named != validator {
        return Err(data(INexus::ValidatorNotInstalled { module: named }));
    }
    let Ok(parsed) = Signature::try_from(signature) else { return Ok(false) };
    let signed = |digest: B256| parsed.recover_address_from_prehash(&digest).is_ok_and(|signer| signer == owner);
    Ok(signature.len() == 65 && parsed.normalize_s().is_none() && (signed(hash) || signed(personal_digest(hash))))
}
