//! What a wallet shows and the owner signs.
//!
//! Nodes make these lines again from the leaves, so they are made of the leaf and of nothing else, and never change:
//! another word here, in [`Constraint::words`](super::Constraint::words) or in
//! [`KNOWN_FUNCTIONS`](crate::known_functions::KNOWN_FUNCTIONS) is another version of the grant. The recorded grants and
//! `the_signed_vocabulary_does_not_change` hold them.

use super::{Detail, Names, Permission, PolicyDescription, function::selector_words, utc};

impl PolicyDescription {
    /// The numbered permission, then one line for each thing that it demands, as grants from version 2 on have them.
    pub fn signed_lines(&self, number: usize, version: u32) -> Vec<String> {
        let names = Names::default();
        let mut demands = self.constraints().iter().map(|rule| rule.signed_words(version)).collect::<Vec<_>>();
        let has_rules = !demands.is_empty();
        match &self.permission {
            Permission::Unreadable { data, .. } => demands.push(["its data is ", &data.to_string()].concat()),
            Permission::Call { .. } | Permission::Transfer { .. } => demands.push(match self.native_limit() {
                0 => "native currency sent per call must be 0".to_owned(),
                limit => ["native currency sent per call must be at most ", &limit.to_string(), " wei"].concat(),
            }),
        }
        if self.window.valid_after != 0 {
            demands.push(["not before ", &utc(self.window.valid_after)].concat());
        }
        demands.push(match self.window.valid_until {
            0 => "no end of its own".to_owned(),
            end => ["not after ", &utc(end)].concat(),
        });
        let number = number.to_string();
        let head = [&number, ". ", &self.signed_head(&names, has_rules)].concat();
        let demand = |(index, demand): (usize, String)| [&number, ".", &(index + 1).to_string(), " ", &demand].concat();
        std::iter::once(head).chain(demands.into_iter().enumerate().map(demand)).collect()
    }

    fn signed_head(&self, names: &Names<'_>, has_rules: bool) -> String {
        match &self.permission {
            Permission::Call { contract, function, .. } => {
                let name = function.known.map(|known| [" (", known.name(), ")"].concat()).unwrap_or_default();
                let limits = if has_rules { ", only if:" } else { ", with any arguments:" };
                let contract = names.contract(*contract, Detail::Signed);
                ["May call ", &selector_words(function.selector), &name, " on ", &contract, limits].concat()
            }
            Permission::Transfer { token, .. } => {
                let token = names.contract(*token, Detail::Signed);
                ["May send tokens, and call any other function, on ", &token, ", only if:"].concat()
            }
            Permission::Unreadable { module, .. } => {
                let module = names.contract(*module, Detail::Signed);
                ["Checked by module ", &module, ": what it allows cannot be read here:"].concat()
            }
        }
    }
}
