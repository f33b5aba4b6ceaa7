//! `use_smart_account`: which account it is, whose, and whether it is on the chain.

use leptos::prelude::*;

use crate::{
    components::{
        address::Address,
        error_notice::ErrorNotice,
        live_text::{live, verbatim},
    },
    hooks::use_smart_account,
};

/// Shows the connected account as it becomes known.
#[component]
pub fn SmartAccount() -> impl IntoView {
    let account = use_smart_account();
    let text = |address: Option<_>| address.map(|address: alloy::primitives::Address| address.to_string());
    let smart_account = Signal::derive(move || text(account.smart_account_address.get()).unwrap_or_default());
    let owner = Signal::derive(move || text(account.owner_address.get()).unwrap_or_default());
    let deployed = move || match account.is_deployed.get() {
        Some(true) => "yes",
        Some(false) => "not yet: the first operation deploys it",
        None => "reading",
    };
    let network = move || account.chain_info.get().map(|chain| chain.name);

    view! {
        <div class="panel">
            <dl class="rows">
                <div>
                    <dt>"Smart account"</dt>
                    <dd data-testid="demo-smart-account">
                        <Address value=smart_account what="smart account address" />
                    </dd>
                </div>
                <div>
                    <dt>"Owner"</dt>
                    <dd>
                        <Address value=owner what="owner's address" />
                    </dd>
                </div>
                <div>
                    <dt>"Network"</dt>
                    <dd>{move || network().map(verbatim)}</dd>
                </div>
                <div>
                    <dt>"On the chain"</dt>
                    <dd data-testid="is-deployed" aria-live="polite">
                        {move || live(deployed())}
                    </dd>
                </div>
            </dl>
            <div class="actions">
                <button type="button" class="button quiet" on:click=move |_| account.refetch.run(())>
                    "Read again"
                </button>
            </div>
            <ErrorNotice error=account.error />
        </div>
    }
    .into_any()
}
