//! Reading a policy from TOML or JSON. `policy.example.toml` beside this file documents every key.
//!
//! TOML is turned into JSON first, so that both have one reader, and its complaints name the key with its whole path.

use std::time::Duration;

use alloy::primitives::{Address, B256, U256, keccak256};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::{
    super::secret::Secret,
    policy::{AdvanceLimits, Budgets, Caps, Functions, Open, SponsorPolicy, Target, TargetAddress, Webhook},
};
use use_aa_protocol::{
    addresses::{ACCOUNT_FACTORY, ECDSA_MODULE, MULTICHAIN_MODULE},
    amount,
    nexus::NexusRelease,
    policy::FunctionSelector,
    rpc::PaymasterMode,
};

/// How long a webhook may take when the file does not say.
const WEBHOOK_TIMEOUT_MS: u64 = 3_000;
/// Longest time a webhook may be given: who waits for a sponsor shall not wait for ever.
const MAX_WEBHOOK_TIMEOUT_MS: u64 = 15_000;

/// Open signatures when the file does not say: sessions may run side by side, and an office shares an address.
const OPEN_PER_ACCOUNT: u32 = 16;
const OPEN_PER_CALLER: u32 = 64;
/// Shares of the day's budget that may be reserved without a key, when the file does not say: by one caller, and by all
/// of them. Who comes with a key finds the other half.
const CALLER_SHARE: u64 = 50;
const UNPROVEN_SHARE: u64 = 2;
/// How long a signature for who has no key lives at most, when the file does not say, seconds: the owner must read and
/// sign in a wallet meanwhile.
const UNPROVEN_SECONDS: u64 = 300;
/// Life of a signature that may be asked for, seconds.
const EXPIRY: std::ops::RangeInclusive<u64> = 30..=3_600;

/// What is wrong with a policy's text: the key, when it is known, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(String);

impl SponsorPolicy {
    /// Reads a policy from its text, TOML or (when it begins with a brace) JSON. `environment` knows the variables that
    /// `authorization_env` may name.
    pub fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, PolicyError> {
        let value = if text.trim_start().starts_with('{') { json(text)? } else { toml(text)? };
        let file: File = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            PolicyError(if path == "." {
                error.into_inner().to_string()
            } else {
                format!("{path}: {}", error.into_inner())
            })
        })?;
        file.check(text, environment)
    }
}

fn json(text: &str) -> Result<Value, PolicyError> {
    serde_json::from_str(text).map_err(|error| PolicyError(error.to_string()))
}

fn toml(text: &str) -> Result<Value, PolicyError> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
        PolicyError(match line {
            Some(line) => format!("line {line}: {}", error.message()),
            None => error.message().to_owned(),
        })
    })?;
    Ok(table_to_json(table.into_inner()))
}

fn table_to_json(table: DeTable<'_>) -> Value {
    let entry = |(key, value): (toml::Spanned<std::borrow::Cow<'_, str>>, toml::Spanned<DeValue<'_>>)| {
        (key.into_inner().into_owned(), value_to_json(value.into_inner()))
    };
    Value::Object(table.into_iter().map(entry).collect::<Map<_, _>>())
}

