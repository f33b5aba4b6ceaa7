//! The sessions of the account: what each may do, its status, and how long it lasts.

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{
    address::shortened,
    countdown::Countdown,
    error_notice::ErrorNotice,
    grant_review::{amount_text, contract_text},
    icon::{Glyph, Icon},
    time::local_time,
};
use crate::{
    hooks::{QueryStatus, UseSessionListReturn, use_smart_account},
    protocol::{
        addresses::{DEMO_NFT, ERC20_SESSION_VALIDATION_MODULE},
        policy::{Condition, FunctionSelector},
        session::{SessionLeaf, SessionStatus},
        session_data::{AbiSessionData, Erc20SessionData},
    },
};

/// The status for people.
fn status_text(status: SessionStatus) -> &'static str {
    match status {
        SessionStatus::Pending => "Waiting for confirmation",
        SessionStatus::Active => "Active",
        SessionStatus::Inactive => "Not begun",
        SessionStatus::Expired => "Ended",
        SessionStatus::Revoked => "Revoked",
    }
}

/// What the leaf allows, as far as its data can be read.
fn permission_text(leaf: &SessionLeaf, account: Option<Address>) -> String {
    if leaf.session_validation_module == ERC20_SESSION_VALIDATION_MODULE
        && let Ok(data) = Erc20SessionData::decode(&leaf.session_key_data)
    {
        let amount = amount_text(data.token, data.max_amount);
        let recipient = match Some(data.recipient) == account {
            true => "your own account".to_owned(),
            false => shortened(&data.recipient.to_string()),
        };
        return ["May send at most ", &amount, " of ", &contract_text(data.token), " per call, only to ", &recipient]
            .concat();
    }
    let Ok(data) = AbiSessionData::decode(&leaf.session_key_data) else {
        return ["Checked by module ", &shortened(&leaf.session_validation_module.to_string())].concat();
    };
    let mint = FunctionSelector::Signature("safeMint(address)".to_owned()).selector().ok();
    let function = if data.contract_address == DEMO_NFT && Some(data.selector) == mint {
        "safeMint".to_owned()
    } else {
        ["function 0x", &hex::encode(data.selector)].concat()
    };
    let own_account = account.map(|account| account.into_word());
    let arguments = match data.rules.as_slice() {
        [] => ", with any arguments",
        [(_, equal, word)] if Condition::from_code(*equal) == Some(Condition::Equal) && Some(*word) == own_account => {
            ", only for your own account"
        }
        [_] => ", under one condition",
        _ => ", under several conditions",
    };
    let funds = if data.value_limit == 0 { "" } else { "; each use may send native currency" };
    ["May call ", &function, " on ", &contract_text(data.contract_address), arguments, funds].concat()
}

/// How many rows are drawn at first, and more at each request: thousands at once would block the page.
const PAGE: usize = 50;

/// The list, newest first.
#[component]
pub fn SessionList(
    /// The sessions and their clock.
    sessions: UseSessionListReturn,
) -> impl IntoView {
    let account = use_smart_account().smart_account_address;
    let limit = RwSignal::new(PAGE);
    let count = Memo::new(move |_| sessions.sessions.with(Vec::len));
    let newest_first =
        move || sessions.sessions.with(|all| all.iter().rev().take(limit.get()).cloned().collect::<Vec<_>>());
    // A row is drawn anew when what is stored of it changes; the clock only moves its status and countdown.
    let key = |leaf: &SessionLeaf| (leaf.session_id.clone(), leaf.status.wire_name(), leaf.label.clone());
    let loading = Memo::new(move |_| sessions.status.get() == QueryStatus::Pending);
    view! {
        {move || {
            (sessions.is_in_sync.get() == Some(false))
                .then(|| {
                    view! {
                        <div class="notice" data-testid="sessions-elsewhere">
                            <Icon glyph=Glyph::Warning />
                            <strong>"This account has sessions that this browser does not know"</strong>
                            <p class="detail">
                                "They were granted in another browser or app and can be used there. Those listed here, if any, cannot be used now."
                            </p>
                        </div>
                    }
                })
        }}
        {move || {
            (count.get() == 0)
                .then(|| {
                    let text = if loading.get() {
                        "Looking for sessions."
                    } else {
                        "No session yet. What you grant appears here, with the time it has left."
                    };
                    view! { <p class="empty">{text}</p> }
                })
        }}
        <ul class="sessions" aria-busy=move || loading.get().to_string()>
            <For each=newest_first key children=move |leaf| row(leaf, account, sessions.now) />
        </ul>
        {move || {
            (count.get() > limit.get())
                .then(|| {
                    let text = ["Show older sessions (", &(count.get() - limit.get()).to_string(), ")"].concat();
                    view! {
                        <button
                            type="button"
                            class="button quiet small more"
                            on:click=move |_| limit.update(|limit| *limit += PAGE)
                        >
                            {text}
                        </button>
                    }
                })
        }}
        <ErrorNotice error=sessions.error retry=sessions.refetch />
    }
    .into_any()
}

fn row(leaf: SessionLeaf, account: Signal<Option<Address>>, now: Signal<u64>) -> impl IntoView {
    let title =
        leaf.label.clone().filter(|label| !label.is_empty()).unwrap_or_else(|| "Session without a name".to_owned());
    let granted = leaf.created_at.map(|time| ["Granted ", &local_time(time)].concat());
    let key = shortened(&leaf.session_key_address.to_string());
    let (id, until, what) =
        (leaf.session_id.clone(), leaf.valid_until, permission_text(&leaf, account.get_untracked()));
    let status = Memo::new(move |_| leaf.status_at(now.get()));
    view! {
        <li class="session-row" data-testid="session-row" data-session-id=id data-status=move || status.get().wire_name()>
            <span class="title">{title}</span>
            <span class="badge" data-status=move || status.get().wire_name()>
                {move || status_text(status.get())}
            </span>
            <p class="what">{what}</p>
            <p class="meta">
                <Countdown valid_until=until now />
                {granted.map(|text| view! { <span>{text}</span> })}
                <span>"Key " <span class="mono">{key}</span></span>
            </p>
        </li>
    }
    .into_any()
}
