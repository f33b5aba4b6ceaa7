//! What a component that uses the hooks names: `use use_aa::prelude::*;`.
//!
//! The hooks with their variables and options, policies and calls, and the error.

pub use crate::{
    error::AppError,
    hooks::*,
    protocol::{
        policy::{Condition, Erc20Policy, Policy, Rule, SessionEpoch, SessionPolicy},
        rpc::UserOpReceipt,
        session::SessionStatus,
        smart_account::Call,
    },
};
