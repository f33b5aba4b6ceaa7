//! One permission: the sentence, its conditions, and what the person may change about it.

use alloy::primitives::{Address, U256};
use leptos::prelude::*;

use super::{
    addresses::address_rows,
    draft::{Draft, Place, adjustable, asked_for, place_name},
    ends::ends,
    limits::limits_row,
    names::names,
    token_facts::use_token_facts,
};
use crate::{
    components::{
        address_check::AddressCheck,
        live_text::{live, verbatim},
        native_currency::use_native_currency,
    },
    protocol::{
        describe::{
            DescribedValue, Names, PolicyDescription, TokenFacts, amount_input, amount_words, policy_name, read_amount,
        },
        policy::SessionPolicy,
        session_scheme::ActionLimits,
    },
};

/// The card of policy `index`. `several`: it can be left out. `own_window`: it has a window of its own.
pub fn card(
    index: usize,
    requested: &SessionPolicy,
    limits: ActionLimits,
    account: Address,
    draft: RwSignal<Option<Draft>>,
    several: bool,
    own_window: bool,
) -> AnyView {
    let places = adjustable(requested);
    let counts_amounts = !limits.totals.is_empty();
    let token = if counts_amounts || places.iter().any(|place| *place != Place::Native) || names_amounts(requested) {
        use_token_facts(requested.contract())
    } else {
        Signal::stored(TokenFacts::default())
    };
    let native = use_native_currency();
    let fallback = requested.clone();
    let current = Memo::new(move |_| {
        draft.with(|draft| draft.as_ref().and_then(|draft| draft.policy(index))).unwrap_or_else(|| fallback.clone())
    });
    let is_kept = move || draft.with(|draft| draft.as_ref().is_none_or(|draft| draft.is_kept(index)));
    let is_last = move || is_kept() && draft.with(|draft| draft.as_ref().is_none_or(|draft| draft.kept() == 1));
    // What cannot become a leaf cannot be granted; the remarks above say the same.
    let described = Memo::new(move |_| {
        current.with(|policy| {
            PolicyDescription::of_policy(policy)
                .map_err(|error| ["It cannot be granted: ", &error.to_string(), "."].concat())
        })
    });
    let words = move |say: fn(&PolicyDescription, &Names<'_>) -> String| {
        described.with(|described| {
            let described = described.as_ref().map_err(Clone::clone)?;
            Ok(say(described, &names(Some(account), Some(&token.get()), Some(&native.get()))))
        })
    };
    let sentence = move || words(PolicyDescription::sentence).unwrap_or_else(|problem| problem);
    let may_spend = move || words(PolicyDescription::native_words).unwrap_or_default();
    let conditions = move || {
        let rules = described.with(|described| {
            let described = described.as_ref().ok()?;
            Some(described.rules(&names(Some(account), Some(&token.get()), Some(&native.get()))))
        });
        rules.filter(|rules| !rules.is_empty()).map(|rules| {
            view! {
                <ul class="conditions">{rules.into_iter().map(|rule| view! { <li>{live(rule)}</li> }).collect_view()}</ul>
            }
        })
    };
    let key = requested.session_key_address().map(|key| {
        view! {
            <div>
                <dt>"Key held by"</dt>
                <dd>"The app, at its own address " <AddressCheck address=key what="key's address" /></dd>
            </div>
        }
    });
    let fields =
        places.into_iter().map(|place| amount_field(index, place, requested, token, draft)).collect::<Vec<_>>();
    let window = own_window.then(|| ends(vec![index], requested.interval(), draft));
    let name = policy_name(requested);
    view! {
        <section class="grant-call" data-testid="grant-call" data-kept=move || is_kept().to_string()>
            <p class="grant-words">{move || live(sentence())}</p>
            {conditions}
            <dl class="rows">
                {address_rows(requested, account)}
                <div>
                    <dt>"Calls may send"</dt>
                    <dd>{move || live(may_spend())}</dd>
                </div>
                {limits_row(limits, token, native)}
                {key}
            </dl>
            {(!fields.is_empty()).then(|| view! { <div class="fields">{fields}</div> })}
            {window}
            {several
                .then(|| {
                    view! {
                        <label class="grant-keep">
                            <input
                                type="checkbox"
                                data-testid="grant-keep"
                                prop:checked=is_kept
                                disabled=is_last
                                on:change:target=move |event| {
                                    let keep = event.target().checked();
                                    draft.update(|draft| {
                                        if let Some(draft) = draft {
                                            draft.keep(index, keep);
                                        }
                                    });
                                }
                            />
                            " Allow "
                            {verbatim(name)}
                        </label>
                    }
                })}
        </section>
    }
    .into_any()
}

