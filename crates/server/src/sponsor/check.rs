//! The policy's rules, held against one operation. Pure: budgets, webhooks and the ledger are elsewhere.

use alloy::{primitives::Address, sol_types::SolCall};

use super::policy::{Caps, SponsorPolicy, Target, TargetAddress};
use use_aa_protocol::{
    abi::{IEntryPoint, IErc20, ISessionKeyManager, ISmartAccount, decode},
    addresses::{
        BATCHED_SESSION_ROUTER, ECDSA_MODULE, ENTRY_POINT, MULTICHAIN_MODULE, PASSKEY_MODULE, SESSION_KEY_MANAGER,
        SESSION_KEY_MANAGER_V1_0_0,
    },
    rpc::PaymasterMode,
    smart_account::{Call, decode_calls},
    user_operation::UserOperation,
};

/// Modules that sessions need: `session_setup` lets the account enable and disable them.
const SESSION_MODULES: [Address; 3] = [SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0, BATCHED_SESSION_ROUTER];
/// What `*` does not mean: whoever calls these decides who may act for the account.
const GUARDED: [Address; 7] = [
    SESSION_KEY_MANAGER,
    SESSION_KEY_MANAGER_V1_0_0,
    BATCHED_SESSION_ROUTER,
    ECDSA_MODULE,
    MULTICHAIN_MODULE,
    PASSKEY_MODULE,
    ENTRY_POINT,
];

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
        self.check_deployment(operation)?;
        if operation.call_data.is_empty() {
            return match operation.init_code.is_empty() {
                true => Err("the operation does nothing".into()),
                false => Ok(()),
            };
        }
        let calls = decode_calls(&operation.call_data).map_err(|error| error.to_string())?;
        if calls.is_empty() {
            return Err("the operation calls nothing".into());
        }
        if let Some(most) = self.caps.calls.filter(|most| calls.len() > *most) {
            return Err(format!("{} calls in one operation; at most {most} are paid for", calls.len()));
        }
        let fee = fee.filter(|_| mode == PaymasterMode::Erc20);
        calls.iter().enumerate().try_for_each(|(index, call)| {
            let approves_fee = fee.is_some_and(|fee| fee.is_approved_by(call));
            if approves_fee { Ok(()) } else { self.check_call(account, index, call) }
        })
    }

    fn check_call(&self, account: Address, index: usize, call: &Call) -> Result<(), String> {
        let setup = sets_sessions_up(account, call);
        if (setup && self.session_setup) || self.targets.iter().any(|target| target.allows(account, call)) {
            return Ok(());
        }
        let what = match call.data.get(..4) {
            Some(selector) => format!("function 0x{}", hex::encode(selector)),
            None => "no function".into(),
        };
        let value = if call.value.is_zero() { String::new() } else { format!(", {} wei", call.value) };
        let hint = if setup { " (session_setup is off)" } else { "" };
        Err(format!("call {} to {} ({what}{value}) is not among the policy's targets{hint}", index + 1, call.to))
    }
}

impl Target {
    fn allows(&self, account: Address, call: &Call) -> bool {
        let address = match self.address {
            TargetAddress::Account => call.to == account,
            TargetAddress::Any => call.to != account && !GUARDED.contains(&call.to),
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

/// Storing a root of sessions, enabling or disabling a session module on the account itself, or taking the account's
/// deposit out of the entry point, so that no session key finds it there.
fn sets_sessions_up(account: Address, call: &Call) -> bool {
    if !call.value.is_zero() {
        return false;
    }
    if call.to == ENTRY_POINT {
        return decode::call::<IEntryPoint::withdrawToCall>(&call.data).is_ok();
    }
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
    /// Is this `approve(spender, …)` on the very token, and nothing beside it? Other contracts may do anything in a
    /// function of that name.
    fn is_approved_by(self, call: &Call) -> bool {
        let approval = decode::call::<IErc20::approveCall>(&call.data);
        call.to == self.token && call.value.is_zero() && approval.is_ok_and(|approval| approval.spender == self.spender)
    }
}

impl Caps {
    /// Is this operation, with the limits that are going to be signed, within the caps?
    pub(super) fn check(&self, operation: &UserOperation) -> Result<(), String> {
        let total = operation
            .call_gas_limit
            .saturating_add(operation.verification_gas_limit)
            .saturating_add(operation.pre_verification_gas);
        for (name, asked, most) in [
            ("callGasLimit", operation.call_gas_limit, self.call_gas),
            ("verificationGasLimit", operation.verification_gas_limit, self.verification_gas),
            ("preVerificationGas", operation.pre_verification_gas, self.pre_verification_gas),
            ("total gas", total, self.total_gas),
            ("maxFeePerGas", operation.max_fee_per_gas, self.fee_per_gas),
            ("the cost in wei may become", operation.required_prefund(), self.cost),
        ] {
            if let Some(most) = most.filter(|most| asked > *most) {
                return Err(format!("{name} {asked}; at most {most} is paid for"));
            }
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
