//! [`EnableMode`]: when a grant puts its sessions on chain.

use crate::error::AppError;
use use_aa_protocol::kind::AccountKind;

/// When a grant puts its sessions on chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EnableMode {
    /// Now, by an operation of the owner's.
    #[default]
    ByOperation,
    /// With the first use: the owner only signs, nothing is sent, and nobody pays. Until then whoever holds the signature and
    /// the session's key can use it, and revoking takes an operation all the same. Only account kinds whose sessions take
    /// signatures do this (`AccountKindCannot`).
    WithFirstUse,
}

/// Refuses what takes sessions that a signature grants.
pub(super) fn refuse_first_use(enable: EnableMode) -> Result<(), AppError> {
    match enable {
        EnableMode::ByOperation => Ok(()),
        EnableMode::WithFirstUse => {
            Err(AppError::kind_cannot(AccountKind::BiconomyV2, "a grant by signature that the first use carries"))
        }
    }
}
