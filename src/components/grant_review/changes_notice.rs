//! What the person made of a request: what was asked for against what was granted, line by line.

use std::collections::HashMap;

use alloy::primitives::{Address, U256};
use leptos::prelude::*;

use super::{
    GrantDecision,
    draft::{Place, adjustable, asked_for, place_name},
    token_facts::use_token_facts,
};
use crate::{
    components::{live_text::live, native_currency::use_native_currency, time::local_time},
    protocol::{
        describe::{TokenFacts, amount_words, policy_name},
        policy::SessionPolicy,
    },
};

/// Says what the person changed in the review, once they did.
#[component]
pub fn GrantChangesNotice(
    /// What the review ended with.
    #[prop(into)]
    decision: Signal<Option<GrantDecision>>,
) -> impl IntoView {
    let native = use_native_currency();
    // The units that the review had.
    let tokens = Memo::new(move |_| {
        let contracts =
            |decision: &GrantDecision| decision.requested.policies.iter().map(SessionPolicy::contract).collect();
        decision.with(|decision| decision.as_ref().map(contracts).unwrap_or_else(Vec::new))
    });
    let facts = Memo::new_with_compare(
        move |_| tokens.get().into_iter().map(|token| (token, use_token_facts(token))).collect::<HashMap<_, _>>(),
        |_, _| true,
    );
    let notice = move || {
        let decision = decision.get().filter(GrantDecision::is_changed)?;
        let facts = facts.get();
        let token = |contract| facts.get(&contract).map(|facts| facts.get()).unwrap_or_default();
        let [asked, got] = [&decision.requested, &decision.granted].map(|one| one.policies.len().to_string());
        let head = match decision.left_out.is_empty() {
            true => "You changed what was asked for:".to_owned(),
            false => ["You allowed ", &got, " of ", &asked, " calls:"].concat(),
        };
        let lines = changes(&decision, &native.get(), &token).into_iter();
        Some(view! {
            <p>{live(head)}</p>
            <ul>
                {lines
                    .map(|Change { what, granted, requested }| {
                        view! {
                            <li>
                                {live(what)} ": " <strong>{live(granted)}</strong>
                                {(!requested.is_empty()).then(|| live([", asked for ", &requested].concat()))}
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        })
    };
    view! {
        <div class="told" role="status" data-testid="grant-told">
            {notice}
        </div>
    }
    .into_any()
}

/// One difference.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    what: String,
    granted: String,
    /// Empty where the first two say it all.
    requested: String,
}

fn changes(decision: &GrantDecision, native: &TokenFacts, token: &dyn Fn(Address) -> TokenFacts) -> Vec<Change> {
    let requested = decision.requested.policies.iter().enumerate();
    let mut granted = decision.granted.policies.iter();
    let mut changes = Vec::new();
    let mut kept = Vec::new();
    for (index, asked) in requested {
        if decision.left_out.contains(&index) {
            let (what, granted) = (policy_name(asked), "left out".to_owned());
            changes.push(Change { what, granted, requested: String::new() });
        } else if let Some(got) = granted.next() {
            changes.extend(amounts(asked, got, native, &token(asked.contract())));
            kept.push((asked, got));
        }
    }
    let ends =
        |(asked, got): &(&SessionPolicy, &SessionPolicy)| (asked.interval().valid_until, got.interval().valid_until);
    let is_shared = kept.windows(2).all(|two| ends(&two[0]) == ends(&two[1]));
    for pair in kept.iter().take(if is_shared { 1 } else { kept.len() }) {
        let (asked, got) = ends(pair);
        if asked != got {
            let what = if is_shared { "End".to_owned() } else { [&policy_name(pair.0), ", end"].concat() };
            changes.push(Change { what, granted: end_words(got), requested: end_words(asked) });
        }
    }
    if decision.granted.withdraw_native && !decision.requested.withdraw_native {
        let (what, granted) = ("The account's native currency".to_owned(), "sent to the owner".to_owned());
        changes.push(Change { what, granted, requested: String::new() });
    }
    changes
}

fn end_words(end: u64) -> String {
    if end == 0 { "never".to_owned() } else { local_time(end) }
}

fn amounts(asked: &SessionPolicy, got: &SessionPolicy, native: &TokenFacts, token: &TokenFacts) -> Vec<Change> {
    let change = |place: Place| {
        let (before, after) = (asked_for(asked, place), granted_at(asked, got, place)?);
        if before == Some(after) {
            return None;
        }
        let facts = if place == Place::Native { native } else { token };
        let words = |amount: U256| amount_words(amount, Some(facts));
        let what = [&policy_name(asked), ", highest ", &place_name(asked, place), " per call"].concat();
        let requested = before.map_or_else(|| "any amount".to_owned(), words);
        Some(Change { what, granted: words(after), requested })
    };
    adjustable(asked).into_iter().filter_map(change).collect()
}

/// The amount that was granted there; `None`: still no bound.
fn granted_at(asked: &SessionPolicy, got: &SessionPolicy, place: Place) -> Option<U256> {
    match (place, asked, got) {
        // A bound that the person set stands behind the rules of the request.
        (Place::Unbounded(offset), SessionPolicy::Abi(asked), SessionPolicy::Abi(got)) => {
            let mut added = got.rules.iter().skip(asked.rules.len());
            let rule = added.find(|rule| rule.offset == offset)?;
            Some(U256::from_be_bytes(rule.reference_value.word("referenceValue").ok()?.0))
        }
        _ => asked_for(got, place),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{
        components::grant_review::{GrantRequest, draft::Draft, known_token},
        protocol::{
            addresses::{DEMO_NFT, DEMO_TOKEN},
            policy::{Condition, Erc20Policy, Policy},
        },
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    fn draft() -> Draft {
        let policies = vec![
            Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, ACCOUNT).into(),
            Policy {
                value_limit: U256::from(10).pow(U256::from(18)),
                ..Policy::new(DEMO_TOKEN, "approve(address,uint256)")
            }
            .into(),
            Erc20Policy::new(DEMO_TOKEN, DEMO_NFT, U256::from(10_000_000)).into(),
        ];
        let label = "all".into();
        Draft::new(GrantRequest { label, account: ACCOUNT, policies, sponsored: true, ..GrantRequest::default() })
    }

    fn lines(draft: &Draft) -> Vec<String> {
        let native = TokenFacts { symbol: Some("POL".into()), decimals: Some(18) };
        let line = |Change { what, granted, requested }| format!("{what}: {granted} / {requested}");
        let token = |contract| known_token(contract).unwrap_or_default();
        changes(&draft.decision(), &native, &token).into_iter().map(line).collect()
    }

    #[test]
    fn nothing_changed_nothing_told() {
        assert_eq!(lines(&draft()), Vec::<String>::new());
    }

    #[test]
    fn every_change_is_told_with_both_values() {
        let mut draft = draft();
        draft.keep(0, false);
        draft.set_amount(1, Place::Unbounded(32), Ok(Some(U256::from(5_000_000))));
        draft.set_amount(1, Place::Native, Ok(Some(U256::from(10).pow(U256::from(17)))));
        draft.set_amount(2, Place::Transfer, Ok(Some(U256::from(2_500_000))));
        draft.withdraw(true);
        assert_eq!(
            lines(&draft),
            [
                "safeMint: left out / ",
                "approve, highest amount per call: 5 DUSD / any amount",
                "approve, highest native currency per call: 0.1 POL / 1 POL",
                "token transfer, highest amount per call: 2.5 DUSD / 10 DUSD",
                "The account's native currency: sent to the owner / ",
            ]
        );
    }

    #[test]
    fn an_end_that_all_share_is_told_once() {
        let mut draft = draft();
        draft.set_end(&[0, 1, 2], Some(60));
        assert_eq!(lines(&draft), ["End: 60 (unix seconds) / never"]);
        draft.set_end(&[1], None);
        assert_eq!(lines(&draft).len(), 2);
        assert!(lines(&draft)[0].starts_with("safeMint, end"));
    }
}
