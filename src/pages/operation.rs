//! `/operations/{hash}`: what became of an operation, for anybody who has its hash. `/operations` asks for one.
//!
//! The server renders all of it; where the page's code runs, what is not final goes on live.

mod live;

use alloy::primitives::B256;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use self::live::FollowedOperation;
use super::{answer::Answer, look_up::OPERATION};
use crate::{
    api::{chain_info, look_up_operation},
    components::{
        error_notice::still_notice, live_text::live, operation_facts::operation_facts, whole_address::grouped,
    },
    error::AppError,
    protocol::{describe::shortened, rpc::UserOpUpdate},
};

/// Id of what the server wrote about the operation; what comes live takes its place.
const AS_SERVED: &str = "operation-as-served";

/// A form; one that was sent leads to the operation's page.
#[component]
pub fn OperationsPage() -> impl IntoView {
    let typed = use_query_map().with_untracked(|query| query.get("hash")).unwrap_or_default();
    let typed = typed.trim();
    let answer = Answer::here();
    let refused = match (typed.is_empty(), read(typed)) {
        (true, _) => None,
        (false, Ok(hash)) => {
            answer.see_other(&["/operations/", &hash.to_string()].concat());
            None
        }
        (false, Err(error)) => {
            answer.failed(&error);
            Some(still_notice(&error, ""))
        }
    };
    view! {
        <Title text="Operations" />
        {answer.not_indexed()}
        <section class="intro" aria-labelledby="operations-title">
            <h1 id="operations-title">"What became of an operation"</h1>
            <p class="lead">
                "Grants, uses and payments of a smart account are user operations. Each has a hash; with it anybody can ask chain and bundler how it stands. No wallet is needed."
            </p>
        </section>
        {refused}
        {OPERATION.form(typed)}
    }
    .into_any()
}

/// One operation.
#[component]
pub fn OperationPage() -> impl IntoView {
    let typed = use_params_map().with_untracked(|params| params.get("hash")).unwrap_or_default();
    let answer = Answer::here();
    let title = match read(&typed) {
        Ok(hash) => ["Operation ", &shortened(&hash.to_string())].concat(),
        Err(_) => "No such operation".to_owned(),
    };
    let body = match read(&typed) {
        Ok(hash) => Suspend::new(known(hash, answer.clone())).into_any(),
        Err(error) => {
            answer.failed(&error);
            view! {
                {heading("This is no hash of an operation", None)}
                {still_notice(&error, "")}
                {OPERATION.form(&typed)}
            }
            .into_any()
        }
    };
    view! {
        <Title text=title />
        {answer.not_indexed()}
        {body}
    }
    .into_any()
}

/// `0x` and 64 digits.
fn read(typed: &str) -> Result<B256, AppError> {
    let digits = typed.trim().strip_prefix("0x").filter(|digits| digits.len() == 64);
    let hash = digits.and_then(|digits| digits.parse().ok()).filter(|hash: &B256| !hash.is_zero());
    hash.ok_or_else(|| AppError::invalid("hash", "0x and the 64 hex digits of a user operation's hash", typed))
}

async fn known(user_op_hash: B256, answer: Answer) -> AnyView {
    let chain = chain_info().await.ok();
    let explorer_url = chain.as_ref().and_then(|chain| chain.explorer_url.clone());
    let network = chain.as_ref().map(|chain| chain.name.clone()).unwrap_or_default();
    let native = chain.map(|chain| chain.native_currency).unwrap_or_default().facts();
    let found = look_up_operation(user_op_hash).await;
    let facts = match &found {
        Ok(update) => operation_facts(update, explorer_url.as_deref(), &native),
        Err(error) => {
            answer.failed(error);
            still_notice(error, &native.unit())
        }
    };
    // What was not found may come yet, and who did not answer may.
    let is_open = found.as_ref().map_or(true, |update| !UserOpUpdate::is_final(update));
    let hash = user_op_hash.to_string();
    let again = is_open.then(|| {
        view! {
            <p class="reason">
                "As it stood when this page was asked for. " <a href=["/operations/", &hash].concat()>"Ask again"</a>
            </p>
        }
    });
    view! {
        {heading("What became of this operation", Some((&hash, &network)))}
        <section class="panel operation-page" aria-label="The operation">
            <div id=AS_SERVED>{facts} {again}</div>
            {is_open.then(|| view! { <FollowedOperation /> })}
        </section>
        <section class="another" aria-label="Another operation">{OPERATION.form("")}</section>
    }
    .into_any()
}

fn heading(title: &'static str, about: Option<(&str, &str)>) -> AnyView {
    let about = about.map(|(hash, network)| {
        view! {
            <p class="lead asked" data-testid="operation-hash" data-value=hash.to_owned()>
                {grouped(hash)}
            </p>
            <p class="reason">{live(["User operation on ", network, "."].concat())}</p>
        }
    });
    view! {
        <section class="intro">
            <h1>{title}</h1>
            {about}
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_whole_hash_is_one() {
        let hash = B256::repeat_byte(0xab).to_string();
        assert_eq!(read(&[" ", &hash, "\n"].concat()).unwrap().to_string(), hash);
        assert!(read(&hash.to_uppercase().replacen('X', "x", 1)).is_ok());
        for wrong in ["", "0x", &hash[2..], &hash[..65], &[&hash, "0"].concat(), &B256::ZERO.to_string(), "0x\u{202e}"]
        {
            assert!(matches!(read(wrong), Err(AppError::InvalidInput { .. })), "{wrong}");
        }
    }
}
