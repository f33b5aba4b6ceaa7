//! The policy's rules, held against one operation. Pure: budgets, webhooks and the ledger are elsewhere.

mod nexus;

use std::ops::Range;

use alloy::{
    primitives::{Address, U256, address},
    sol_types::SolCall,
};

use super::calls::{calls_of, check_nonce};
use super::policy::{Caps, SponsorPolicy, Target, TargetAddress};
use use_aa_protocol::{
    abi::{IErc20, ISessionKeyManager, ISmartAccount, decode},
    addresses::{
        BATCHED_SESSION_ROUTER, ECDSA_MODULE, MULTICHAIN_MODULE, PASSKEY_MODULE, SESSION_KEY_MANAGER,
        SESSION_KEY_MANAGER_V1_0_0,
    },
    entry_point::EntryPoint,
    nexus::NexusRelease,
    rpc::PaymasterMode,
    smart_account::Call,
    smart_sessions::addresses::{OWNABLE_VALIDATOR, SMART_SESSION},
    user_operation::UserOperation,
};

/// Modules that sessions need: `session_setup` lets the account enable and disable them.
const SESSION_MODULES: [Address; 3] = [SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0, BATCHED_SESSION_ROUTER];
/// What `*` does not mean: whoever calls these decides who may act for the account.
const GUARDED: [Address; 10] = [
    SESSION_KEY_MANAGER,
    SESSION_KEY_MANAGER_V1_0_0,
    BATCHED_SESSION_ROUTER,
    ECDSA_MODULE,
    MULTICHAIN_MODULE,
    PASSKEY_MODULE,
    SMART_SESSION,
    OWNABLE_VALIDATOR,
    // Owners' validators of sets that accounts are not made with here (docs/nexus.md 0): the second of 1.2.0, and 1.3.1.
    address!("0000000031ef4155C978d48a8A7d4EDba03b04fE"),
    address!("0000000002d3cC5642A748B6783F32C032616E03"),
];

/// One of [`GUARDED`], or the owners' validator of a release of Nexus.
fn is_guarded(address: Address) -> bool {
    GUARDED.contains(&address) || NexusRelease::ALL.iter().any(|release| release.parts().owner_validator == address)
}

/// Gas of an operation that needs no price to be paid for, where the policy names no limit: half a block of most chains.
const MODEST_GAS: U256 = U256::from_limbs([15_000_000, 0, 0, 0]);
/// What a larger one may cost, wei: 0.05 of the native currency. Units of gas are not worth the same everywhere: on some
/// rollups a plain operation takes more of them.
const MODEST_COST: U256 = U256::from_limbs([50_000_000_000_000_000, 0, 0, 0]);

/// Who takes the fee in mode ERC20, and in which token.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeeTaker {
    pub(super) token: Address,
    pub(super) spender: Address,
}

impl SponsorPolicy {
    /// May this operation be paid for, as far as can be told before its gas limits are known? The error is the reason,
    /// for the person who asked.
    /// In mode ERC20 the account may approve the taker of its fee.
    pub(super) fn check(
        &self,
        operation: &UserOperation,
        mode: PaymasterMode,
        fee: Option<FeeTaker>,
    ) -> Result<(), String> {
        if !self.modes.contains(&mode) {
            return Err(format!("the policy does not offer the mode {}", mode_name(mode)));
        }
        let account = operation.sender;
        if self.denied_accounts.contains(&account) {
            return Err(format!("the policy excludes the account {account}"));
        }
        if self.allowed_accounts.as_ref().is_some_and(|allowed| !allowed.contains(&account)) {
            return Err(format!("the policy does not list the account {account}"));
        }
        check_nonce(operation)?;
        self.check_enabling(operation)?;
        self.check_deployment(operation)?;
        if operation.call_data.is_empty() {
            return match operation.init_code.is_empty() {
                true => Err("the operation does nothing".into()),
                false => Ok(()),
            };
        }
        let calls = calls_of(operation)?;
        if calls.is_empty() {
            return Err("the operation calls nothing".into());
        }
        if let Some(most) = self.caps.calls.filter(|most| calls.len() > *most) {
            return Err(format!("{} calls in one operation; at most {most} are paid for", calls.len()));
        }
        let fee = fee.filter(|_| mode == PaymasterMode::Erc20);
        let exempt = fee.map_or(0..0, |fee| fee_approvals(&calls, fee));
        let mut others = calls.iter().enumerate().filter(|(index, _)| !exempt.contains(index));
        others.try_for_each(|(index, call)| self.check_call(operation, index, call))
    }