/// Does it hold amounts of the contract's token, whether or not they can be changed?
fn names_amounts(policy: &SessionPolicy) -> bool {
    let is_amount =
        |value: &DescribedValue| matches!(value, DescribedValue::Amount { .. } | DescribedValue::AmountOrId(_));
    PolicyDescription::of_policy(policy)
        .is_ok_and(|described| described.constraints().iter().any(|constraint| is_amount(&constraint.value)))
}

fn amount_field(
    index: usize,
    place: Place,
    requested: &SessionPolicy,
    token: Signal<TokenFacts>,
    draft: RwSignal<Option<Draft>>,
) -> AnyView {
    let most = asked_for(requested, place);
    let native = use_native_currency();
    let unit = if place == Place::Native { native } else { token };
    let what = place_name(requested, place);
    let id_end = match place {
        Place::Native => "native".to_owned(),
        Place::Transfer => "transfer".to_owned(),
        Place::Rule(rule) => ["rule-", &rule.to_string()].concat(),
        Place::Unbounded(offset) => ["free-", &offset.to_string()].concat(),
    };
    let id = ["grant-amount-", &index.to_string(), "-", &id_end].concat();
    let hint_id = [&id, "-hint"].concat();
    let (label_for, described_by) = (id.clone(), hint_id.clone());
    // The very facts that the field is read with.
    let label = move || live(["Highest ", &what, " per call, ", &unit.get().unit()].concat());
    let problem = Memo::new(move |_| draft.with(|draft| draft.as_ref().and_then(|draft| draft.problem(index, place))));
    let current = Memo::new(move |_| {
        let policy = draft.with(|draft| draft.as_ref().and_then(|draft| draft.policy(index)));
        policy.and_then(|policy| match (place, &policy) {
            (Place::Unbounded(_), SessionPolicy::Abi(policy)) => {
                let word = policy.rules.last()?.reference_value.word("referenceValue").ok()?;
                draft
                    .with(|draft| draft.as_ref().is_some_and(|draft| draft.is_bounded(index, place)))
                    .then(|| U256::from_be_bytes(word.0))
            }
            _ => asked_for(&policy, place),
        })
    });
    let typed = move |text: String| {
        let amount = match text.trim() {
            "" => Ok(None),
            text => unit.with_untracked(|unit| read_amount(text, unit)).map(Some).map_err(|error| error.to_string()),
        };
        draft.update(|draft| {
            if let Some(draft) = draft {
                draft.set_amount(index, place, amount);
            }
        });
    };
    let hint = move || match (problem.get(), most) {
        (Some(problem), _) => problem,
        (None, Some(most)) => {
            let most = amount_words(most, Some(&unit.get()));
            ["Asked for: ", &most, ". You can allow less. A point always begins decimals."].concat()
        }
        (None, None) => "Asked for: any amount. Set a limit here. A point always begins decimals.".to_owned(),
    };
    view! {
        <div class="field">
            <label for=label_for>{move || label()}</label>
            <input
                id=id
                inputmode="decimal"
                autocomplete="off"
                data-testid="grant-amount"
                aria-describedby=described_by
                aria-invalid=move || problem.with(Option::is_some).to_string()
                placeholder="no limit"
                prop:value=move || current.get().map(|amount| amount_input(amount, &unit.get())).unwrap_or_default()
                on:change:target=move |event| typed(event.target().value())
            />
            <span class="hint" id=hint_id>
                {move || live(hint())}
            </span>
        </div>
    }
    .into_any()
}
