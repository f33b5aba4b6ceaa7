//! Options of a user operation and how lists of them fold (docs/protocol.md 1.3).

use alloy::primitives::{Address, Bytes, U256};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clock::unique_milliseconds;
use use_aa_protocol::{
    paymaster::FeeQuote,
    rpc::{PaymasterMode, SimulationType},
};

/// How a user operation is built. Everything may be left out; a left-out option takes nothing away
/// when options are merged (docs/protocol.md 10-U7).
///
/// `@biconomy/use-aa`'s `params` (which session, which key) are the hooks' variables here: `session_id`, `session_ids`,
/// `corresponding_index`, `corresponding_indexes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildUserOpOptions {
    /// Percentages added to gas limits and fees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gas_offset: Option<GasOffset>,
    /// Lane or value of the nonce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce_options: Option<NonceOptions>,
    /// Encode a single call in the batch form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_encode_for_batch: Option<bool>,
    /// Who pays the gas. `None`: the verb's default. A value without `mode`: the account itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paymaster_service_data: Option<PaymasterServiceData>,
    /// What a bundler of Biconomy's dialect is to try out before it takes the operation; other bundlers refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulation_type: Option<SimulationType>,
    /// State overrides for the bundler's estimate: address → `{balance?, nonce?, code?, state?, stateDiff?}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_override_set: Option<Value>,
    /// `paymasterAndData` to estimate with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dummy_pnd_override: Option<Bytes>,
    /// Empty call data, for an operation that only deploys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_empty_deploy_call_data: Option<bool>,
}

/// Percentages added on top, whole per cent; absent or 0 changes nothing (docs/protocol.md 6.3).
///
/// `@biconomy/use-aa` allows 1 to 100 only and reckons in doubles (docs/protocol.md 10-S7); here up to
/// [`GasOffset::MAX_PCT`], exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GasOffset {
    /// On `callGasLimit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_gas_limit_offset_pct: Option<u32>,
    /// On `verificationGasLimit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_gas_limit_offset_pct: Option<u32>,
    /// On `preVerificationGas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_verification_gas_offset_pct: Option<u32>,
    /// On `maxFeePerGas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fee_per_gas_offset_pct: Option<u32>,
    /// On `maxPriorityFeePerGas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_priority_fee_per_gas_offset_pct: Option<u32>,
}

impl GasOffset {
    /// Highest percentage that is taken: eleven times the value.
    pub const MAX_PCT: u32 = 1000;
}

/// Which nonce (docs/protocol.md 2.8): `nonce = key << 64 | sequence`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NonceOptions {
    /// The lane, below 2^192. Operations of different lanes do not wait for each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce_key: Option<U256>,
    /// The whole nonce, used as it is; also 0 (docs/protocol.md 10-S6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce_override: Option<U256>,
}

/// What the paymaster is told (docs/protocol.md 5.3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PaymasterServiceData {
    /// Who pays; without it the account itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<PaymasterMode>,
    /// The paymaster estimates the gas limits itself (default true).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calculate_gas_limits: Option<bool>,
    /// Life of the paymaster's signature, seconds (service default 300).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_duration: Option<u64>,
    /// Passed on to the dapp's webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_data: Option<Value>,
    /// The token to pay in, when the paymaster offers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_token: Option<Address>,
    /// The accepted quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_quote: Option<FeeQuote>,
    /// Who may take the fee; default who quotes, and with a [`Self::fee_quote`] on entry point v0.6 its token paymaster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spender: Option<Address>,
    /// Approve without limit instead of the quoted fee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_approval: Option<bool>,
}

/// Ready-made options.
#[derive(Clone, Copy, Debug)]
pub struct Options;

impl Options {
    /// The dapp pays the gas; the paymaster reckons the limits.
    pub fn sponsored() -> BuildUserOpOptions {
        paymaster(PaymasterServiceData {
            mode: Some(PaymasterMode::Sponsored),
            calculate_gas_limits: Some(true),
            ..Default::default()
        })
    }

    /// The account pays its gas itself, also where a verb is sponsored by default (not in `@biconomy/use-aa`).
    pub fn unsponsored() -> BuildUserOpOptions {
        paymaster(PaymasterServiceData::default())
    }

