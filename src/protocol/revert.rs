//! What error texts of entry point, modules and paymasters mean, and how revert data reads (SPEC 2.1, 4.7).

use alloy::sol_types::{Panic, Revert, SolError, SolInterface};

use super::abi::{
    IEcdsaModule::IEcdsaModuleErrors, IEntryPoint::IEntryPointErrors, ISmartAccount::ISmartAccountErrors,
};

mod table;

pub use table::EXPLANATIONS;

/// Meaning of an error text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Part of the error text, compared without regard to case.
    pub matches: &'static str,
    /// The seed's name of the error, or ours where the seed has none.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What usually causes it.
    pub causes: &'static [&'static str],
    /// What to do about it.
    pub solutions: &'static [&'static str],
    /// May the very same intent succeed when it is tried again (with fresh nonce, fees, limits)?
    pub retryable: bool,
}

/// The first entry whose text occurs in `text`. Texts of modules come first, so that
/// `AA23 reverted: SessionNotApproved` is explained by the session, not by AA23.
pub fn explain(text: &str) -> Option<&'static Explanation> {
    let text = text.to_lowercase();
    EXPLANATIONS.iter().find(|explanation| text.contains(&explanation.matches.to_lowercase()))
}

/// Revert data in words: `Error(string)`, `Panic(uint256)`, the known custom errors with their
/// values; else the bytes as hex. Never panics.
pub fn decode_revert(data: &[u8]) -> String {
    if data.is_empty() {
        return "reverted without a reason".into();
    }
    if let Ok(revert) = Revert::abi_decode(data) {
        return revert.reason;
    }
    if let Ok(panic) = Panic::abi_decode(data) {
        return panic.to_string();
    }
    if let Ok(error) = ISmartAccountErrors::abi_decode(data) {
        return account_error(&error);
    }
    if let Ok(IEntryPointErrors::FailedOp(failed)) = IEntryPointErrors::abi_decode(data) {
        return failed.reason;
    }
    if let Ok(error) = IEcdsaModuleErrors::abi_decode(data) {
        return match error {
            IEcdsaModuleErrors::NoOwnerRegisteredForSmartAccount(error) => {
                format!("NoOwnerRegisteredForSmartAccount({})", error.smartAccount)
            }
            IEcdsaModuleErrors::AlreadyInitedForSmartAccount(error) => {
                format!("AlreadyInitedForSmartAccount({})", error.smartAccount)
            }
            IEcdsaModuleErrors::WrongSignatureLength(_) => "WrongSignatureLength()".into(),
        };
    }
    format!("unknown error 0x{}", hex::encode(data))
}

fn account_error(error: &ISmartAccountErrors) -> String {
    match error {
        ISmartAccountErrors::WrongValidationModule(e) => format!("WrongValidationModule({})", e.module),
        ISmartAccountErrors::ModuleAlreadyEnabled(e) => format!("ModuleAlreadyEnabled({})", e.module),
        ISmartAccountErrors::ModuleNotEnabled(e) => format!("ModuleNotEnabled({})", e.module),
        ISmartAccountErrors::ModuleCannotBeZeroOrSentinel(e) => format!("ModuleCannotBeZeroOrSentinel({})", e.module),
        ISmartAccountErrors::ModuleAndPrevModuleMismatch(e) => {
            format!("ModuleAndPrevModuleMismatch({}, {}, {})", e.expectedModule, e.returnedModule, e.prevModule)
        }
        ISmartAccountErrors::WrongBatchProvided(e) => {
            format!("WrongBatchProvided({}, {}, {}, {})", e.dests, e.values, e.funcs, e.operations)
        }
        ISmartAccountErrors::CallerIsNotEntryPoint(e) => format!("CallerIsNotEntryPoint({})", e.caller),
        ISmartAccountErrors::CallerIsNotEntryPointOrSelf(e) => format!("CallerIsNotEntryPointOrSelf({})", e.caller),
        ISmartAccountErrors::CallerIsNotAnEntryPoint(e) => format!("CallerIsNotAnEntryPoint({})", e.caller),
        ISmartAccountErrors::AlreadyInitialized(_) => "AlreadyInitialized()".into(),
    }
}