    /// A session that the operation's own signature enables is set up like any other.
    fn check_enabling(&self, operation: &UserOperation) -> Result<(), String> {
        match nexus::enabled_by(operation, &self.session_contracts)? {
            SetUp::None => Ok(()),
            _ if !self.session_setup => Err("the signature sets a session up (session_setup is off)".into()),
            SetUp::Known => Ok(()),
            SetUp::Foreign(contract) => Err(format!(
                "the signature sets a session up that names {contract}, which session_contracts does not list"
            )),
        }
    }

    fn check_call(&self, operation: &UserOperation, index: usize, call: &Call) -> Result<(), String> {
        let account = operation.sender;
        let setup = self.set_up_by(operation, call);
        let is_paid = self.session_setup && setup == SetUp::Known;
        if is_paid || self.targets.iter().any(|target| target.allows(account, call)) {
            return Ok(());
        }
        let what = match call.data.get(..4) {
            Some(selector) => format!("function 0x{}", hex::encode(selector)),
            None => "no function".into(),
        };
        let value = if call.value.is_zero() { String::new() } else { format!(", {} wei", call.value) };
        let hint = match setup {
            SetUp::None => String::new(),
            _ if !self.session_setup => " (session_setup is off)".into(),
            SetUp::Known => String::new(),
            SetUp::Foreign(contract) => {
                format!(" (the session names {contract}, which session_contracts does not list)")
            }
        };
        Err(format!("call {} to {} ({what}{value}) is not among the policy's targets{hint}", index + 1, call.to))
    }
}

impl SponsorPolicy {
    /// Is this operation, with the limits that are going to be signed, within the caps?
    pub(super) fn check_gas(&self, operation: &UserOperation, mode: PaymasterMode) -> Result<(), String> {
        self.caps.check(operation)?;
        match mode {
            PaymasterMode::Sponsored => self.caps.check_unused(operation),
            // The account pays for what it asked for and did not use.
            PaymasterMode::Erc20 => Ok(()),
        }
    }
}

impl Target {
    fn allows(&self, account: Address, call: &Call) -> bool {
        let address = match self.address {
            TargetAddress::Account => call.to == account,
            TargetAddress::Any => {
                call.to != account && !is_guarded(call.to) && EntryPoint::from_address(call.to).is_none()
            }
            // The account itself is never meant by its address: that would open it for its owner only.
            TargetAddress::Is(address) => call.to == address && call.to != account,
        };
        let function = match (&self.functions, call.data.first_chunk::<4>()) {
            (None, _) => true,
            (Some(functions), Some(selector)) => functions.selectors.contains(selector),
            (Some(functions), None) => functions.receive && call.data.is_empty(),
        };
        address && function && self.max_value.is_none_or(|most| call.value <= most)
    }
}

/// What a call is to the sessions of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SetUp {
    /// Nothing.
    None,
    /// It sets them up, and runs no code but that of contracts that are known.
    Known,
    /// It sets them up with this contract, which is not known, and which the module would call.
    Foreign(Address),
}

impl SetUp {
    fn known(is_one: bool) -> Self {
        if is_one { Self::Known } else { Self::None }
    }
}

impl SponsorPolicy {
    /// Does it set sessions up as accounts of the operation's kind do? The other kind's functions mean nothing to the account:
    /// it would hand them to whatever its owner installed for them. And taking the account's deposit out of the entry point,
    /// so that no session key finds it there.
    fn set_up_by(&self, operation: &UserOperation, call: &Call) -> SetUp {
        if !call.value.is_zero() {
            return SetUp::None;
        }
        if let Some(entry_point) = EntryPoint::from_address(call.to) {
            return SetUp::known(entry_point.withdrawn_by(call).is_some());
        }
        match operation.entry_point {
            EntryPoint::V06 => SetUp::known(sets_up_v2(operation.sender, call)),
            EntryPoint::V07 => nexus::set_up_by(operation.sender, call, &self.session_contracts),
        }
    }
}

