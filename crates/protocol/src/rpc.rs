//! Shapes that cross the wire between page, server, bundler and paymaster.
//!
//! Amounts are wei, gas is gas units, times are unix seconds unless a field says otherwise.

use alloy::primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use super::{clocks::Clocks, describe::TokenFacts, entry_point::UserOperation, kind::AccountKind, owner::OwnerKind};
use crate::read_tagged;

/// What the page must know of the chain and the services behind the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainInfo {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Name for people.
    pub name: String,
    /// ERC-4337 v0.6 entry point.
    pub entry_point: Address,
    /// True on the local lab, where the lab wallet is offered.
    pub lab: bool,
    /// True when a paymaster is configured.
    pub sponsored: bool,
    /// Whether that pays for callers without a key, as pages are (`USE_AA_PAGE_SPONSORSHIP`). Servers that do not say so
    /// knew no such choice: they do.
    #[serde(default = "yes")]
    pub page_sponsorship: bool,
    /// A node URL that a wallet may be told by `wallet_addEthereumChain`; given in the lab only.
    pub public_rpc_url: Option<String>,
    /// Block explorer, without trailing slash.
    pub explorer_url: Option<String>,
    /// What gas is paid in.
    pub native_currency: NativeCurrency,
    /// The account kind that pages begin with where nobody chose one (`USE_AA_ACCOUNT`).
    #[serde(default)]
    pub account: AccountKind,
    /// The account kinds that a page may offer; servers that do not say so know one.
    #[serde(default = "one_kind")]
    pub account_kinds: Vec<AccountKind>,
}

fn one_kind() -> Vec<AccountKind> {
    vec![AccountKind::default()]
}

impl ChainInfo {
    /// Whoever calls without a key may have gas paid or advanced.
    pub fn sponsors_pages(&self) -> bool {
        self.sponsored && self.page_sponsorship
    }
}

fn yes() -> bool {
    true
}

/// The native currency of a chain, as EIP-3085 names its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeCurrency {
    /// Name for people.
    pub name: String,
    /// Its sign beside amounts.
    pub symbol: String,
    /// Decimals of a wei: 18 on every EVM chain, and wallets refuse others.
    pub decimals: u8,
}

impl NativeCurrency {
    /// With 18 decimals.
    pub fn new(name: impl Into<String>, symbol: impl Into<String>) -> Self {
        Self { name: name.into(), symbol: symbol.into(), decimals: 18 }
    }

    /// How its amounts are shown and read.
    pub fn facts(&self) -> TokenFacts {
        TokenFacts::native(&self.symbol, self.decimals)
    }
}

impl Default for NativeCurrency {
    fn default() -> Self {
        Self::new("Ether", "ETH")
    }
}

/// State of one smart account, read in one round trip at the latest block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountState {
    /// True when the account has code.
    pub deployed: bool,
    /// `EntryPoint.getNonce(account, key)`: key in the upper 192 bits, sequence in the lower 64.
    pub nonce: U256,
    /// Root that the session key manager holds; zero when none was ever set.
    pub merkle_root: B256,
    /// Session key manager enabled as module; false while undeployed.
    pub session_key_manager_enabled: bool,
    /// Batched session router enabled as module; false while undeployed.
    pub batched_session_router_enabled: bool,
    /// All modules that the account has enabled, the session modules among them; empty while undeployed.
    #[serde(default)]
    pub modules: Vec<Address>,
    /// Root that the older session key manager holds; zero when none was ever set, or where there is no such contract.
    #[serde(default)]
    pub older_merkle_root: B256,
    /// The older session key manager enabled as module; false while undeployed.
    #[serde(default)]
    pub older_session_key_manager_enabled: bool,
    /// What another chain node says of a root, where the nodes disagree about the two above: then nothing is signed or taken
    /// over that rests on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots_disputed: Option<B256>,
    /// What stands behind the owner's address, where the question named an owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_kind: Option<OwnerKind>,
    /// Native balance, wei.
    pub balance: U256,
    /// Time of the block that all this was read at, unix seconds; the same as `clocks.block`.
    pub block_timestamp: u64,
    /// What time it is, by chain and server.
    pub clocks: Clocks,
}

