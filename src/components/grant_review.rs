//! The review before a grant: what is allowed, in plain words, before anything is signed.

use alloy::primitives::{
    Address, U256,
    utils::{format_ether, format_units},
};
use leptos::{html, prelude::*};

use super::{
    address::shortened,
    icon::{Glyph, Icon},
    time::{local_time, now_seconds, span},
};
use crate::{
    hooks::UseSessionListReturn,
    protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::{Condition, Erc20Policy, FunctionSelector, Policy, ReferenceValue, Rule, SessionEpoch},
    },
};

/// What a person is asked to allow.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Name of the session in the list.
    pub label: String,
    /// The smart account that grants.
    pub account: Address,
    /// One session each.
    pub policies: Vec<Policy>,
    /// One session each, behind the policies: transfers of a token.
    pub transfers: Vec<Erc20Policy>,
    /// A sponsor pays the gas.
    pub sponsored: bool,
}

/// Names of contracts that this app knows.
pub fn contract_name(contract: Address) -> Option<&'static str> {
    match contract {
        DEMO_NFT => Some("Demo NFT"),
        DEMO_TOKEN => Some("Demo token"),
        _ => None,
    }
}

/// A contract for people: its name when known, and its address.
pub fn contract_text(contract: Address) -> String {
    let short = shortened(&contract.to_string());
    contract_name(contract).map_or_else(|| short.clone(), |name| [name, " (", &short, ")"].concat())
}

/// The function's name, or its selector when the name is not known.
fn function_name(selector: &FunctionSelector) -> String {
    match selector {
        FunctionSelector::Signature(signature) => {
            let name = signature.trim().trim_start_matches("function ").trim_start();
            name.split('(').next().unwrap_or(name).to_owned()
        }
        FunctionSelector::Raw(bytes) => ["0x", &hex::encode(bytes)].concat(),
    }
}

/// A rule in words: `argument 1 must be your own smart account`.
fn rule_text(rule: &Rule, account: Address) -> String {
    let condition = match rule.condition {
        Condition::Equal => "must be",
        Condition::LessThanOrEqual => "must be at most",
        Condition::LessThan => "must be less than",
        Condition::GreaterThanOrEqual => "must be at least",
        Condition::GreaterThan => "must be greater than",
        Condition::NotEqual => "must not be",
    };
    let value = match &rule.reference_value {
        ReferenceValue::Address(address) if *address == account => "your own smart account".to_owned(),
        ReferenceValue::Address(address) => contract_text(*address),
        ReferenceValue::Uint(value) => value.to_string(),
        other => reference_text(other),
    };
    let argument = (rule.offset / 32 + 1).to_string();
    ["Argument ", &argument, " ", condition, " ", &value].concat()
}

fn reference_text(value: &ReferenceValue) -> String {
    value.word("referenceValue").map_or_else(|_| "an unusable value".to_owned(), |word| word.to_string())
}

/// Things that a person should think twice about.
fn warnings(request: &GrantRequest, replaces: bool) -> Vec<&'static str> {
    let mut found = Vec::new();
    if replaces {
        found.push(
            "This account has sessions that were granted in another browser or app. This grant ends them, because this browser cannot see them and so cannot keep them.",
        );
    }
    let policies = request.policies.iter().map(|policy| policy.interval);
    if policies
        .chain(request.transfers.iter().map(|transfer| transfer.interval))
        .any(|interval| interval.valid_until == 0)
    {
        found.push("This session never ends by itself. Set an end, unless you have a reason not to.");
    }
    if request.policies.iter().any(|policy| policy.rules.is_empty()) {
        found.push("The arguments of the call are not limited: any value is allowed.");
    }
    if request.policies.iter().any(|policy| policy.value_limit > U256::ZERO) {
        found.push("Each use may send native currency out of your account.");
    }
    if !request.transfers.is_empty() {
        found.push(
            "The limit of a transfer is for each call. The session may also let the recipient spend as much (approve).",
        );
    }
    found
}

/// Shows the request in a modal dialog while there is one. Esc and Cancel refuse; nothing is sent then.
#[component]
pub fn GrantReview(
    /// What is asked for; set it to open the review.
    request: RwSignal<Option<GrantRequest>>,
    /// The sessions that are there already.
    sessions: UseSessionListReturn,
    /// The person agreed.
    on_confirm: Callback<GrantRequest>,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        if let (Some(dialog), true) = (dialog.get(), request.with(Option::is_some))
            && !dialog.open()
        {
            // Fails only when the element has left the document, and then there is nothing to show.
            drop(dialog.show_modal());
        }
    });
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    // Whether the grant ends other sessions must be known, and said, before anybody agrees to it.
    let unsure = move || sessions.is_in_sync.get().is_none() && sessions.error.with(Option::is_none);
    let replaces = Memo::new(move |_| sessions.is_in_sync.get() == Some(false));
    let confirm = move |_| {
        let agreed = request.get_untracked();
        close();
        if let Some(agreed) = agreed {
            on_confirm.run(agreed);
        }
    };
    view! {
        <dialog
            class="review"
            node_ref=dialog
            data-testid="grant-review"
            aria-labelledby="review-title"
            aria-describedby="review-summary"
            on:close=move |_| request.set(None)
        >
            {move || request.get().map(|request| body(&request, replaces.get()))}
            <div class="review-foot">
                <button type="button" class="button quiet" data-testid="grant-cancel" on:click=move |_| close()>
                    "Cancel"
                </button>
                <button type="button" class="button" data-testid="grant-confirm" disabled=unsure on:click=confirm>
                    {move || if unsure() { "Comparing with the chain" } else { "Sign and grant" }}
                </button>
            </div>
        </dialog>
    }
}

