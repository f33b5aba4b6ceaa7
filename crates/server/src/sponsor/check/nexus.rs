//! Calls by which sessions of a Nexus account are set up (`session_setup`).

use alloy::{primitives::U256, sol_types::SolCall};

use use_aa_protocol::{
    abi::{decode, nexus::INexus, smart_sessions::ISmartSession},
    nexus::ModuleType,
    smart_sessions::{addresses::SMART_SESSION, calls::decode_install_data},
};

/// Is it one of the module's functions that an account calls for its sessions, canonically encoded?
pub(super) fn administers_sessions(call_data: &[u8]) -> bool {
    macro_rules! any_of {
        ($($call:ident),+ $(,)?) => {
            match call_data.first_chunk::<4>() {
                $(Some(&ISmartSession::$call::SELECTOR) => decode::call::<ISmartSession::$call>(call_data).is_ok(),)+
                _ => false,
            }
        };
    }
    any_of!(
        enableSessionsCall,
        removeSessionCall,
        revokeEnableSignatureCall,
        enableActionPoliciesCall,
        disableActionPoliciesCall,
        disableActionIdCall,
        enableUserOpPoliciesCall,
        disableUserOpPoliciesCall,
        setPermit4337PaymasterCall,
    )
}

/// Does it install or uninstall Smart Sessions, as validator, on the account that it is a call of? With sessions, if with
/// any data.
pub(super) fn installs_sessions(call_data: &[u8]) -> bool {
    let is_ours = |kind: U256, module| kind == U256::from(ModuleType::Validator.code()) && module == SMART_SESSION;
    match call_data.first_chunk::<4>() {
        Some(&INexus::installModuleCall::SELECTOR) => decode::call::<INexus::installModuleCall>(call_data)
            .is_ok_and(|call| is_ours(call.moduleTypeId, call.module) && decode_install_data(&call.initData).is_ok()),
        Some(&INexus::uninstallModuleCall::SELECTOR) => decode::call::<INexus::uninstallModuleCall>(call_data)
            .is_ok_and(|call| is_ours(call.moduleTypeId, call.module)),
        _ => false,
    }
}
