//! An error, where it happened: its name, what it means, what usually causes it, what to do, a way to try again, and
//! a report to copy.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use alloy::primitives::B256;
use leptos::{prelude::*, task::spawn_local};

use super::{
    code_split::split_function,
    copy_button::{Copied, copy_to_clipboard},
    deferred_view::DeferredView,
    icon::{Glyph, Icon},
    live_text::{live, verbatim},
};
use crate::{
    error::AppError,
    hooks::{effect, use_smart_account},
    protocol::{foreign_text, revert::Explanation, rpc::ChainInfo},
};

mod guide;
mod report;
#[cfg(feature = "app")]
mod still;

use guide::{NETWORK_ADVICE, advice, code, explanation, retryable};
use report::{Circumstances, report};
#[cfg(feature = "app")]
pub use still::still_notice;

/// An error with what to do about it. Read out as soon as it appears; what it means and what helps comes when that is
/// loaded. Where nothing can be loaded, the error itself is said, and what helps when the network fails.
#[component]
pub fn ErrorNotice(
    /// What failed; nothing is shown while there is none.
    #[prop(into)]
    error: Signal<Option<AppError>>,
    /// What the retry button does; without it there is none. It is shown only where trying again can help.
    #[prop(optional, into)]
    retry: Option<Callback<()>>,
    /// The user operation that it is about, for the report, where the error does not name it.
    #[prop(optional, into)]
    user_op_hash: Signal<Option<B256>>,
) -> impl IntoView {
    let account = use_smart_account();
    let about = Callback::new(move |()| Circumstances {
        user_op_hash: user_op_hash.get_untracked(),
        account: account.smart_account_address.get_untracked(),
        chain_id: account.chain_info.with_untracked(|chain| chain.as_ref().map(|chain| chain.chain_id)),
    });
    let native = move || {
        let unit = |chain: &ChainInfo| chain.native_currency.facts().unit();
        account.chain_info.with_untracked(|chain| chain.as_ref().map(unit)).unwrap_or_default()
    };
    let one = move |error: AppError| {
        let whole = DeferredView::default();
        let told = Told { error: error.clone(), retry, native: native(), about, owner: Owner::current() };
        let arrives = whole.clone();
        effect(move || {
            let (told, arrives) = (told.clone(), arrives.clone());
            spawn_local(async move {
                // Without it what is shown already stays.
                if let Ok(view) = whole_notice(told).await {
                    arrives.put(view);
                }
            });
        });
        move || whole.take().unwrap_or_else(|| brief_notice(&error, retry))
    };
    view! { <div role="alert">{move || error.get().map(one)}</div> }.into_any()
}

/// What is known of an error where it is shown.
#[derive(Clone)]
struct Told {
    error: AppError,
    retry: Option<Callback<()>>,
    native: String,
    about: Callback<(), Circumstances>,
    owner: Option<Owner>,
}

split_function! {
    /// All that is known of the error.
    in explain: fn whole_notice(told: Told) -> AnyView {
        let Told { error, retry, native, about, owner } = told;
        owner.unwrap_or_default().with(|| notice(error, retry, &native, about))
    }
}

/// The error in its own words.
fn brief_notice(error: &AppError, retry: Option<Callback<()>>) -> AnyView {
    let is_network = matches!(error, AppError::Network { .. });
    let retry = retry.filter(|_| is_network);
    view! {
        <div class="notice error" data-testid="error" data-error=error.name()>
            <Icon glyph=Glyph::Cross />
            <strong>{live(sentence(&foreign_text::message(&error.to_string())))}</strong>
            {is_network.then(|| view! { <p class="detail">{live(NETWORK_ADVICE)}</p> })}
            {retry.map(retry_button)}
        </div>
    }
    .into_any()
}

fn retry_button(retry: Callback<()>) -> AnyView {
    view! {
        <button type="button" class="button quiet small" data-testid="error-retry" on:click=move |_| retry.run(())>
            "Try again"
        </button>
    }
    .into_any()
}

fn notice(error: AppError, retry: Option<Callback<()>>, native: &str, about: Callback<(), Circumstances>) -> AnyView {
    let retry = retry.filter(|_| retryable(&error));
    let explained = explanation(&error).map(explained);
    let name = explanation(&error).map_or(error.name(), |found| found.name);
    let code = code(&error).map(|code| [" · code ", &code.to_string()].concat());
    let copied = RwSignal::new(Copied::No);
    let variant = error.name();
    // Wallets, services and contracts have their say in it.
    let text = sentence(&foreign_text::message(&error.to_string()));
    let advice = advice(&error, native);
    let copy = move |_| {
        copy_to_clipboard(&report(&error, &about.run(())), copied);
    };
    let copy_text = move || match copied.get() {
        Copied::No => "Copy report",
        Copied::Yes => "Copied",
        Copied::Refused => "Not copied: the browser refused",
    };
    view! {
        <div class="notice error" data-testid="error" data-error=variant>
            <Icon glyph=Glyph::Cross />
            <strong>{live(text)}</strong>
            {explained}
            <p class="detail">{live(advice)}</p>
            <div class="actions">
                {retry.map(retry_button)}
                <button type="button" class="button quiet small" data-testid="copy-error-report" on:click=copy>
                    {move || live(copy_text())}
                </button>
                <span class="error-name mono" data-testid="error-name">
                    {verbatim(name)}
                    {code.map(verbatim)}
                </span>
            </div>
        </div>
    }
    .into_any()
}

fn explained(found: &'static Explanation) -> AnyView {
    let list = |items: &'static [&'static str]| {
        items.iter().map(|item| view! { <li>{live(sentence(item))}</li> }).collect_view()
    };
    view! {
        <p data-testid="error-meaning">{live(found.meaning)}</p>
        <dl class="causes">
            <dt>"Likely causes"</dt>
            <dd>
                <ul>{list(found.causes)}</ul>
            </dd>
            <dt>"What helps"</dt>
            <dd>
                <ul data-testid="error-solutions">{list(found.solutions)}</ul>
            </dd>
        </dl>
    }
    .into_any()
}

/// The text with a capital letter at its begin.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    // Ours begin so; tables of all alphabets are not worth it.
    letters.next().map(|first| [first.to_ascii_uppercase()].into_iter().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn sentences_begin_with_a_capital() {
        assert_eq!(sentence("you refused"), "You refused");
        assert_eq!(sentence(""), "");
    }
}
