//! Calls, and Smart Account V2's address, init code and call data, as they were always named:
//! [`accounts::biconomy_v2`](crate::accounts::biconomy_v2) holds them. Whoever serves other kinds of accounts, too, asks the
//! kind.

pub use super::{
    accounts::biconomy_v2::{
        AccountTemplate, counterfactual_address, decode_calls, disable_module, enable_module, encode_calls, init_code,
        set_merkle_root, set_merkle_root_at, setup_and_enable_module,
    },
    call::{Call, MAX_CALL_DATA, MAX_CALLS},
};
