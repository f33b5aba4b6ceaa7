//! Calls by which sessions of a Nexus account are set up (`session_setup`).
//!
//! Enabling a session has the module call its policies and its session validator, whoever they are: with a contract of the
//! asker's among them that would be a way to run anything on the sponsor's gas. So all of them must be known.

use alloy::{
    primitives::{Address, U256},
    sol_types::SolCall,
};

use super::SetUp;
use use_aa_protocol::{
    abi::{
        decode,
        nexus::INexus,
        smart_sessions::{ActionData, ISmartSession, PolicyData, Session},
    },
    entry_point::EntryPoint,
    nexus::{ModuleType, NonceKey},
    smart_account::Call,
    smart_sessions::{
        EnableMode, OperationSignature,
        addresses::{OWNABLE_VALIDATOR, POLICIES, SIMPLE_SIGNER, SMART_SESSION},
        calls::decode_install_data,
    },
    user_operation::UserOperation,
};

/// Session validators whose code is known.
const VALIDATORS: [Address; 2] = [SIMPLE_SIGNER, OWNABLE_VALIDATOR];

/// What a call of the account `account` is to its sessions, when these contracts count as known, too.
pub(super) fn set_up_by(account: Address, call: &Call, listed: &[Address]) -> SetUp {
    let contracts = match call.to {
        SMART_SESSION => administered(&call.data),
        to if to == account => installed(&call.data),
        _ => None,
    };
    contracts.map_or(SetUp::None, |contracts| judged(contracts, listed))
}

/// What an operation's signature is to its account's sessions: one in mode ENABLE sets one up.
pub(super) fn enabled_by(operation: &UserOperation, listed: &[Address]) -> Result<SetUp, String> {
    let signs = |(key, _): (NonceKey, u64)| key.validator == SMART_SESSION;
    let enables = operation.entry_point == EntryPoint::V07
        && operation.signature.first().is_some_and(|mode| *mode != 0)
        && NonceKey::of_nonce(operation.nonce).is_ok_and(signs);
    if !enables {
        return Ok(SetUp::None);
    }
    match OperationSignature::decode(&operation.signature) {
        Ok(OperationSignature::Enable { mode: EnableMode::Enable, grant, .. }) => {
            Ok(judged(of_session(&Session::from(&grant.session)), listed))
        }
        _ => Err("the signature that enables a session cannot be read".into()),
    }
}

fn judged(contracts: Vec<Address>, listed: &[Address]) -> SetUp {
    let foreign = contracts
        .into_iter()
        .find(|contract| ![&POLICIES[..], &VALIDATORS, listed].iter().any(|known| known.contains(contract)));
    foreign.map_or(SetUp::Known, SetUp::Foreign)
}

/// The contracts that the module is told to call, by one of its functions that an account calls for its sessions,
/// canonically encoded.
fn administered(call_data: &[u8]) -> Option<Vec<Address>> {
    macro_rules! told {
        ($($call:ident => $named:expr),+ $(,)?) => {
            match call_data.first_chunk::<4>() {
                $(Some(&ISmartSession::$call::SELECTOR) => {
                    let named: fn(&ISmartSession::$call) -> Vec<Address> = $named;
                    decode::call::<ISmartSession::$call>(call_data).ok().map(|call| named(&call))
                })+
                _ => None,
            }
        };
    }
    told!(
        enableSessionsCall => |call| call.sessions.iter().flat_map(of_session).collect(),
        enableActionPoliciesCall => |call| of_actions(&call.actionPolicies).collect(),
        enableUserOpPoliciesCall => |call| of_policies(&call.userOpPolicies).collect(),
        // These call nobody.
        removeSessionCall => |_| Vec::new(),
        revokeEnableSignatureCall => |_| Vec::new(),
        disableActionPoliciesCall => |_| Vec::new(),
        disableActionIdCall => |_| Vec::new(),
        disableUserOpPoliciesCall => |_| Vec::new(),
        setPermit4337PaymasterCall => |_| Vec::new(),
    )
}

/// The same, of installing or uninstalling Smart Sessions as validator on the account that it is a call of: with sessions,
/// if with any data.
fn installed(call_data: &[u8]) -> Option<Vec<Address>> {
    let is_ours = |kind: U256, module| kind == U256::from(ModuleType::Validator.code()) && module == SMART_SESSION;
    match call_data.first_chunk::<4>() {
        Some(&INexus::installModuleCall::SELECTOR) => {
            let call = decode::call::<INexus::installModuleCall>(call_data).ok()?;
            let sessions =
                decode_install_data(&call.initData).ok().filter(|_| is_ours(call.moduleTypeId, call.module))?;
            Some(sessions.iter().flat_map(|session| of_session(&Session::from(session))).collect())
        }
        Some(&INexus::uninstallModuleCall::SELECTOR) => decode::call::<INexus::uninstallModuleCall>(call_data)
            .ok()
            .filter(|call| is_ours(call.moduleTypeId, call.module))
            .map(|_| Vec::new()),
        _ => None,
    }
}

/// All that a session has the module call.
fn of_session(session: &Session) -> Vec<Address> {
    let policies = of_policies(&session.userOpPolicies).chain(of_policies(&session.erc7739Policies.erc1271Policies));
    [session.sessionValidator].into_iter().chain(policies).chain(of_actions(&session.actions)).collect()
}

fn of_actions(actions: &[ActionData]) -> impl Iterator<Item = Address> {
    actions.iter().flat_map(|action| of_policies(&action.actionPolicies))
}

fn of_policies(policies: &[PolicyData]) -> impl Iterator<Item = Address> {
    policies.iter().map(|it| it.policy)
}
