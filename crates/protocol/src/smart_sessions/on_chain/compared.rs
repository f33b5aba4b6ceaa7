//! Does the chain have a stored session as it was granted?

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256};

use super::{
    super::{
        ids,
        session::{PolicyData, Session},
    },
    Found, Policies,
};
use crate::session_scheme::SessionNote;

/// What is otherwise there, in words. What its policies are set to is not compared.
pub(super) fn differences(stored: &Session, found: &Found) -> Vec<SessionNote> {
    let granted = stored.actions.iter().map(ids::id_of_action).collect::<BTreeSet<_>>();
    let ids = found.actions.iter().map(|action| action.id).chain(found.further_actions.iter().copied());
    let enabled = ids.collect::<BTreeSet<B256>>();
    let more = enabled.difference(&granted).count();
    let closed = granted.difference(&enabled).count();
    let other = found.actions.iter().filter(|action| {
        let granted = stored.actions.iter().find(|granted| ids::id_of_action(granted) == action.id);
        granted.is_some_and(|granted| !are(&action.policies, &granted.action_policies))
    });
    let other = other.count() > 0 || !are(&found.operations, &stored.user_op_policies);
    let signs = found.signs_messages && stored.erc7739_policies.erc1271_policies.is_empty();
    let mut texts = Vec::new();
    if more > 0 {
        texts.push(["The chain lets it call ", &functions(more), " more than this browser granted"].concat());
    }
    if closed > 0 {
        texts.push(["The chain no longer lets it call ", &functions(closed), " of it"].concat());
    }
    texts.extend(other.then(|| "Other policies judge it on the chain than this browser granted".to_owned()));
    texts.extend(signs.then(|| "It may sign messages for the account, which this browser did not grant".to_owned()));
    texts.into_iter().map(|text| SessionNote { place: None, text, is_unreadable: false }).collect()
}

fn are(found: &Policies, granted: &[PolicyData]) -> bool {
    found.addresses().collect::<BTreeSet<Address>>() == granted.iter().map(|policy| policy.policy).collect()
}

fn functions(count: usize) -> String {
    if count == 1 { "1 function".to_owned() } else { [&count.to_string(), " functions"].concat() }
}
