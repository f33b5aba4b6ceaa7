//! `use_send_gas_token_transaction`: the owner's own transaction; the gas is paid in a token.

use alloy::sol;
use leptos::prelude::*;

use super::parts::DemoDollars;
use crate::{
    components::{
        action_button::ActionButton, error_notice::ErrorNotice, gas_payer::NotSponsoredNotice, live_text::live,
        operation_status::OperationStatus,
    },
    prelude::*,
    protocol::addresses::{DEMO_NFT, DEMO_TOKEN},
};

sol! {
    function safeMint(address to);
}

/// Mints a demo NFT and pays the gas in demo dollars: at most what the quote says.
#[component]
pub fn SendGasTokenTransaction() -> impl IntoView {
    let account = use_smart_account();
    let calls = Memo::new(move |_| {
        let call = account.smart_account_address.get().map(|to| Call::to(DEMO_NFT, &safeMintCall { to }));
        Vec::from_iter(call)
    });
    let fees = use_token_fees(Signal::derive(move || CostArguments { calls: calls.get(), ..Default::default() }));
    let quote = Memo::new(move |_| fees.data.get().and_then(|fees| fees.of(DEMO_TOKEN).cloned()));
    let ask_again = move |(error, _): (AppError, _)| {
        if matches!(error, AppError::FeeQuoteExpired { .. }) {
            fees.refetch.run(());
        }
    };
    let options = MutationOptions { on_error: Some(Callback::new(ask_again)), ..Default::default() };
    let send = use_send_gas_token_transaction_with(options);
    let wait = use_user_op_wait(send.data);

    // What was shown is the most that is paid; without a quote the address does, and a quote is got on the way.
    let mint = Callback::new(move |()| {
        let token_param = quote.get_untracked().map_or(DEMO_TOKEN.into(), TokenParam::from);
        let (calls, options) = (calls.get_untracked(), BuildUserOpOptions::default());
        send.mutate.run(SendGasTokenTransactionVariables { calls, token_param, options });
    });
    let unconnected = move || account.owner_address.with(Option::is_none);
    let price = move || match quote.get() {
        Some(quote) => ["Costs at most ", &quote.most_words(), "."].concat(),
        None if fees.is_fetching.get() => "Asking for the price…".to_owned(),
        None if unconnected() => "The price is shown once a wallet is connected.".to_owned(),
        None => "No price is known.".to_owned(),
    };
    // The operator would advance the gas.
    let is_off = move || account.chain_info.with(|chain| chain.as_ref().is_some_and(|chain| !chain.page_sponsorship));
    view! {
        <div class="panel">
            <DemoDollars />
            <p class="step-text" role="status" data-testid="gas-token-price">{move || live(price())}</p>
            <div class="actions">
                <ActionButton
                    testid="send-gas-token-transaction"
                    text="Mint, gas in DUSD"
                    busy_text="Sending"
                    is_busy=send.is_pending
                    blocked=Signal::derive(move || unconnected() || is_off())
                    on_press=mint
                />
            </div>
            <NotSponsoredNotice />
            <ErrorNotice error=fees.error retry=fees.refetch />
            <OperationStatus mutation=send wait hash_testid="send-gas-token-transaction-hash" />
        </div>
    }
    .into_any()
}