    /// Gas is paid in a token; the paymaster reckons the limits.
    pub fn gas_token_payment() -> BuildUserOpOptions {
        paymaster(PaymasterServiceData {
            mode: Some(PaymasterMode::Erc20),
            calculate_gas_limits: Some(true),
            ..Default::default()
        })
    }

    /// Gas is paid in this token.
    pub fn preferred_token(token: Address) -> BuildUserOpOptions {
        paymaster(PaymasterServiceData {
            mode: Some(PaymasterMode::Erc20),
            preferred_token: Some(token),
            ..Default::default()
        })
    }

    /// Gas is paid as quoted. `spender` is who gave the quote: `None` stands for the token paymaster of
    /// entry point v0.6, and on v0.7 for who quotes that token now.
    pub fn gas_token_fee_quote(quote: FeeQuote, spender: Option<Address>, max_approval: bool) -> BuildUserOpOptions {
        paymaster(PaymasterServiceData {
            mode: Some(PaymasterMode::Erc20),
            fee_quote: Some(quote),
            spender,
            max_approval: Some(max_approval),
            ..Default::default()
        })
    }

    /// A nonce lane of its own: milliseconds since 1970 at the time of this call.
    pub fn now_nonce() -> BuildUserOpOptions {
        BuildUserOpOptions {
            nonce_options: Some(NonceOptions {
                nonce_key: Some(U256::from(unique_milliseconds())),
                nonce_override: None,
            }),
            ..Default::default()
        }
    }

    /// Adds `percent` to the verification gas limit.
    pub fn increased_verification(percent: u32) -> BuildUserOpOptions {
        BuildUserOpOptions {
            gas_offset: Some(GasOffset { verification_gas_limit_offset_pct: Some(percent), ..Default::default() }),
            ..Default::default()
        }
    }
}

fn paymaster(data: PaymasterServiceData) -> BuildUserOpOptions {
    BuildUserOpOptions { paymaster_service_data: Some(data), ..Default::default() }
}

/// Folds options from left to right: nested options merge key by key, anything else is replaced by
/// the later value; what is absent changes nothing.
///
/// ```
/// use use_aa_actions::options::{Options, merge_options};
/// let merged = merge_options([Some(Options::sponsored()), None, Some(Options::increased_verification(20))]);
/// assert!(merged.paymaster_service_data.is_some() && merged.gas_offset.is_some());
/// ```
pub fn merge_options<O: Into<Option<BuildUserOpOptions>>>(list: impl IntoIterator<Item = O>) -> BuildUserOpOptions {
    list.into_iter().filter_map(Into::into).fold(BuildUserOpOptions::default(), merge)
}

fn merge(earlier: BuildUserOpOptions, later: BuildUserOpOptions) -> BuildUserOpOptions {
    BuildUserOpOptions {
        gas_offset: both(earlier.gas_offset, later.gas_offset, |a, b| GasOffset {
            call_gas_limit_offset_pct: b.call_gas_limit_offset_pct.or(a.call_gas_limit_offset_pct),
            verification_gas_limit_offset_pct: b
                .verification_gas_limit_offset_pct
                .or(a.verification_gas_limit_offset_pct),
            pre_verification_gas_offset_pct: b.pre_verification_gas_offset_pct.or(a.pre_verification_gas_offset_pct),
            max_fee_per_gas_offset_pct: b.max_fee_per_gas_offset_pct.or(a.max_fee_per_gas_offset_pct),
            max_priority_fee_per_gas_offset_pct: b
                .max_priority_fee_per_gas_offset_pct
                .or(a.max_priority_fee_per_gas_offset_pct),
        }),
        nonce_options: both(earlier.nonce_options, later.nonce_options, |a, b| NonceOptions {
            nonce_key: b.nonce_key.or(a.nonce_key),
            nonce_override: b.nonce_override.or(a.nonce_override),
        }),
        force_encode_for_batch: later.force_encode_for_batch.or(earlier.force_encode_for_batch),
        paymaster_service_data: both(earlier.paymaster_service_data, later.paymaster_service_data, |a, b| {
            PaymasterServiceData {
                mode: b.mode.or(a.mode),
                calculate_gas_limits: b.calculate_gas_limits.or(a.calculate_gas_limits),
                expiry_duration: b.expiry_duration.or(a.expiry_duration),
                webhook_data: both(a.webhook_data, b.webhook_data, merge_json),
                preferred_token: b.preferred_token.or(a.preferred_token),
                fee_quote: b.fee_quote.or(a.fee_quote),
                spender: b.spender.or(a.spender),
                max_approval: b.max_approval.or(a.max_approval),
            }
        }),
        simulation_type: later.simulation_type.or(earlier.simulation_type),
        state_override_set: both(earlier.state_override_set, later.state_override_set, merge_json),
        dummy_pnd_override: later.dummy_pnd_override.or(earlier.dummy_pnd_override),
        use_empty_deploy_call_data: later.use_empty_deploy_call_data.or(earlier.use_empty_deploy_call_data),
    }
}

