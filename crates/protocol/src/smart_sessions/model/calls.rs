//! Calls that the account makes of the module.

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolCall;

use super::{
    ModuleState, Refusal, Surroundings,
    enable::{Judges, set_actions, set_all},
    policy::Place,
    revert::{silent, with},
    state::{EnabledSession, Policies},
};
use crate::{
    abi::{decode, smart_sessions::ISmartSession as Abi},
    smart_sessions::{
        Session,
        addresses::SMART_SESSION,
        ids,
        session::{actions_from, policies_from},
    },
};

impl ModuleState {
    /// What this call data changes: all of it or nothing.
    ///
    /// # Errors
    /// Why the chain refuses; `Unknown` for functions that change nothing that is known here.
    pub fn call(&mut self, call_data: &[u8], around: Surroundings<'_>) -> Result<(), Refusal> {
        let mut next = self.clone();
        next.apply(call_data, around)?;
        *self = next;
        Ok(())
    }

    fn apply(&mut self, call_data: &[u8], around: Surroundings<'_>) -> Result<(), Refusal> {
        fn read<C: SolCall>(call_data: &[u8]) -> Result<C, Refusal> {
            decode::call::<C>(call_data).map_err(|_| silent())
        }
        match call_data.first_chunk::<4>().copied().ok_or_else(silent)? {
            Abi::enableSessionsCall::SELECTOR => {
                let call = read::<Abi::enableSessionsCall>(call_data)?;
                let sessions = call.sessions.into_iter().map(Session::from).collect::<Vec<_>>();
                self.enable_sessions(&sessions, around)
            }
            Abi::enableActionPoliciesCall::SELECTOR => {
                let call = read::<Abi::enableActionPoliciesCall>(call_data)?;
                let actions = actions_from(call.actionPolicies);
                set_actions(self.enabled(call.permissionId)?, &actions, call.permissionId, around.account)
            }
            Abi::enableUserOpPoliciesCall::SELECTOR => {
                let call = read::<Abi::enableUserOpPoliciesCall>(call_data)?;
                let (account, id) = (around.account, call.permissionId);
                let place = Place { account, config_id: ids::user_op_config_id(account, id) };
                let policies = policies_from(call.userOpPolicies);
                set_all(&mut self.enabled(id)?.user_op_policies, &policies, Judges::Operations, place)
            }
            Abi::disableActionPoliciesCall::SELECTOR => {
                let call = read::<Abi::disableActionPoliciesCall>(call_data)?;
                let session = self.enabled(call.permissionId)?;
                if let Some(policies) = session.actions.get_mut(&call.actionId) {
                    remove(policies, &call.policies);
                    if policies.is_empty() {
                        session.actions.remove(&call.actionId);
                    }
                }
                Ok(())
            }
            Abi::disableActionIdCall::SELECTOR => {
                let call = read::<Abi::disableActionIdCall>(call_data)?;
                self.enabled(call.permissionId)?.actions.remove(&call.actionId);
                Ok(())
            }
            Abi::disableUserOpPoliciesCall::SELECTOR => {
                let call = read::<Abi::disableUserOpPoliciesCall>(call_data)?;
                remove(&mut self.enabled(call.permissionId)?.user_op_policies, &call.policies);
                Ok(())
            }
            Abi::setPermit4337PaymasterCall::SELECTOR => {
                let call = read::<Abi::setPermit4337PaymasterCall>(call_data)?;
                self.enabled(call.permissionId)?.permits_paymaster = call.enabled;
                Ok(())
            }
            Abi::removeSessionCall::SELECTOR => {
                let id = read::<Abi::removeSessionCall>(call_data)?.permissionId;
                if id.is_zero() {
                    return Err(with(Abi::InvalidSession { permissionId: id }));
                }
                if let Some(index) = self.sessions.iter().position(|(known, _)| *known == id) {
                    self.sessions.swap_remove(index);
                }
                Ok(())
            }
            Abi::revokeEnableSignatureCall::SELECTOR => {
                let id = read::<Abi::revokeEnableSignatureCall>(call_data)?.permissionId;
                let nonce = self.nonce(id);
                self.set_nonce(id, nonce.wrapping_add(U256::from(1)));
                Ok(())
            }
            _ => Err(Refusal::Unknown(SMART_SESSION)),
        }
    }

    pub(super) fn enabled(&mut self, permission_id: B256) -> Result<&mut EnabledSession, Refusal> {
        self.session_mut(permission_id).ok_or_else(|| with(Abi::InvalidPermissionId { permissionId: permission_id }))
    }
}

/// The last one takes the place of one that goes, as in the module's list.
fn remove(policies: &mut Policies, gone: &[Address]) {
    for policy in gone {
        if let Some(index) = policies.iter().position(|(known, _)| known == policy) {
            policies.swap_remove(index);
        }
    }
}
