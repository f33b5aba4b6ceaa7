//! What to withdraw: lines of asset, amount and recipient.

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{
    address_check::typed_address, grant_review::known_token, live_text::live, native_currency::use_native_currency,
    token_amount::typed_amount,
};
use crate::{
    error::AppError,
    hooks::WithdrawalRequest,
    protocol::{
        ProtocolError,
        addresses::NATIVE_TOKEN,
        describe::{TokenFacts, read_amount},
    },
};

/// The lines of a form that withdraws one token and native currency.
#[derive(Clone, Copy)]
pub struct Withdrawals {
    token: Address,
    lines: RwSignal<Vec<Line>>,
    native: Signal<TokenFacts>,
}

#[derive(Clone, Copy)]
struct Line {
    id: u32,
    is_native: RwSignal<bool>,
    amount: RwSignal<String>,
    recipient: RwSignal<String>,
}

/// One line, for `token`.
///
/// # Server-Side Rendering
/// The same.
pub fn use_withdrawals(token: Address) -> Withdrawals {
    Withdrawals { token, lines: RwSignal::new(vec![Line::new(0)]), native: use_native_currency() }
}

impl Withdrawals {
    /// What the lines say.
    ///
    /// # Errors
    /// `InvalidInput`: an amount or an address that is none.
    pub fn requests(self) -> Result<Vec<WithdrawalRequest>, AppError> {
        untrack(|| self.lines.get().into_iter().map(|line| self.request(line)).collect())
    }

    /// One more line.
    pub fn add(self) {
        self.lines.update(|lines| {
            let id = lines.last().map_or(0, |last| last.id + 1);
            lines.push(Line::new(id));
        });
    }

    fn request(self, line: Line) -> Result<WithdrawalRequest, AppError> {
        let (amount, recipient) = (line.amount.get(), line.recipient.get());
        let address = if line.is_native.get() { NATIVE_TOKEN } else { self.token };
        let amount = match amount.trim() {
            "" => None,
            text if address == NATIVE_TOKEN => {
                Some(read_amount(text, &self.native.get()).map_err(ProtocolError::from)?)
            }
            text => Some(typed_amount(self.token, text)?),
        };
        let expected = "an address: 0x and 40 hex digits, or nothing";
        let recipient = match recipient.trim() {
            "" => None,
            text => Some(text.parse().map_err(|_| AppError::invalid("recipient", expected, text))?),
        };
        Ok(WithdrawalRequest { address, amount, recipient })
    }

    fn token_facts(self) -> TokenFacts {
        known_token(self.token).unwrap_or_default()
    }
}

impl Line {
    fn new(id: u32) -> Self {
        let text = || RwSignal::new(String::new());
        Self { id, is_native: RwSignal::new(false), amount: text(), recipient: text() }
    }
}

/// The fields of all lines.
#[component]
pub fn WithdrawalLines(
    /// What to withdraw.
    withdrawals: Withdrawals,
) -> impl IntoView {
    let lines = withdrawals.lines;
    view! {
        <For each=move || lines.get() key=|line| line.id let:line>
            {line_view(withdrawals, line)}
        </For>
        <p class="hint">"No amount: all of it. No recipient: the wallet that owns the account."</p>
    }
    .into_any()
}

fn line_view(withdrawals: Withdrawals, line: Line) -> AnyView {
    let Withdrawals { lines, native, .. } = withdrawals;
    let Line { id, is_native, amount, recipient } = line;
    let name = move |field: &str| [field, "-", &id.to_string()].concat();
    let unit = move || if is_native.get() { native.get() } else { withdrawals.token_facts() }.unit();
    let symbol = withdrawals.token_facts().symbol;
    view! {
        <div class="fields" data-testid="withdrawal">
            <div class="field">
                <label for=name("withdrawal-asset")>"What"</label>
                <select
                    id=name("withdrawal-asset")
                    data-testid="withdrawal-asset"
                    on:change:target=move |event| is_native.set(event.target().value() == "native")
                >
                    <option value="token" label=symbol></option>
                    <option value="native" label=move || native.get().symbol></option>
                </select>
            </div>
            <div class="field">
                <label for=name("withdrawal-amount")>{move || live(["Amount, ", &unit()].concat())}</label>
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
            <Show when=move || lines.with(|lines| lines.len() > 1)>
                <div class="actions">
                    <button
                        type="button"
                        class="button quiet small"
                        on:click=move |_| lines.update(|lines| lines.retain(|line| line.id != id))
                    >
                        "Remove"
                    </button>
                </div>
            </Show>
        </div>
    }
    .into_any()
}