/// Storing a root of sessions, enabling or disabling a session module on the account itself.
fn sets_up_v2(account: Address, call: &Call) -> bool {
    if [SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0].contains(&call.to) {
        return decode::call::<ISessionKeyManager::setMerkleRootCall>(&call.data).is_ok();
    }
    if call.to != account {
        return false;
    }
    let module = match call.data.first_chunk::<4>() {
        Some(&ISmartAccount::enableModuleCall::SELECTOR) => {
            decode::call::<ISmartAccount::enableModuleCall>(&call.data).map(|call| call.module)
        }
        Some(&ISmartAccount::disableModuleCall::SELECTOR) => {
            decode::call::<ISmartAccount::disableModuleCall>(&call.data).map(|call| call.module)
        }
        Some(&ISmartAccount::setupAndEnableModuleCall::SELECTOR) => {
            decode::call::<ISmartAccount::setupAndEnableModuleCall>(&call.data).map(|call| call.setupContract)
        }
        _ => return false,
    };
    module.is_ok_and(|module| SESSION_MODULES.contains(&module))
}

impl FeeTaker {
    /// How much this approves, if it is `approve(spender, …)` on the very token and nothing beside it. Other contracts may
    /// do anything in a function of that name.
    fn approved_by(self, call: &Call) -> Option<U256> {
        let approval = decode::call::<IErc20::approveCall>(&call.data).ok()?;
        (call.to == self.token && call.value.is_zero() && approval.spender == self.spender).then_some(approval.amount)
    }
}

/// The calls that approve the fee past the policy's targets: the first approval of an amount, and one of nothing just
/// before it, because some tokens want an allowance to be nothing before it changes.
fn fee_approvals(calls: &[Call], fee: FeeTaker) -> Range<usize> {
    let approved = |call: &Call| fee.approved_by(call);
    let Some(amount) = calls.iter().position(|call| approved(call).is_some_and(|amount| !amount.is_zero())) else {
        return 0..0;
    };
    let before = amount.checked_sub(1).filter(|before| calls.get(*before).and_then(approved) == Some(U256::ZERO));
    before.unwrap_or(amount)..amount.saturating_add(1)
}

impl Caps {
    /// Is this operation, with the limits that are going to be signed, within the caps?
    pub(super) fn check(&self, operation: &UserOperation) -> Result<(), String> {
        // On v0.7 a paymaster has limits of its own: they are asked for, paid for and, in part, charged for when unused.
        let paymaster = operation.paymaster_gas().unwrap_or_default();
        let total = [
            operation.call_gas_limit,
            operation.verification_gas_limit,
            operation.pre_verification_gas,
            paymaster.verification,
            paymaster.post_op,
        ]
        .into_iter()
        .fold(U256::ZERO, U256::saturating_add);
        // A paymaster's limits add to the operation's: they are one purse.
        let (calls, verification) = match operation.paymaster_gas() {
            None => ("callGasLimit", "verificationGasLimit"),
            Some(_) => {
                ("callGasLimit and paymasterPostOpGasLimit", "verificationGasLimit and paymasterVerificationGasLimit")
            }
        };
        // A unit of gas is worth a wei at least, or numbers of it would have no limit.
        let is_modest = operation.required_prefund().max(total) <= MODEST_COST;
        // Of those that nobody chose.
        let gas = |limit: Option<U256>| limit.filter(|_| !(self.built_in && is_modest));
        for (name, asked, most) in [
            (calls, operation.call_gas_limit.saturating_add(paymaster.post_op), gas(self.call_gas)),
            (
                verification,
                operation.verification_gas_limit.saturating_add(paymaster.verification),
                gas(self.verification_gas),
            ),
            ("preVerificationGas", operation.pre_verification_gas, gas(self.pre_verification_gas)),
            ("total gas", total, gas(self.total_gas)),
            ("maxFeePerGas", operation.max_fee_per_gas, self.fee_per_gas),
            ("the cost in wei may become", operation.required_prefund(), self.cost),
        ] {
            if let Some(most) = most.filter(|most| asked > *most) {
                return Err(format!("{name} {asked}; at most {most} is paid for"));
            }
        }
        // What was just held against the policy's limits, if it has those that bound the whole.
        let each = [self.call_gas, self.verification_gas, self.pre_verification_gas];
        let has_limit = self.total_gas.is_some() || self.cost.is_some() || each.iter().all(Option::is_some);
        if !has_limit && total > MODEST_GAS && !is_modest {
            return Err(format!(
                "total gas {total} for more than {MODEST_COST} wei; at most {MODEST_GAS} gas, or any for so much, are paid \
                 for (caps.total_gas and caps.cost of the policy, or the three caps of its parts)"
            ));
        }
        Ok(())
    }
}

/// As the wire spells it.
pub(super) fn mode_name(mode: PaymasterMode) -> &'static str {
    match mode {
        PaymasterMode::Sponsored => "SPONSORED",
        PaymasterMode::Erc20 => "ERC20",
    }
}