fn both<T>(earlier: Option<T>, later: Option<T>, merge: impl FnOnce(T, T) -> T) -> Option<T> {
    match (earlier, later) {
        (Some(earlier), Some(later)) => Some(merge(earlier, later)),
        (earlier, later) => later.or(earlier),
    }
}

/// Objects key by key; anything else is replaced. A later `null` changes nothing.
pub(super) fn merge_json(earlier: Value, later: Value) -> Value {
    match (earlier, later) {
        (earlier, Value::Null) => earlier,
        (Value::Object(mut target), Value::Object(source)) => {
            for (key, value) in source {
                let merged = match target.remove(&key) {
                    Some(old) => merge_json(old, value),
                    None => value,
                };
                target.insert(key, merged);
            }
            Value::Object(target)
        }
        (_, later) => later,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn later_values_win_and_nested_ones_merge() {
        let merged = merge_options([
            Options::sponsored(),
            BuildUserOpOptions {
                paymaster_service_data: Some(PaymasterServiceData {
                    calculate_gas_limits: Some(false),
                    webhook_data: Some(json!({"a": 1, "deep": {"x": 1}})),
                    ..Default::default()
                }),
                ..Default::default()
            },
            BuildUserOpOptions {
                paymaster_service_data: Some(PaymasterServiceData {
                    webhook_data: Some(json!({"deep": {"y": 2}, "list": [1]})),
                    ..Default::default()
                }),
                ..Default::default()
            },
        ]);
        let data = merged.paymaster_service_data.unwrap();
        assert_eq!(data.mode, Some(PaymasterMode::Sponsored));
        assert_eq!(data.calculate_gas_limits, Some(false));
        assert_eq!(data.webhook_data, Some(json!({"a": 1, "deep": {"x": 1, "y": 2}, "list": [1]})));
    }

    #[test]
    fn the_callers_nonce_key_wins_over_the_time() {
        let caller = BuildUserOpOptions {
            nonce_options: Some(NonceOptions { nonce_key: Some(U256::from(7)), nonce_override: None }),
            ..Default::default()
        };
        let merged = merge_options([Options::now_nonce(), caller]);
        assert_eq!(merged.nonce_options.unwrap().nonce_key, Some(U256::from(7)));
    }

    #[test]
    fn nothing_merges_to_nothing() {
        assert_eq!(merge_options([None::<BuildUserOpOptions>, None]), BuildUserOpOptions::default());
        assert_eq!(merge_options(Vec::<BuildUserOpOptions>::new()), BuildUserOpOptions::default());
        assert_eq!(serde_json::to_value(BuildUserOpOptions::default()).unwrap(), json!({}));
    }

    #[test]
    fn the_wire_form_is_the_js_sdks() {
        assert_eq!(
            serde_json::to_value(Options::sponsored()).unwrap(),
            json!({"paymasterServiceData": {"mode": "SPONSORED", "calculateGasLimits": true}})
        );
        assert_eq!(
            serde_json::to_value(Options::increased_verification(15)).unwrap(),
            json!({"gasOffset": {"verificationGasLimitOffsetPct": 15}})
        );
        let quote = serde_json::from_value(json!({
            "symbol": "USDC", "tokenAddress": Address::repeat_byte(1), "decimal": 6, "maxGasFee": "0.2527",
            "premiumPercentage": "7"
        }));
        let quote: FeeQuote = quote.unwrap();
        let data = Options::gas_token_fee_quote(quote, None, false).paymaster_service_data.unwrap();
        assert_eq!((data.spender, data.max_approval), (None, Some(false)));
    }
}
