//! An operation, check by check.

use alloy::{
    primitives::{Address, B256, Bytes, FixedBytes, U256},
    sol_types::SolCall,
};

use super::{
    ModuleState, Refusal, Surroundings,
    policy::Place,
    revert::{NO_SUCH_ENUM, panic, silent, with},
    state::Policies,
};
use crate::{
    abi::{
        decode,
        nexus::{Execution, INexus},
        smart_sessions::{EnableSignature, ISmartSession as Abi},
    },
    accounts::nexus::{CallType, ExecType, ExecutionMode},
    call::Call,
    entry_point::v07::{PackedUserOperation, ValidationData},
    smart_sessions::{
        EnableGrant, EnableMode,
        addresses::{FALLBACK_TARGET, SMART_SESSION, VALUE_SELECTOR},
        flz,
        grant::ChainDigest,
        ids, signed_by_session_key,
    },
};

/// What `validateUserOp` does with call data that is no `execute`.
enum Calls {
    /// These calls.
    Inner(Vec<Call>),
    /// It is refused, after the operation's policies were asked.
    Refused(Refusal),
}

impl ModuleState {
    /// `validateUserOp`, called by `caller`. What it answers without reverting is kept, a signature that fails too: the
    /// entry point undoes that.
    ///
    /// # Errors
    /// Why the chain refuses; nothing is counted then.
    pub fn validate_user_op(
        &mut self,
        op: &PackedUserOperation,
        user_op_hash: B256,
        caller: Address,
        around: Surroundings<'_>,
    ) -> Result<ValidationData, Refusal> {
        if caller != op.sender {
            return Err(with(Abi::InvalidUserOpSender { sender: op.sender }));
        }
        let mut next = self.clone();
        let (id, session_signature) = next.enter(&op.signature, around)?;
        let answer = next.check_policies(id, &op.callData, !op.paymasterAndData.is_empty(), around.account)?;
        let session = next.enabled(id)?;
        if !around.simple_signers.contains(&session.session_validator) {
            return Err(Refusal::Unknown(session.session_validator));
        }
        let signed = signed_by_session_key(user_op_hash, &session_signature, &session.session_validator_init_data);
        *self = next;
        Ok(if signed { answer } else { ValidationData::SIGNATURE_FAILED })
    }

    /// What the policies say to this call data of the account, before anything is signed. `sponsored`: somebody else
    /// pays. What passes is counted.
    ///
    /// # Errors
    /// Why the chain refuses; nothing is counted then.
    pub fn judge(
        &mut self,
        permission_id: B256,
        call_data: &[u8],
        sponsored: bool,
        account: Address,
    ) -> Result<ValidationData, Refusal> {
        let mut next = self.clone();
        let answer = next.check_policies(permission_id, call_data, sponsored, account)?;
        *self = next;
        Ok(answer)
    }

    /// The mode of a signature: which session is used, and what the session validator reads.
    fn enter(&mut self, signature: &[u8], around: Surroundings<'_>) -> Result<(B256, Bytes), Refusal> {
        let (mode, rest) = signature.split_first().ok_or_else(silent)?;
        let mode = match mode {
            0 => {
                let (id, signature) = rest.split_first_chunk::<32>().ok_or_else(silent)?;
                return Ok((B256::from(id), Bytes::copy_from_slice(signature)));
            }
            1 => EnableMode::Enable,
            2 => EnableMode::UnsafeEnable,
            _ => return Err(Refusal::Reverted(panic(NO_SUCH_ENUM))),
        };
        let plain = flz::decompress(rest, decode::MAX_BYTES).map_err(|_| silent())?;
        let read = decode::loose_params::<EnableSignature>(&plain).map_err(|_| silent())?;
        let grant = read.enableSession;
        let digests = grant.hashesAndChainIds.iter();
        let grant = EnableGrant {
            chain_digest_index: grant.chainDigestIndex,
            digests: digests.map(|it| ChainDigest { chain_id: it.chainId, session_digest: it.sessionDigest }).collect(),
            session: grant.sessionToEnable.into(),
            permission_enable_sig: grant.permissionEnableSig,
        };
        Ok((self.enable_by_grant(&grant, mode, around)?, read.sessionSignature))
    }

