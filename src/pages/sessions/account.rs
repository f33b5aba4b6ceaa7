//! `/sessions?account=0x…`: an account's sessions as chain and ledger know them. Rendered by the server alone.

use alloy::primitives::Address;
use leptos::prelude::*;
use leptos_meta::Title;

use super::{
    each_for_itself,
    facts::{AccountFacts, Listed, PER_PAGE, read_account},
};
use crate::{
    api::chain_info,
    components::{
        error_notice::still_notice,
        icon::{Glyph, Icon},
        live_text::{live, verbatim},
        session_words::{sessions_text, status_text, whole_permission_text},
        whole_address::grouped,
    },
    error::AppError,
    pages::{answer::Answer, look_up::ACCOUNT},
    protocol::{
        describe::{Permission, PolicyDescription, TokenFacts, shortened, utc},
        rpc::ChainInfo,
        session::{ListedStatus, SessionKeyManager, SessionLeaf},
    },
};

/// The page for the account that was asked for.
#[component]
pub(super) fn AccountSessions(
    /// As it was typed.
    account: String,
    /// Which part of a long list, from 1.
    page: String,
) -> impl IntoView {
    let answer = Answer::here();
    let read = read_account(&account);
    let title = match &read {
        Ok(account) => ["Sessions of ", &shortened(&account.to_string())].concat(),
        Err(_) => "No such account".to_owned(),
    };
    let page = page.parse::<usize>().unwrap_or(1).max(1);
    let body = match read {
        Ok(account) => Suspend::new(known(account, page, answer.clone())).into_any(),
        Err(error) => {
            answer.failed(&error);
            view! {
                <section class="intro">
                    <h1>"This is no address of an account"</h1>
                </section>
                {still_notice(&error, "")}
                {ACCOUNT.form(&account)}
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

async fn known(account: Address, page: usize, answer: Answer) -> AnyView {
    let chain = chain_info().await.ok();
    let facts = AccountFacts::of(account).await;
    let others = each_for_itself::count(account).await;
    let has_others = !matches!(others, Ok(None | Some(0)));
    let native = chain.as_ref().map(|chain| chain.native_currency.clone()).unwrap_or_default().facts();
    let body = match &facts {
        // "None" would not be true.
        Ok(facts) if facts.is_empty() && has_others => ().into_any(),
        Ok(facts) => list(account, facts, page, &native),
        Err(error) => {
            answer.failed(error);
            still_notice(error, &native.unit())
        }
    };
    let address = account.to_string();
    view! {
        <section class="intro">
            <h1>"Sessions of an account"</h1>
            <p class="lead asked" data-testid="asked-account" data-value=address.clone()>
                {grouped(&address)}
            </p>
            <p class="reason">{live(as_of(chain.as_ref(), &facts))}</p>
        </section>
        {each_for_itself::notice(&others)}
        {body}
        <section class="another" aria-labelledby="not-here">
            <h2 id="not-here">"What cannot be known here"</h2>
            <p class="reason">
                "Names and keys of the sessions, and what was taken back or never confirmed, are in the browsers of the account's owner only. If this account is yours, connect its wallet and "
                <a href="/sessions">"see and end your sessions"</a> "."
            </p>
            {ACCOUNT.form("")}
        </section>
    }
    .into_any()
}

/// Whose word it is, and of when.
fn as_of(chain: Option<&ChainInfo>, facts: &Result<AccountFacts, AppError>) -> String {
    let network = chain.map(|chain| ["On ", &chain.name, ", "].concat()).unwrap_or_default();
    let block = facts.as_ref().map(|facts| ["as of the block of ", &utc(facts.state.block_timestamp)].concat());
    match block {
        Ok(block) => [&network, &block, ". What each session allows comes from this server's session ledger."].concat(),
        Err(_) => [&network, "asked just now."].concat(),
    }
}

fn list(account: Address, facts: &AccountFacts, page: usize, native: &TokenFacts) -> AnyView {
    if facts.is_empty() {
        let text = match facts.state.deployed {
            true => "No session of this account is valid: the chain holds none.",
            false => "This account is not on the chain yet, so no session can act for it.",
        };
        return view! {
            <section class="panel" aria-label="Sessions">
                <p class="empty" data-testid="sessions-empty">{text}</p>
            </section>
        }
        .into_any();
    }
    let count = facts.count();
    let pages = count.div_ceil(PER_PAGE).max(1);
    let page = page.min(pages);
    let rows = facts.page(page - 1).into_iter().map(|listed| row(account, &listed, native)).collect_view();
    view! {
        <section class="panel session-board public-sessions" aria-label="Sessions">
            {facts.unknown_roots().map(|root| unknown(&root.to_string())).collect_view()}
            {(count > 0)
                .then(|| {
                    view! {
                        <p class="reason" data-testid="session-count">
                            {sessions_text(count)} " under the root that the chain holds"
                        </p>
                        <ul class="sessions">{rows}</ul>
                    }
                })}
            {(pages > 1).then(|| pager(account, page, pages))}
        </section>
    }
    .into_any()
}

/// The chain has a root, and nobody has said what is under it.
fn unknown(root: &str) -> AnyView {
    view! {
        <div class="notice" data-testid="sessions-unknown">
            <Icon glyph=Glyph::Warning />
            <strong>"The account has sessions that are unknown here"</strong>
            <p>
                "The chain keeps only their common hash, and nobody has published what is behind it. Their number, functions and ends are known to the browser or app that granted them."
            </p>
            <p class="detail">"Hash: " {grouped(root)}</p>
        </div>
    }
    .into_any()
}

fn row(account: Address, listed: &Listed, native: &TokenFacts) -> AnyView {
    let Listed { leaf, status, manager, is_enabled } = listed;
    let badge = match (is_enabled, status) {
        (false, _) => "Switched off",
        (true, ListedStatus::Pending) => "Not begun",
        (true, status) => status_text(*status),
    };
    // What is switched off works no more than what has not begun.
    let name = match (is_enabled, status) {
        (false, ListedStatus::Active) => ListedStatus::Pending.wire_name(),
        (_, status) => status.wire_name(),
    };
    let doubt = match (is_enabled, manager) {
        (false, _) => Some(
            "The account has switched its session module off: the session does not work now, and would again if the module came back.",
        ),
        (true, SessionKeyManager::Older) => Some("An older session key manager holds it."),
        (true, SessionKeyManager::Current) => None,
    };
    view! {
        <li class="session-row" data-testid="session-row" data-session-id=leaf.session_id.clone() data-status=name>
            <span class="title">{function(leaf)}</span>
            <span class="badge" data-status=name>
                {badge}
            </span>
            <p class="what">{live(permission(leaf, account, native))}</p>
            <p class="meta">
                {starts(leaf, *status)} <span data-testid="session-end">{live(end_text(leaf, *status))}</span>
                <span>"Key " {grouped(&leaf.session_key_address.to_string())}</span>
            </p>
            {doubt.map(|text| view! { <p class="news" data-testid="session-doubt">{text}</p> })}
        </li>
    }
    .into_any()
}

/// What it allows. Whoever reads this need not be the account's owner.
fn permission(leaf: &SessionLeaf, account: Address, native: &TokenFacts) -> String {
    whole_permission_text(leaf, Some(account), native).replace("your own account", "this account")
}

/// The function by name, where its name is known.
fn function(leaf: &SessionLeaf) -> AnyView {
    match PolicyDescription::of_leaf(leaf).permission {
        Permission::Call { function, .. } if function.known.is_some() || function.published.is_some() => {
            view! { <code data-testid="session-function">{verbatim(function.name())}</code> }.into_any()
        }
        Permission::Call { function, .. } => {
            let selector = ["0x", &alloy::hex::encode(function.selector)].concat();
            let text = ["A function whose name is unknown here: only its hash, ", &selector, ", is known"].concat();
            view! { <span data-testid="session-function">{live(text)}</span> }.into_any()
        }
        Permission::Transfer { .. } => {
            view! { <code data-testid="session-function">{verbatim("transfer")}</code> }.into_any()
        }
        Permission::Unreadable { .. } => {
            view! { <span data-testid="session-function">"Unknown: a module that is not known here decides"</span> }
                .into_any()
        }
    }
}

fn starts(leaf: &SessionLeaf, status: ListedStatus) -> Option<AnyView> {
    let text = ["Starts ", &utc(leaf.valid_after)].concat();
    (status == ListedStatus::Pending).then(|| view! { <span>{live(text)}</span> }.into_any())
}

fn end_text(leaf: &SessionLeaf, status: ListedStatus) -> String {
    match (leaf.valid_until, status) {
        (0, _) => "No end".to_owned(),
        (end, ListedStatus::Expired) => ["Ended ", &utc(end)].concat(),
        (end, _) => ["Ends ", &utc(end)].concat(),
    }
}

/// Links to the parts of a long list.
fn pager(account: Address, page: usize, pages: usize) -> AnyView {
    let link = |page: Option<usize>, rel: &'static str, text: &'static str| {
        page.filter(|page| (1..=pages).contains(page)).map(|page| {
            let href = ["/sessions?account=", &account.to_string(), "&page=", &page.to_string()].concat();
            view! {
                <a href=href rel=rel>
                    {text}
                </a>
            }
        })
    };
    view! {
        <nav class="actions" aria-label="Parts of the list">
            {link(page.checked_sub(1), "prev", "Newer")}
            <span class="reason">{["Part ", &page.to_string(), " of ", &pages.to_string()].concat()}</span>
            {link(Some(page + 1), "next", "Older")}
        </nav>
    }
    .into_any()
}