fn body(request: &GrantRequest, replaces: bool) -> AnyView {
    let warnings = warnings(request, replaces);
    let policies = request.policies.iter().map(|policy| policy_rows(policy, request.account)).collect_view();
    let transfers = request.transfers.iter().map(|transfer| transfer_rows(transfer, request.account)).collect_view();
    let gas = if request.sponsored { "Paid by this app's sponsor" } else { "Paid by your smart account" };
    view! {
        <div class="review-head">
            <h2 id="review-title" tabindex="-1" autofocus>
                "Review this session"
            </h2>
            <p id="review-summary">
                "You are about to allow " <strong>{request.label.clone()}</strong> " to act for your smart account. Read what it may do; it can do nothing else."
            </p>
        </div>
        <div class="review-body">
            {(!warnings.is_empty())
                .then(|| {
                    view! {
                        <div class="notice warning" data-testid="grant-warning" role="note">
                            <Icon glyph=Glyph::Warning />
                            {warnings.into_iter().map(|warning| view! { <p>{warning}</p> }).collect_view()}
                        </div>
                    }
                })}
            {policies}
            {transfers}
            <dl class="rows">
                <div>
                    <dt>"Key held by"</dt>
                    <dd>"This browser, encrypted. It is made for this grant and is not your wallet's key."</dd>
                </div>
                <div>
                    <dt>"Network fee"</dt>
                    <dd>{gas}</dd>
                </div>
            </dl>
            <p class="reason">
                "Your wallet asks for one signature. It signs the operation that stores these limits on the chain."
            </p>
        </div>
    }
    .into_any()
}

fn policy_rows(policy: &Policy, account: Address) -> impl IntoView + use<> {
    let rules = policy.rules.iter().map(|rule| rule_text(rule, account)).collect::<Vec<_>>();
    let value = if policy.value_limit.is_zero() {
        "None. It cannot move native currency.".to_owned()
    } else {
        ["At most ", &format_ether(policy.value_limit), " per call"].concat()
    };
    let target = contract_name(policy.contract_address);
    let address = policy.contract_address.to_string();
    let function = function_name(&policy.function_selector);
    view! {
        <dl class="rows">
            <div>
                <dt>"May call"</dt>
                <dd>
                    <strong>{function}</strong>
                    " on "
                    {target.map(|name| view! { <strong>{name}</strong> " " })}
                    <span class="mono">{address}</span>
                </dd>
            </div>
            <div>
                <dt>"Only if"</dt>
                <dd>
                    {if rules.is_empty() {
                        view! { "No condition" }.into_any()
                    } else {
                        view! { <ul>{rules.into_iter().map(|rule| view! { <li>{rule}</li> }).collect_view()}</ul> }.into_any()
                    }}
                </dd>
            </div>
            <div>
                <dt>"May spend"</dt>
                <dd>{value}</dd>
            </div>
            {interval_rows(policy.interval)}
        </dl>
    }
}

fn transfer_rows(transfer: &Erc20Policy, account: Address) -> impl IntoView + use<> {
    let recipient = match transfer.recipient {
        own if own == account => "your own smart account".to_owned(),
        other => other.to_string(),
    };
    view! {
        <dl class="rows">
            <div>
                <dt>"May send"</dt>
                <dd>
                    "At most "<strong>{amount_text(transfer.token, transfer.max_amount)}</strong>" of "
                    {contract_text(transfer.token)}" per call"
                </dd>
            </div>
            <div>
                <dt>"Only to"</dt>
                <dd>
                    <span class="mono">{recipient}</span>
                </dd>
            </div>
            {interval_rows(transfer.interval)}
        </dl>
    }
}

/// An amount of a token for people: with its unit when the token is known.
pub fn amount_text(token: Address, amount: U256) -> String {
    match (token, format_units(amount, 6)) {
        (DEMO_TOKEN, Ok(text)) => [text.trim_end_matches('0').trim_end_matches('.'), " DUSD"].concat(),
        _ => [&amount.to_string(), " units"].concat(),
    }
}

fn interval_rows(interval: SessionEpoch) -> impl IntoView + use<> {
    let SessionEpoch { valid_after: after, valid_until: until } = interval;
    let start = if after == 0 { "As soon as it is confirmed on the chain".to_owned() } else { local_time(after) };
    let end = if until == 0 {
        "Never".to_owned()
    } else {
        [&local_time(until), " (in ", &span(until.saturating_sub(now_seconds())), ")"].concat()
    };
    view! {
        <div>
            <dt>"Starts"</dt>
            <dd>{start}</dd>
        </div>
        <div>
            <dt>"Ends"</dt>
            <dd>{end}</dd>
        </div>
    }
}