fn value_to_json(value: DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Boolean(truth) => Value::Bool(truth),
        DeValue::Array(values) => {
            Value::Array(values.into_iter().map(|value| value_to_json(value.into_inner())).collect())
        }
        DeValue::Table(table) => table_to_json(table),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::from(number),
            // A large amount of wei: read as text where an amount is expected, refused elsewhere.
            Err(_) => Value::String(number.to_string()),
        },
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Datetime(time) => Value::String(time.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Option<String>,
    #[serde(default = "sponsored")]
    modes: Vec<PaymasterMode>,
    #[serde(default = "yes")]
    deployments: bool,
    #[serde(default = "public_factories")]
    factories: Vec<Address>,
    #[serde(default = "known_modules")]
    deployment_modules: Vec<Address>,
    #[serde(default)]
    session_setup: bool,
    #[serde(default)]
    session_contracts: Vec<Address>,
    #[serde(default)]
    account_implementations: Vec<Address>,
    #[serde(default)]
    account_proxies: Vec<B256>,
    #[serde(default)]
    account_hooks: Vec<Address>,
    targets: Vec<TargetEntry>,
    #[serde(default)]
    accounts: AccountsTable,
    #[serde(default)]
    caps: CapsTable,
    budgets: BudgetsTable,
    #[serde(default)]
    open: OpenTable,
    #[serde(default)]
    advance: AdvanceTable,
    #[serde(default)]
    webhooks: Vec<WebhookEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetEntry {
    address: AddressEntry,
    functions: Option<Vec<FunctionEntry>>,
    max_value: Option<Amount>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountsTable {
    allow: Option<Vec<Address>>,
    #[serde(default)]
    deny: Vec<Address>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CapsTable {
    calls: Option<usize>,
    call_gas: Option<u64>,
    verification_gas: Option<u64>,
    pre_verification_gas: Option<u64>,
    unused_call_gas: Option<u64>,
    total_gas: Option<u64>,
    fee_per_gas: Option<Amount>,
    fee_factor: Option<u64>,
    cost: Option<Amount>,
    expiry: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetsTable {
    #[serde(default)]
    account_per_day: Budget,
    // No default: a policy that never ends paying has to say so.
    global_per_day: Budget,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenTable {
    per_account: Option<Most>,
    per_caller: Option<Most>,
    caller_amount: Option<Budget>,
    unproven_amount: Option<Budget>,
    unproven_seconds: Option<u64>,
}

impl OpenTable {
    fn check(self, global_per_day: Option<U256>) -> Result<Open, PolicyError> {
        let share = |of: u64| global_per_day.map(|budget| budget / U256::from(of));
        Ok(Open {
            per_account: self.per_account.map_or(Some(OPEN_PER_ACCOUNT), |Most(most)| most),
            per_caller: self.per_caller.map_or(Some(OPEN_PER_CALLER), |Most(most)| most),
            caller_amount: self.caller_amount.map_or_else(|| share(CALLER_SHARE), |Budget(most)| most),
            unproven_amount: self.unproven_amount.map_or_else(|| share(UNPROVEN_SHARE), |Budget(most)| most),
            unproven_seconds: Some(
                seconds("open.unproven_seconds", self.unproven_seconds)?.unwrap_or(UNPROVEN_SECONDS),
            ),
        })
    }
}

/// Open signatures of a policy with this budget that says nothing of them.
pub(super) fn default_open(global_per_day: Option<U256>) -> Result<Open, PolicyError> {
    OpenTable::default().check(global_per_day)
}

/// A life of signatures.
fn seconds(key: &str, given: Option<u64>) -> Result<Option<u64>, PolicyError> {
    let wrong = |given| PolicyError(format!("{key}: expected {} to {}, got {given}", EXPIRY.start(), EXPIRY.end()));
    given.map_or(Ok(None), |given| if EXPIRY.contains(&given) { Ok(Some(given)) } else { Err(wrong(given)) })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceTable {
    account: Option<Budget>,
    caller: Option<Budget>,
    total: Option<Budget>,
}

impl AdvanceTable {
    fn limits(self) -> AdvanceLimits {
        let AdvanceLimits { account, caller, total } = AdvanceLimits::default();
        let or = |given: Option<Budget>, default| given.map_or(default, |Budget(wei)| wei);
        AdvanceLimits {
            account: or(self.account, account),
            caller: or(self.caller, caller),
            total: or(self.total, total),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookEntry {
    url: String,
    #[serde(default)]
    method: Method,
    #[serde(default = "webhook_timeout")]
    timeout_ms: u64,
    authorization_env: Option<String>,
    #[serde(default)]
    include_operation: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
enum Method {
    #[default]
    #[serde(rename = "POST")]
    Post,
    #[serde(rename = "GET")]
    Get,
}

fn sponsored() -> Vec<PaymasterMode> {
    vec![PaymasterMode::Sponsored]
}

fn yes() -> bool {
    true
}

fn public_factories() -> Vec<Address> {
    let nexus = NexusRelease::ALL.map(|release| release.parts().factory);
    [ACCOUNT_FACTORY].into_iter().chain(nexus).collect()
}

fn known_modules() -> Vec<Address> {
    let nexus = NexusRelease::ALL.map(|release| release.parts().owner_validator);
    [ECDSA_MODULE, MULTICHAIN_MODULE].into_iter().chain(nexus).collect()
}

fn webhook_timeout() -> u64 {
    WEBHOOK_TIMEOUT_MS
}

/// Wei.
struct Amount(U256);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let amount = match &value {
            Value::String(text) => amount::parse(text),
            number => number.as_u64().map(U256::from),
        };
        amount.map(Self).ok_or_else(|| D::Error::custom(format!("expected {}, got {value}", amount::EXPECTED)))
    }
}

/// Wei per day, or none.
#[derive(Default)]
struct Budget(Option<U256>);

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value == "unlimited" {
            return Ok(Self(None));
        }
        let wrong = |_| D::Error::custom(format!("expected {}, or \"unlimited\", got {value}", amount::EXPECTED));
        serde_json::from_value::<Amount>(value.clone()).map(|Amount(wei)| Self(Some(wei))).map_err(wrong)
    }
}

/// A number of 1 or more, or none.
struct Most(Option<u32>);

impl<'de> Deserialize<'de> for Most {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value == "unlimited" {
            return Ok(Self(None));
        }
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
        let wrong = || D::Error::custom(format!("expected a whole number of 1 or more, or \"unlimited\", got {value}"));
        number.map(|number| Self(Some(number))).ok_or_else(wrong)
    }
}

struct AddressEntry(TargetAddress);

impl<'de> Deserialize<'de> for AddressEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let address =
            match text.as_str() {
                "*" => TargetAddress::Any,
                "account" => TargetAddress::Account,
                _ => TargetAddress::Is(text.parse().map_err(|_| {
                    D::Error::custom(format!("expected an address, \"*\" or \"account\", got {text:?}"))
                })?),
            };
        Ok(Self(address))
    }
}

enum FunctionEntry {
    Selector([u8; 4]),
    Receive,
}

impl<'de> Deserialize<'de> for FunctionEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "receive" {
            return Ok(Self::Receive);
        }
        FunctionSelector::Signature(text).selector().map(Self::Selector).map_err(D::Error::custom)
    }
}

impl File {
    fn check(self, text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<SponsorPolicy, PolicyError> {
        let hash = hex::encode(&keccak256(text)[..4]);
        let gas = |limit: Option<u64>| limit.map(U256::from);
        let wei = |limit: Option<Amount>| limit.map(|Amount(wei)| wei);
        let webhooks = self.webhooks.into_iter().enumerate().map(|(index, webhook)| webhook.check(index, &environment));
        if self.modes.is_empty() {
            return Err(PolicyError("modes: expected SPONSORED, ERC20 or both, got none".into()));
        }
        if self.caps.fee_factor == Some(0) {
            return Err(PolicyError("caps.fee_factor: expected 1 or more, got 0".into()));
        }
        Ok(SponsorPolicy {
            version: self.version.map_or_else(|| hash.clone(), |version| format!("{version} {hash}")),
            modes: self.modes,
            factories: if self.deployments { self.factories } else { Vec::new() },
            deployment_modules: self.deployment_modules,
            session_setup: self.session_setup,
            session_contracts: self.session_contracts,
            account_implementations: self.account_implementations,
            account_proxies: self.account_proxies,
            account_hooks: self.account_hooks,
            targets: self.targets.into_iter().map(TargetEntry::check).collect(),
            allowed_accounts: self.accounts.allow,
            denied_accounts: self.accounts.deny,
            caps: Caps {
                calls: self.caps.calls,
                call_gas: gas(self.caps.call_gas),
                verification_gas: gas(self.caps.verification_gas),
                pre_verification_gas: gas(self.caps.pre_verification_gas),
                unused_call_gas: gas(self.caps.unused_call_gas),
                total_gas: gas(self.caps.total_gas),
                fee_per_gas: wei(self.caps.fee_per_gas),
                cost: wei(self.caps.cost),
                built_in: false,
                fee_factor: self.caps.fee_factor,
                expiry: seconds("caps.expiry", self.caps.expiry)?,
            },
            budgets: Budgets {
                account_per_day: self.budgets.account_per_day.0,
                global_per_day: self.budgets.global_per_day.0,
            },
            open: self.open.check(self.budgets.global_per_day.0)?,
            advance: self.advance.limits(),
            webhooks: webhooks.collect::<Result<_, _>>()?,
        })
    }
}

impl TargetEntry {
    fn check(self) -> Target {
        let functions = self.functions.map(|entries| {
            let mut functions = Functions::default();
            for entry in entries {
                match entry {
                    FunctionEntry::Receive => functions.receive = true,
                    FunctionEntry::Selector(selector) => functions.selectors.push(selector),
                }
            }
            functions
        });
        Target { address: self.address.0, functions, max_value: self.max_value.map(|Amount(wei)| wei) }
    }
}

impl WebhookEntry {
    fn check(self, index: usize, environment: impl Fn(&str) -> Option<String>) -> Result<Webhook, PolicyError> {
        let wrong = |key: &str, reason: &str| PolicyError(format!("webhooks[{index}].{key}: {reason}"));
        // Not shown: it may carry a key.
        let url = self.url.parse().map_err(|_| wrong("url", "expected a URL with a host"));
        let url: super::super::upstream_url::UpstreamUrl = url?;
        if !matches!(url.expose().scheme(), "http" | "https") {
            return Err(wrong("url", "expected http:// or https://"));
        }
        if !(1..=MAX_WEBHOOK_TIMEOUT_MS).contains(&self.timeout_ms) {
            return Err(wrong(
                "timeout_ms",
                &format!("expected 1 to {MAX_WEBHOOK_TIMEOUT_MS}, got {}", self.timeout_ms),
            ));
        }
        let authorization = self.authorization_env.map(|name| {
            let value = environment(&name).filter(|value| !value.trim().is_empty());
            value.map(Secret::new).ok_or_else(|| wrong("authorization_env", &format!("the variable {name} is not set")))
        });
        Ok(Webhook {
            url,
            post: self.method == Method::Post,
            timeout: Duration::from_millis(self.timeout_ms),
            authorization: authorization.transpose()?,
            include_operation: self.include_operation,
        })
    }
}
