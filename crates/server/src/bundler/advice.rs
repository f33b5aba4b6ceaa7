//! What a bundler may say of fees.

use alloy::primitives::U256;

use use_aa_protocol::rpc::GasFees;

/// What a bundler advises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Both fees.
    Fees(GasFees),
    /// The tip; what is left for the base fee is the node's to say.
    Tip(U256),
}