impl AccountState {
    /// Root of the older session key manager's sessions that can be used; zero while it is not enabled.
    pub fn older_root(&self) -> B256 {
        if self.older_session_key_manager_enabled { self.older_merkle_root } else { B256::ZERO }
    }
}

/// EIP-1559 fees, wei per gas (`biconomy_getGasFeeValues`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GasFees {
    /// Highest total fee per gas.
    pub max_fee_per_gas: U256,
    /// Highest tip per gas.
    pub max_priority_fee_per_gas: U256,
}

impl GasFees {
    /// Both fees 10 % higher, rounded up: the least that bundlers take for a replacement (ERC-4337, as for
    /// transactions).
    #[must_use]
    pub fn bumped(&self) -> Self {
        let bump = |fee: U256| fee.saturating_add(fee.div_ceil(U256::from(10)));
        Self {
            max_fee_per_gas: bump(self.max_fee_per_gas),
            max_priority_fee_per_gas: bump(self.max_priority_fee_per_gas),
        }
    }
}

/// Gas limits of a user operation, gas units (`eth_estimateUserOperationGas`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GasEstimate {
    /// Limit of the call itself.
    pub call_gas_limit: U256,
    /// Limit of account validation; on v0.6 of paymaster validation, too.
    pub verification_gas_limit: U256,
    /// Gas paid to the bundler beside execution.
    pub pre_verification_gas: U256,
    /// The paymaster's own limits: on v0.7, for an operation with a paymaster.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub paymaster: Option<PaymasterGas>,
}

/// Gas limits that a paymaster has for itself on entry point v0.7, gas units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymasterGas {
    /// Limit of its validation.
    #[serde(rename = "paymasterVerificationGasLimit")]
    pub verification: U256,
    /// Limit of its work after the call.
    #[serde(rename = "paymasterPostOpGasLimit")]
    pub post_op: U256,
}

impl GasEstimate {
    /// The limits that an operation has.
    pub fn of(operation: &UserOperation) -> Self {
        Self {
            call_gas_limit: operation.call_gas_limit,
            verification_gas_limit: operation.verification_gas_limit,
            pre_verification_gas: operation.pre_verification_gas,
            paymaster: operation.paymaster_gas(),
        }
    }

    /// Puts them into an operation; the paymaster's where it has one with limits of its own.
    pub fn set(&self, operation: &mut UserOperation) {
        operation.call_gas_limit = self.call_gas_limit;
        operation.verification_gas_limit = self.verification_gas_limit;
        operation.pre_verification_gas = self.pre_verification_gas;
        if let Some(gas) = self.paymaster {
            operation.set_paymaster_gas(gas);
        }
    }
}

/// How gas is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PaymasterMode {
    /// The dapp pays (verifying paymaster).
    Sponsored,
    /// The person pays in a token (token paymaster).
    Erc20,
}

impl PaymasterMode {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sponsored => "SPONSORED",
            Self::Erc20 => "ERC20",
        }
    }
}

/// Context of `pm_sponsorUserOperation` (docs/protocol.md 5.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SponsorContext {
    /// Who pays.
    pub mode: PaymasterMode,
    /// The paymaster estimates the limits itself (default true).
    pub calculate_gas_limits: bool,
    /// Life of the signature, seconds (service default 300).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_duration: Option<u64>,
    /// Passed on to the dapp's webhook (docs/protocol.md 5.8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_data: Option<serde_json::Value>,
    /// The token that is charged, in mode ERC20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_info: Option<TokenInfo>,
}

impl SponsorContext {
    /// The dapp pays for the limits that the operation has.
    pub fn sponsored() -> Self {
        Self {
            mode: PaymasterMode::Sponsored,
            calculate_gas_limits: false,
            expiry_duration: None,
            webhook_data: None,
            token_info: None,
        }
    }
}

