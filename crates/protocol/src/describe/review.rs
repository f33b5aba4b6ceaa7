//! The review before a grant: a sentence, and the rules that it leaves unsaid.

use alloy::primitives::U256;

use super::{Detail, Names, Permission, PolicyDescription, amount::at_most};

impl PolicyDescription {
    /// What it allows in one sentence, without its time. After "only if:" come the [`Self::rules`].
    pub fn sentence(&self, names: &Names<'_>) -> String {
        let (is_own, rules) = self.beside_own_account(names.account);
        let limits = match (is_own, rules.is_empty()) {
            (false, true) => "with any arguments",
            (true, true) => "only for your own account",
            (false, false) => "only if:",
            (true, false) => "only for your own account, and only if:",
        };
        self.sentence_with(limits, Detail::Review, names)
    }

    /// The rules that the sentence leaves unsaid.
    pub fn rules(&self, names: &Names<'_>) -> Vec<String> {
        match self.permission {
            Permission::Call { .. } => {
                let (_, rules) = self.beside_own_account(names.account);
                rules.iter().map(|rule| rule.words(Detail::Review, names)).collect()
            }
            // Its sentence says all.
            Permission::Transfer { .. } | Permission::Unreadable { .. } => Vec::new(),
        }
    }

    /// Native currency that each call may send, wei.
    pub fn native_limit(&self) -> u128 {
        match self.permission {
            Permission::Call { native_limit, .. } => native_limit,
            Permission::Transfer { .. } | Permission::Unreadable { .. } => 0,
        }
    }

    /// What its calls may send of the native currency. What its operations may cost stands beside it: no policy bounds
    /// that ([`UNBOUNDED_FEES`](crate::lint::UNBOUNDED_FEES)).
    pub fn native_words(&self, names: &Names<'_>) -> String {
        if matches!(self.permission, Permission::Unreadable { .. }) {
            return "What it may spend is not known here.".to_owned();
        }
        match self.native_limit() {
            0 => {
                let symbol = names.native.and_then(|native| native.symbol.as_deref());
                ["Its calls send no ", symbol.unwrap_or("native currency"), "."].concat()
            }
            limit => [&at_most(U256::from(limit), names.native).replacen('a', "A", 1), " in each call"].concat(),
        }
    }

    /// `limits` is said of calls only: the other sentences have theirs.
    pub(super) fn sentence_with(&self, limits: &str, detail: Detail, names: &Names<'_>) -> String {
        match &self.permission {
            Permission::Call { contract, function, .. } => {
                ["May call ", &function.name(), " on ", &names.contract(*contract, detail), " ", limits].concat()
            }
            Permission::Transfer { token, recipient, most } => {
                let (most, address) = (at_most(*most, names.token), token.to_string());
                let recipient = names.address(*recipient, detail);
                // A symbol that is not plain brings the token's address along.
                let of = if most.contains(&address) {
                    String::new()
                } else {
                    [" of ", &names.contract(*token, detail)].concat()
                };
                ["May send ", &most, &of, " per call, only to ", &recipient].concat()
            }
            Permission::Unreadable { module, .. } => {
                let module = names.contract(*module, detail);
                ["Checked by module ", &module, ": what it allows cannot be read here"].concat()
            }
        }
    }
}
