//! `use_send_withdrawals`: tokens and native currency out of the account, each to its own recipient.

use alloy::{
    primitives::{Address, U256},
    sol,
};
use leptos::prelude::*;

use crate::{
    components::{
        address_check::typed_address,
        error_notice::ErrorNotice,
        gas_payer::{NotSponsoredNotice, paid_by, use_is_sponsored},
        grant_review::known_token,
        live_text::live,
        native_currency::use_native_currency,
        operation_status::OperationStatus,
        token_balance::TokenBalance,
    },
    error::AppError,
    hooks::{
        SendTransactionVariables, SendWithdrawalsVariables, WithdrawalRequest, use_send_transaction,
        use_send_withdrawals, use_smart_account, use_user_op_wait,
    },
    protocol::{
        ProtocolError,
        addresses::{DEMO_TOKEN, NATIVE_TOKEN},
        describe::{TokenFacts, read_amount},
        smart_account::Call,
    },
};

sol! {
    function mint(address to, uint256 amount);
}

/// One line of the form.
#[derive(Clone, Copy)]
struct Line {
    id: u32,
    is_native: RwSignal<bool>,
    amount: RwSignal<String>,
    recipient: RwSignal<String>,
}

impl Line {
    fn new(id: u32) -> Self {
        let text = || RwSignal::new(String::new());
        Self { id, is_native: RwSignal::new(false), amount: text(), recipient: text() }
    }

    fn request(self, native: &TokenFacts) -> Result<WithdrawalRequest, AppError> {
        let is_native = self.is_native.get_untracked();
        let (amount, recipient) = (self.amount.get_untracked(), self.recipient.get_untracked());
        let amount = match amount.trim() {
            "" => None,
            text if is_native => Some(read_amount(text, native).map_err(ProtocolError::from)?),
            text => Some(read_amount(text, &dollars()).map_err(ProtocolError::from)?),
        };
        let recipient =
            match recipient.trim() {
                "" => None,
                text => Some(text.parse().map_err(|_| {
                    AppError::invalid("recipient", "an address: 0x and 40 hex digits, or nothing", text)
                })?),
            };
        Ok(WithdrawalRequest { address: if is_native { NATIVE_TOKEN } else { DEMO_TOKEN }, amount, recipient })
    }
}

/// Withdraws demo dollars and native currency; the sponsor pays the gas where there is one.
#[component]
pub fn SendWithdrawals() -> impl IntoView {
    let account = use_smart_account();
    let withdraw = use_send_withdrawals();
    let receipt = use_user_op_wait(withdraw.data);
    let is_sponsored = use_is_sponsored();
    let get_dollars = use_send_transaction();
    let dollars_receipt = use_user_op_wait(get_dollars.data);
    let lines = RwSignal::new(vec![Line::new(0)]);
    let refused = RwSignal::new(None::<AppError>);
    let native = use_native_currency();

    let send = move |_| {
        refused.set(None);
        let native = native.get_untracked();
        match lines.get_untracked().into_iter().map(|line| line.request(&native)).collect::<Result<Vec<_>, _>>() {
            Ok(withdrawal_requests) => withdraw.mutate.run(SendWithdrawalsVariables {
                withdrawal_requests,
                options: paid_by(is_sponsored.get_untracked()),
                ..SendWithdrawalsVariables::default()
            }),
            Err(error) => refused.set(Some(error)),
        }
    };
    let get = move |_| {
        if let Some(own_account) = account.smart_account_address.get_untracked() {
            let calls = vec![hundred_dollars(own_account)];
            let options = paid_by(is_sponsored.get_untracked());
            get_dollars.mutate.run(SendTransactionVariables { calls, options });
        }
    };
    let add = move |_| {
        lines.update(|lines| {
            let id = lines.last().map_or(0, |last| last.id + 1);
            lines.push(Line::new(id));
        })
    };
    let remove = Callback::new(move |id| lines.update(|lines| lines.retain(|line| line.id != id)));
    let removable = Signal::derive(move || lines.with(Vec::len) > 1);
    let unconnected = move || account.owner_address.get().is_none();
    view! {
        <div class="panel">
            <TokenBalance token=DEMO_TOKEN symbol="DUSD" decimals=6 owner=account.smart_account_address />
            <For each=move || lines.get() key=|line| line.id let:line>
                <WithdrawalLine line removable remove />
            </For>
            <p class="hint">"No amount: all of it. No recipient: the wallet that owns the account."</p>
            <div class="actions">
                <button
                    type="button"
                    class="button"
                    data-testid="send-withdrawals"
                    disabled=move || unconnected() || withdraw.is_pending.get() || lines.with(Vec::is_empty)
                    on:click=send
                >
                    {move || live(if withdraw.is_pending.get() { "Sending" } else { "Withdraw" })}
                </button>
                <button type="button" class="button quiet" data-testid="add-withdrawal" on:click=add>
                    "Another one"
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
            <ErrorNotice error=refused />
            <OperationStatus mutation=get_dollars wait=dollars_receipt hash_testid="get-demo-tokens-hash" />
            <OperationStatus mutation=withdraw wait=receipt hash_testid="send-withdrawals-hash" />
        </div>
    }
    .into_any()
}

#[component]
fn WithdrawalLine(line: Line, removable: Signal<bool>, remove: Callback<u32>) -> impl IntoView {
    let Line { id, is_native, amount, recipient } = line;
    let native = use_native_currency();
    let name = move |field: &str| [field, "-", &id.to_string()].concat();
    view! {
        <div class="fields" data-testid="withdrawal">
            <div class="field">
                <label for=name("withdrawal-asset")>"What"</label>
                <select
                    id=name("withdrawal-asset")
                    data-testid="withdrawal-asset"
                    on:change:target=move |event| is_native.set(event.target().value() == "native")
                >
                    <option value="dollars">"DUSD"</option>
                    <option value="native" label=move || native.get().symbol></option>
                </select>
            </div>
            <div class="field">
                <label for=name("withdrawal-amount")>
                    {move || live(["Amount, ", &if is_native.get() { native.get() } else { dollars() }.unit()].concat())}
                </label>
                <input
                    id=name("withdrawal-amount")
                    data-testid="withdrawal-amount"
                    inputmode="decimal"
                    placeholder="all"
                    autocomplete="off"
                    bind:value=amount
                />
            </div>
            <div class="field wide">
                <label for=name("withdrawal-recipient")>"Recipient"</label>
                <input
                    id=name("withdrawal-recipient")
                    class="mono"
                    data-testid="withdrawal-recipient"
                    placeholder="the owner"
                    spellcheck="false"
                    autocomplete="off"
                    bind:value=recipient
                />
                {move || typed_address(&recipient.get())}
            </div>
            <Show when=move || removable.get()>
                <div class="actions">
                    <button type="button" class="button quiet small" on:click=move |_| remove.run(id)>
                        "Remove"
                    </button>
                </div>
            </Show>
        </div>
    }
    .into_any()
}

/// How demo dollars are shown and read.
fn dollars() -> TokenFacts {
    known_token(DEMO_TOKEN).unwrap_or_default()
}

/// 100 of the demo token, which anybody may mint, with 6 decimals.
fn hundred_dollars(to: Address) -> Call {
    Call::to(DEMO_TOKEN, &mintCall { to, amount: U256::from(100_000_000) })
}