/// Which token is charged (`tokenInfo`, docs/protocol.md 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenInfo {
    /// The token.
    pub fee_token_address: Address,
}

/// What a paymaster signed. All four fields replace the operation's (docs/protocol.md 5.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sponsorship {
    /// Paymaster address and its data.
    pub paymaster_and_data: Bytes,
    /// The limits that the signature covers.
    #[serde(flatten)]
    pub gas: GasEstimate,
}

/// What a bundler of Biconomy's dialect tries out before it takes an operation (docs/protocol.md 4.2). Others refuse to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimulationType {
    /// Whether account and paymaster accept it.
    Validation,
    /// That, and what it does.
    ValidationAndExecution,
}

/// Receipt of a user operation, with what a person looks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserOpReceipt {
    /// Hash of the user operation.
    pub user_op_hash: B256,
    /// The account.
    pub sender: Address,
    /// Did the call succeed?
    pub success: bool,
    /// Decoded revert reason when it did not.
    pub reason: Option<String>,
    /// Transaction that carried the bundle.
    pub transaction_hash: B256,
    /// Its block.
    pub block_number: u64,
    /// What was charged, wei.
    pub actual_gas_cost: U256,
    /// Gas used, gas units.
    pub actual_gas_used: U256,
}

/// Where an operation stands, as the server's stream tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum UserOpUpdate {
    /// The bundler has it.
    Submitted,
    /// It is in a transaction that is not mined yet.
    Bundled {
        /// That transaction.
        transaction_hash: B256,
    },
    /// Mined; its `UserOperationEvent` was seen.
    Included {
        /// The transaction.
        transaction_hash: B256,
        /// Its block.
        block_number: u64,
    },
    /// Mined, successful, and deep enough. Final.
    Confirmed {
        /// The receipt.
        receipt: UserOpReceipt,
    },
    /// Mined, but the call reverted. Final.
    Reverted {
        /// The receipt, with the reason.
        receipt: UserOpReceipt,
    },
    /// It has waited for long and no transaction holds it. A replacement with the same nonce and these fees may
    /// overtake it; who signed this one must sign that one.
    Stuck {
        /// For how long it has waited, seconds.
        seconds: u64,
        /// The least fees that a bundler takes for a replacement, or today's if they are higher.
        fees: GasFees,
    },
    /// Another operation with the same nonce took its place: this one can never be included any more, or the bundler
    /// has given it up for that one. Final.
    Replaced {
        /// Hash of the other operation.
        by: B256,
        /// The transaction that holds the other one, when it is mined.
        #[serde(skip_serializing_if = "Option::is_none")]
        transaction_hash: Option<B256>,
    },
    /// The bundler gave it up. Final.
    Dropped {
        /// The bundler's text.
        reason: String,
    },
}

read_tagged! {
    UserOpUpdate by "status":
    "submitted" => Submitted,
    "bundled" => Bundled { transaction_hash },
    "included" => Included { transaction_hash, block_number },
    "confirmed" => Confirmed { receipt },
    "reverted" => Reverted { receipt },
    "stuck" => Stuck { seconds, fees },
    "replaced" => Replaced { by, transaction_hash },
    "dropped" => Dropped { reason },
}

/// The last line of a status stream whose server is stopping: ask again, at once; another one answers. Whoever does not
/// know it takes it for a cut stream, which comes to the same, a little later.
pub const RECONNECT: &str = r#"{"reconnect":true}"#;

/// Most operations that one status stream follows.
pub const MOST_FOLLOWED: usize = 64;

impl UserOpUpdate {
    /// No further update follows.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Confirmed { .. } | Self::Reverted { .. } | Self::Replaced { .. } | Self::Dropped { .. })
    }

    /// Final, and a block proves it. An end that only a bundler tells may still turn out wrong: the server goes on watching
    /// the chain, and whoever asks again hears what came of it.
    pub fn is_proved(&self) -> bool {
        match self {
            Self::Confirmed { .. } | Self::Reverted { .. } => true,
            Self::Replaced { transaction_hash, .. } => transaction_hash.is_some(),
            _ => false,
        }
    }
}
