//! What accounts revert with, typed and in words.

use crate::abi::{
    decode,
    nexus::{INexus::INexusErrors, INexusMismatchWithType::INexusMismatchWithTypeErrors},
};

/// The account's error; `None` for revert data of others.
pub fn nexus_error(revert_data: &[u8]) -> Option<INexusErrors> {
    decode::loose_errors::<INexusErrors>(revert_data).ok()
}

/// The account's error in words; `None` for revert data of others.
pub fn nexus_error_words(revert_data: &[u8]) -> Option<String> {
    use INexusErrors as E;
    if let Ok(INexusMismatchWithTypeErrors::MismatchModuleTypeId(e)) = decode::loose_errors(revert_data) {
        return Some(format!("MismatchModuleTypeId({})", e.moduleTypeId));
    }
    Some(match nexus_error(revert_data)? {
        E::ValidatorNotInstalled(e) => format!("ValidatorNotInstalled({})", e.module),
        E::ModuleNotInstalled(e) => format!("ModuleNotInstalled({}, {})", e.moduleTypeId, e.module),
        E::ModuleAlreadyInstalled(e) => format!("ModuleAlreadyInstalled({}, {})", e.moduleTypeId, e.module),
        E::DefaultValidatorAlreadyInstalled(_) => "DefaultValidatorAlreadyInstalled()".into(),
        E::UnsupportedCallType(e) => format!("UnsupportedCallType({})", e.callType),
        E::UnsupportedExecType(e) => format!("UnsupportedExecType({})", e.execType),
        E::ExecutionFailed(_) => "ExecutionFailed()".into(),
        E::AccountAccessUnauthorized(_) => "AccountAccessUnauthorized()".into(),
        E::NexusInitializationFailed(_) => "NexusInitializationFailed()".into(),
        E::NoValidatorInstalled(_) => "NoValidatorInstalled()".into(),
        E::CanNotRemoveLastValidator(_) => "CanNotRemoveLastValidator()".into(),
        E::InvalidModule(e) => format!("InvalidModule({})", e.module),
        E::NexusAlreadyInitialized(_) => "NexusAlreadyInitialized()".into(),
        E::InvalidInitialization(_) => "InvalidInitialization()".into(),
        E::InvalidModuleTypeId(e) => format!("InvalidModuleTypeId({})", e.moduleTypeId),
        E::MismatchModuleTypeId(_) => "MismatchModuleTypeId()".into(),
        E::LinkedList_AlreadyInitialized(_) => "LinkedList_AlreadyInitialized()".into(),
        E::LinkedList_InvalidPage(_) => "LinkedList_InvalidPage()".into(),
        E::LinkedList_InvalidEntry(e) => format!("LinkedList_InvalidEntry({})", e.entry),
        E::LinkedList_EntryAlreadyInList(e) => format!("LinkedList_EntryAlreadyInList({})", e.entry),
        E::InvalidInitData(_) => "InvalidInitData()".into(),
        E::InvalidNonce(_) => "InvalidNonce()".into(),
        E::InvalidImplementationAddress(_) => "InvalidImplementationAddress()".into(),
        E::InnerCallFailed(_) => "InnerCallFailed()".into(),
    })
}
