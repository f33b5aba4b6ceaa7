//! `use_send_gas_token_transaction`: the owner's own transaction; the gas is paid in a token.

use alloy::{
    primitives::{Address, U256},
    sol,
};
use leptos::prelude::*;

use crate::{
    components::{
        error_notice::ErrorNotice,
        gas_payer::{NotSponsoredNotice, paid_by, use_is_sponsored},
        live_text::live,
        operation_status::OperationStatus,
        token_balance::TokenBalance,
    },
    error::AppError,
    hooks::{
        BuildUserOpOptions, CostArguments, MutationOptions, SendGasTokenTransactionVariables, SendTransactionVariables,
        TokenParam, use_send_gas_token_transaction_with, use_send_transaction, use_smart_account, use_token_fees,
        use_user_op_wait,
    },
    protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        smart_account::Call,
    },
};

sol! {
    function safeMint(address to);
    function mint(address to, uint256 amount);
}

/// Mints a demo NFT and pays the gas in demo dollars: at most what the quote says.
#[component]
pub fn SendGasTokenTransaction() -> impl IntoView {
    let account = use_smart_account();
    let calls = move || {
        account
            .smart_account_address
            .get()
            .map(|to| Call::to(DEMO_NFT, &safeMintCall { to }))
            .into_iter()
            .collect::<Vec<_>>()
    };
    let arguments = Signal::derive(move || CostArguments { calls: calls(), ..CostArguments::default() });
    let fees = use_token_fees(arguments);
    let quote = Memo::new(move |_| fees.data.get().and_then(|fees| fees.of(DEMO_TOKEN).cloned()));
    let send = use_send_gas_token_transaction_with(MutationOptions {
        on_error: Some(Callback::new(move |(error, _)| {
            if matches!(error, AppError::FeeQuoteExpired { .. }) {
                fees.refetch.run(());
            }
        })),
        ..MutationOptions::default()
    });
    let receipt = use_user_op_wait(send.data);
    let is_sponsored = use_is_sponsored();
    let get_dollars = use_send_transaction();
    let dollars_receipt = use_user_op_wait(get_dollars.data);

    let pay_in_dollars = move |token_param: TokenParam| {
        send.mutate.run(SendGasTokenTransactionVariables {
            calls: untrack(calls),
            token_param,
            options: BuildUserOpOptions::default(),
        });
    };
    // What was shown is the most that is paid; without a quote the address does, and a quote is got on the way.
    let mint = move |_| pay_in_dollars(quote.get_untracked().map_or(DEMO_TOKEN.into(), TokenParam::from));
    let get = move |_| {
        if let Some(own_account) = account.smart_account_address.get_untracked() {
            let calls = vec![hundred_dollars(own_account)];
            let options = paid_by(is_sponsored.get_untracked());
            get_dollars.mutate.run(SendTransactionVariables { calls, options });
        }
    };
    let price = move || match quote.get() {
        Some(quote) => ["Costs at most ", &quote.most_words(), "."].concat(),
        None if fees.is_fetching.get() => "Asking for the price…".to_owned(),
        None if account.owner_address.with(Option::is_some) => "No price is known.".to_owned(),
        None => "The price is shown once a wallet is connected.".to_owned(),
    };
    let unconnected = move || account.owner_address.get().is_none();
    // The operator would advance the gas.
    let is_off = move || account.chain_info.with(|chain| chain.as_ref().is_some_and(|chain| !chain.page_sponsorship));
    view! {
        <div class="panel">
            <TokenBalance token=DEMO_TOKEN symbol="DUSD" decimals=6 owner=account.smart_account_address />
            <p class="step-text" role="status" data-testid="gas-token-price">{move || live(price())}</p>
            <div class="actions">
                <button
                    type="button"
                    class="button"
                    data-testid="send-gas-token-transaction"
                    disabled=move || unconnected() || is_off() || send.is_pending.get()
                    on:click=mint
                >
                    {move || live(if send.is_pending.get() { "Sending" } else { "Mint, gas in DUSD" })}
                </button>
                <button
                    type="button"
                    class="button quiet"
                    data-testid="get-demo-tokens"
                    disabled=move || unconnected() || get_dollars.is_pending.get()
                    on:click=get
                >
                    {move || live(if get_dollars.is_pending.get() { "Getting" } else { "Get 100 demo dollars" })}
                </button>
            </div>
            <NotSponsoredNotice />
            <ErrorNotice error=fees.error retry=fees.refetch />
            <OperationStatus mutation=get_dollars wait=dollars_receipt hash_testid="get-demo-tokens-hash" />
            <OperationStatus mutation=send wait=receipt hash_testid="send-gas-token-transaction-hash" />
        </div>
    }
    .into_any()
}

/// 100 of the demo token, which anybody may mint, with 6 decimals.
fn hundred_dollars(to: Address) -> Call {
    Call::to(DEMO_TOKEN, &mintCall { to, amount: U256::from(100_000_000) })
}