    fn check_policies(
        &mut self,
        id: B256,
        call_data: &[u8],
        sponsored: bool,
        account: Address,
    ) -> Result<ValidationData, Refusal> {
        let session = self.enabled(id)?;
        if sponsored {
            if !session.permits_paymaster {
                return Err(with(Abi::PaymasterValidationNotEnabled { permissionId: id }));
            }
            if session.user_op_policies.is_empty() {
                return Err(with(Abi::NoPoliciesSet { permissionId: id }));
            }
        }
        let calls = calls_of(call_data, account);
        let inner = match &calls {
            Calls::Inner(calls) => calls.as_slice(),
            Calls::Refused(_) => &[],
        };
        let mut answer = ValidationData::default();
        let place = Place { account, config_id: ids::user_op_config_id(account, id) };
        for (policy, state) in &mut session.user_op_policies {
            answer = combine(answer, id, *policy, state.check_user_op(place, inner))?;
        }
        let calls = match calls {
            Calls::Inner(calls) => calls,
            Calls::Refused(refusal) => return Err(refusal),
        };
        for call in &calls {
            let (action, policies) = policies_of(&mut session.actions, id, call, account)?;
            let place = Place { account, config_id: ids::action_config_id(account, id, action) };
            for (policy, state) in policies {
                answer = combine(answer, id, *policy, state.check_action(place, call))?;
            }
        }
        Ok(answer)
    }
}

fn combine(
    answer: ValidationData,
    id: B256,
    policy: Address,
    said: Result<ValidationData, Bytes>,
) -> Result<ValidationData, Refusal> {
    match said {
        Ok(said) if said.is_accepted() => Ok(answer.and(said)),
        Ok(_) => Err(with(Abi::PolicyViolation { permissionId: id, policy })),
        Err(data) => {
            let head = data.get(..32).unwrap_or(&data);
            Err(with(Abi::PolicyCheckReverted { reason: B256::right_padding_from(head) }))
        }
    }
}

/// The action that a call counts for, and its policies: its own, or those of a fallback.
fn policies_of<'a>(
    actions: &'a mut std::collections::BTreeMap<B256, Policies>,
    id: B256,
    call: &Call,
    account: Address,
) -> Result<(B256, &'a mut Policies), Refusal> {
    let selector = call.data.first_chunk::<4>().copied().unwrap_or(VALUE_SELECTOR);
    if call.to == account && selector == INexus::executeCall::SELECTOR {
        return Err(with(Abi::InvalidSelfCall {}));
    }
    if call.to == FALLBACK_TARGET {
        return Err(with(Abi::InvalidTarget {}));
    }
    let [generic, administration] = ModuleState::fallbacks();
    let own = ids::action_id(call.to, selector);
    let action = match call.to {
        SMART_SESSION => administration,
        _ if actions.contains_key(&own) => own,
        _ => generic,
    };
    let policies = actions.get_mut(&action).filter(|policies| !policies.is_empty());
    policies.map(|policies| (action, policies)).ok_or_else(|| with(Abi::NoPoliciesSet { permissionId: id }))
}

/// The calls that call data of the account makes, in any encoding that the account takes.
fn calls_of(call_data: &[u8], account: Address) -> Calls {
    match read_calls(call_data, account) {
        Ok(calls) => Calls::Inner(calls),
        Err(refusal) => Calls::Refused(refusal),
    }
}

fn read_calls(call_data: &[u8], account: Address) -> Result<Vec<Call>, Refusal> {
    let (selector, arguments) = call_data.split_first_chunk::<4>().ok_or_else(silent)?;
    match *selector {
        INexus::executeCall::SELECTOR => {}
        INexus::executeUserOpCall::SELECTOR => return Err(with(Abi::UnsupportedExecutionType {})),
        _ => return Ok(vec![Call { to: account, value: U256::ZERO, data: Bytes::copy_from_slice(call_data) }]),
    }
    let (mode, execution) = decode::loose_params::<(B256, Bytes)>(arguments).map_err(|_| silent())?;
    let read = ExecutionMode::from_word(mode);
    if read.exec_type != ExecType::Default {
        return Err(with(Abi::UnsupportedExecutionType {}));
    }
    match read.call_type {
        CallType::Single => {
            let (to, rest) = execution.split_first_chunk::<20>().ok_or_else(silent)?;
            let (value, data) = rest.split_first_chunk::<32>().ok_or_else(silent)?;
            let (to, value) = (Address::from(to), U256::from_be_bytes(*value));
            Ok(vec![Call { to, value, data: Bytes::copy_from_slice(data) }])
        }
        CallType::Batch => {
            let (calls,) = decode::loose_params::<(Vec<Execution>,)>(&execution).map_err(|_| silent())?;
            if calls.is_empty() {
                return Err(with(Abi::NoExecutionsInBatch {}));
            }
            let call = |it: Execution| Call { to: it.target, value: it.value, data: it.callData };
            Ok(calls.into_iter().map(call).collect())
        }
        _ => Err(with(Abi::UnsupportedCallType { callType: FixedBytes([mode[0]]) })),
    }
}
