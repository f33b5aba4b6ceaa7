//! One line of a list.

use alloy::primitives::U256;

use super::{Detail, Names, PolicyDescription, amount::at_most};

/// More rules than these are counted, not listed.
const MOST_RULES: usize = 2;

impl PolicyDescription {
    /// What it allows in one line of a list, without its time.
    pub fn line(&self, names: &Names<'_>) -> String {
        self.line_in(Detail::Line, names)
    }

    /// As [`Self::line`], with every rule named and nothing shortened: for where somebody decides.
    pub fn whole_line(&self, names: &Names<'_>) -> String {
        self.line_in(Detail::Review, names)
    }

    fn line_in(&self, detail: Detail, names: &Names<'_>) -> String {
        let (is_own, rules) = self.beside_own_account(names.account);
        let own = "only for your own account";
        let others = match rules.len() {
            0 => String::new(),
            many if many > MOST_RULES && detail == Detail::Line => {
                ["only under ", &many.to_string(), " conditions"].concat()
            }
            _ => {
                let rules = rules.iter().map(|rule| rule.words(detail, names)).collect::<Vec<_>>();
                ["only if: ", &rules.join(" and ")].concat()
            }
        };
        let limits = match (is_own, others.is_empty()) {
            (true, true) => own.to_owned(),
            (true, false) => [own, ", and ", &others].concat(),
            (false, true) => "with any arguments".to_owned(),
            (false, false) => others,
        };
        let sentence = self.sentence_with(&limits, detail, names);
        match self.native_limit() {
            0 => sentence,
            limit => [&sentence, "; each call may send ", &at_most(U256::from(limit), names.native)].concat(),
        }
    }
}
