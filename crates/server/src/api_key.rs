//! What a key of the JSON-RPC paths is, and what it may be used for.

use alloy::primitives::U256;
use serde::Serialize;

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `/api/v2`, and at `/rpc` the methods of a bundler: estimate, send, follow.
    Bundler,
    /// `/api/v1`, and at `/rpc` the methods of a paymaster: quotes and sponsorship.
    Paymaster,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Bundler, Self::Paymaster];

    /// Its name, as the command line and the database spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bundler => "bundler",
            Self::Paymaster => "paymaster",
        }
    }

    /// By that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// What is known of an issued key. Never the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// First half of the key; may be shown and logged.
    pub id: String,
    /// The only chain it is good for.
    pub chain_id: u64,
    /// For people.
    pub label: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Most calls in a minute, those of a batch one by one, beside the limits that hold for everybody.
    pub requests_per_minute: Option<u32>,
    /// Most that is sponsored for it per UTC day, wei; `None` = what the policy allows.
    pub budget_per_day: Option<U256>,
    /// When it was issued, unix seconds.
    pub created_at: u64,
    /// First second in which it is refused, unix seconds.
    pub expires_at: Option<u64>,
    /// When it was taken back, unix seconds.
    pub revoked_at: Option<u64>,
}

impl ApiKey {
    /// May it be used for this?
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}
