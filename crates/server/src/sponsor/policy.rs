//! What is sponsored: targets, accounts, caps per operation, budgets per day. Read from a file by [`super::file`].

use std::time::Duration;

use alloy::primitives::{Address, B256, U256};

use super::super::{secret::Secret, upstream_url::UpstreamUrl};
use use_aa_protocol::rpc::PaymasterMode;

/// A sponsorship policy. Everything that it does not name is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct SponsorPolicy {
    /// The file's own version, when it has one, and the first digits of its hash.
    pub version: String,
    /// Who may be asked to pay.
    pub modes: Vec<PaymasterMode>,
    /// Operations that deploy the account are paid for, made by one of these factories; empty = they are not.
    pub factories: Vec<Address>,
    /// Modules with which deployed accounts may be set up, by `initForSmartAccount(address)`.
    pub deployment_modules: Vec<Address>,
    /// Calls that enable or disable session modules and that store the root of sessions are paid for.
    pub session_setup: bool,
    /// Policies and session validators of Smart Sessions that sessions may be set up with, beside the known ones.
    pub session_contracts: Vec<Address>,
    /// Implementations of Nexus accounts, beside those of the known releases.
    pub account_implementations: Vec<Address>,
    /// Hashes of the code at the addresses of Nexus accounts, beside those of the known releases' proxies.
    pub account_proxies: Vec<B256>,
    /// Hooks that a Nexus account may have.
    pub account_hooks: Vec<Address>,
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
    /// `preVerificationGas`, gas units; `None` = what is usual for the operation's bytes, or what the bundler asks.
    pub pre_verification_gas: Option<U256>,
    /// What may be charged for gas of the calls that is not used, on entry point v0.7, gas units; `None` =
    /// [`Caps::UNUSED_CALL_GAS`].
    pub unused_call_gas: Option<U256>,
    /// The three together, gas units.
    pub total_gas: Option<U256>,
    /// `maxFeePerGas`, wei.
    pub fee_per_gas: Option<U256>,
    /// Both fees, times what is due; `None` = [`crate::market::DEFAULT_FEE_FACTOR`].
    pub fee_factor: Option<u64>,
    /// The most that the operation can cost, wei.
    pub cost: Option<U256>,
    /// Nobody chose the numbers of gas for this chain: more is paid for, too, where it costs little.
    pub built_in: bool,
    /// Longest life of a signature, seconds.
    pub expiry: Option<u64>,
}

/// Limits of one UTC day, wei; `None` = unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// For one account.
    pub account_per_day: Option<U256>,
    /// For all accounts together.
    pub global_per_day: Option<U256>,
}

/// What may be reserved by signatures that are neither used nor have run out; `None` = anything. Who asks is a key with an
/// address, or an address alone (of IPv6: one network of 64 bits); without a key it has proven nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// How many of one account, by one who asks.
    pub per_account: Option<u32>,
    /// How many by one who asks.
    pub per_caller: Option<u32>,
    /// How much one who has proven nothing may have reserved, wei; a first grant always fits.
    pub caller_amount: Option<U256>,
    /// How much all of those together may, wei.
    pub unproven_amount: Option<U256>,
    /// How long a signature for one of those lives at most, seconds.
    pub unproven_seconds: Option<u64>,
}

/// How much gas may be advanced that was not paid back yet, wei; `None` = unlimited. What is owed, or may be because the
/// blocks could not be read, counts for a day: an attacker with ever new accounts, or a node without logs, costs so much
/// per day, and does not stop the service for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvanceLimits {
    /// To one account.
    pub account: Option<U256>,
    /// For one address that asks (of IPv6: one network of 64 bits).
    pub caller: Option<U256>,
    /// In all.
    pub total: Option<U256>,
}

impl Default for AdvanceLimits {
    /// 0.05, 0.25 and 1 of the native token.
    fn default() -> Self {
        let [account, caller, total] = [50, 250, 1_000]
            .map(|milli: u64| Some(U256::from(milli).saturating_mul(U256::from(1_000_000_000_000_000_u64))));
        Self { account, caller, total }
    }
}

/// Another service that has a say (docs/protocol.md 5.8).
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
