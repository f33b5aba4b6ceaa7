//! What is sponsored: targets, accounts, caps per operation, budgets per day. Read from a file by [`super::file`].

use std::time::Duration;

use alloy::primitives::{Address, U256};

use super::{
    super::config::{Secret, UpstreamUrl},
    advance::AdvanceLimits,
};
use use_aa_protocol::rpc::PaymasterMode;

/// A sponsorship policy. Everything that it does not name is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The file's own version, when it has one, and the first digits of its hash.
    pub version: String,
    /// Who may be asked to pay.
    pub modes: Vec<PaymasterMode>,
    /// Operations that deploy the account are paid for, made by one of these factories; empty = they are not.
    pub factories: Vec<Address>,
    /// Calls that enable or disable session modules and that store the root of sessions are paid for.
    pub session_setup: bool,
    /// What may be called.
    pub targets: Vec<Target>,
    /// Whose operations are paid for; `None` = everybody's.
    pub allowed_accounts: Option<Vec<Address>>,
    /// Whose operations never are.
    pub denied_accounts: Vec<Address>,
    /// Limits of one operation.
    pub caps: Caps,
    /// Limits of one UTC day.
    pub budgets: Budgets,
    /// How many signatures may be open.
    pub open: Open,
    /// How much gas may be advanced to those who pay in tokens.
    pub advance: AdvanceLimits,
    /// Who else is asked; all of them must agree.
    pub webhooks: Vec<Webhook>,
}

/// Functions of a contract, or of all contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which contract.
    pub address: TargetAddress,
    /// Which functions; `None` = all of them, and plain transfers.
    pub functions: Option<Functions>,
    /// Most native value that the account may send along, wei; `None` = any: it is the account's own.
    pub max_value: Option<U256>,
}

/// Which contract a [`Target`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetAddress {
    /// Every address but the account itself and the modules, which must be named.
    Any,
    /// The account itself.
    Account,
    /// This one.
    Is(Address),
}

/// Functions by selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    /// First four bytes of the call data.
    pub selectors: Vec<[u8; 4]>,
    /// Calls without data, too.
    pub receive: bool,
}

/// Limits of one operation; `None` = no own limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// Calls in one operation.
    pub calls: Option<usize>,
    /// `callGasLimit`, gas units.
    pub call_gas: Option<U256>,
    /// `verificationGasLimit`, gas units.
    pub verification_gas: Option<U256>,
    /// `preVerificationGas`, gas units; `None` = `check::usual_pre_verification_gas`.
    pub pre_verification_gas: Option<U256>,
    /// The three together, gas units.
    pub total_gas: Option<U256>,
    /// `maxFeePerGas`, wei.
    pub fee_per_gas: Option<U256>,
    /// The most that the operation can cost, wei.
    pub cost: Option<U256>,
}

/// Limits of one UTC day, wei; `None` = unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// For one account.
    pub account_per_day: Option<U256>,
    /// For all accounts together.
    pub global_per_day: Option<U256>,
}

/// How many signatures may be neither used nor run out: their cost is reserved; `None` = any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Of one account.
    pub per_account: Option<u32>,
    /// Of one address that asks (of IPv6: one network of 64 bits).
    pub per_caller: Option<u32>,
}

/// Another service that has a say (SPEC 5.8).
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// Where it is.
    pub url: UpstreamUrl,
    /// `POST` with the body `{"data": …}`, else `GET` with the same as `?data=…`.
    pub post: bool,
    /// How long it may take; afterwards the answer is no.
    pub timeout: Duration,
    /// Sent as the header `Authorization`.
    pub authorization: Option<Secret>,
    /// The operation is added to the body, so that the service can compare it with the data.
    pub include_operation: bool,
}
