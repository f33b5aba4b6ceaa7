//! What became of an operation, in words: the same from the server and, once the page works, live.

use alloy::primitives::{B256, U256};
use leptos::prelude::*;

use super::{live_text::live, time::span, whole_address::grouped};
use crate::protocol::{
    describe::{TokenFacts, exact_amount_words},
    foreign_text,
    rpc::{UserOpReceipt, UserOpUpdate},
};

/// The state's name in attributes.
pub fn state_name(update: &UserOpUpdate) -> &'static str {
    match update {
        UserOpUpdate::Submitted => "submitted",
        UserOpUpdate::Stuck { .. } => "stuck",
        UserOpUpdate::Bundled { .. } => "bundled",
        UserOpUpdate::Included { .. } => "included",
        UserOpUpdate::Confirmed { .. } => "confirmed",
        UserOpUpdate::Reverted { .. } => "reverted",
        UserOpUpdate::Dropped { .. } | UserOpUpdate::Replaced { .. } => "dropped",
    }
}

/// The state in a word or two, and what that means.
fn words(update: &UserOpUpdate) -> (&'static str, &'static str) {
    match update {
        UserOpUpdate::Submitted => {
            ("Waiting", "The bundler has it. It is in no transaction yet; most wait for a few seconds only.")
        }
        UserOpUpdate::Stuck { .. } => (
            "Stuck",
            "The bundler has it, and for long no transaction has held it: most likely its fees are too low by now. Whoever signed it can overtake it with the same call at higher fees; until then nothing is lost.",
        ),
        UserOpUpdate::Bundled { .. } => ("In a transaction", "It is in a transaction that waits for a block."),
        UserOpUpdate::Included { .. } => {
            ("In a block", "The chain has it. It is final when a few more blocks have followed.")
        }
        UserOpUpdate::Confirmed { .. } => ("Confirmed", "The chain has it, and its call succeeded."),
        UserOpUpdate::Reverted { .. } => (
            "Reverted",
            "The chain has it, and undid its call: nothing that it was to do has happened. The gas was spent all the same.",
        ),
        UserOpUpdate::Dropped { .. } => (
            "Dropped",
            "The bundler gave it up, and the chain has nothing of it: nothing has happened. It can be sent again.",
        ),
        UserOpUpdate::Replaced { .. } => {
            ("Replaced", "Another operation of the account took its place, so this one can never be included.")
        }
    }
}

/// The state in words, and every fact that comes with it. `native` is the chain's currency.
pub fn operation_facts(update: &UserOpUpdate, explorer_url: Option<&str>, native: &TokenFacts) -> AnyView {
    let (word, meaning) = words(update);
    let state = state_name(update);
    let rows = match update {
        UserOpUpdate::Submitted => ().into_any(),
        UserOpUpdate::Stuck { seconds, fees } => {
            let gwei = |fee: U256| [&exact_amount_words(fee, &gwei()), " per gas"].concat();
            view! {
                {row("Waits for", live(span(*seconds)))}
                {row("Fees that overtake it", live(["at least ", &gwei(fees.max_fee_per_gas), ", of that as tip ", &gwei(fees.max_priority_fee_per_gas)].concat()))}
            }
            .into_any()
        }
        UserOpUpdate::Bundled { transaction_hash } => transaction_row(*transaction_hash, explorer_url),
        UserOpUpdate::Included { transaction_hash, block_number } => view! {
            {transaction_row(*transaction_hash, explorer_url)}
            {row("Block", live(block_number.to_string()))}
        }
        .into_any(),
        UserOpUpdate::Confirmed { receipt } | UserOpUpdate::Reverted { receipt } => {
            receipt_rows(receipt, explorer_url, native)
        }
        UserOpUpdate::Dropped { reason } => row("The bundler says", said(reason)),
        UserOpUpdate::Replaced { by, transaction_hash } => view! {
            {row("By", operation_link(by))}
            {transaction_hash.map(|hash| transaction_row(hash, explorer_url))}
        }
        .into_any(),
    };
    view! {
        <div class="operation-facts" data-testid="user-op-status" data-status=state>
            <p class="standing">
                <strong class="badge" data-status=state>{live(word)}</strong>
            </p>
            <p>{live(meaning)}</p>
            <dl class="rows">{rows}</dl>
        </div>
    }
    .into_any()
}

fn receipt_rows(receipt: &UserOpReceipt, explorer_url: Option<&str>, native: &TokenFacts) -> AnyView {
    let account = receipt.sender.to_string();
    let account = view! { <a href=["/sessions?account=", &account].concat()>{grouped(&account)}</a> }.into_any();
    view! {
        {receipt.reason.as_deref().map(|reason| row("The chain says", said(reason)))}
        {row("Account", account)}
        {transaction_row(receipt.transaction_hash, explorer_url)}
        {row("Block", live(receipt.block_number.to_string()))}
        {row("Gas cost", live(exact_amount_words(receipt.actual_gas_cost, native)))}
    }
    .into_any()
}

/// The whole hash as a link to the page about the operation.
pub fn operation_link(user_op_hash: &B256) -> AnyView {
    let hash = user_op_hash.to_string();
    view! { <a href=["/operations/", &hash].concat() data-testid="operation-link">{grouped(&hash)}</a> }.into_any()
}

fn transaction_row(transaction_hash: B256, explorer_url: Option<&str>) -> AnyView {
    let hash = transaction_hash.to_string();
    let link = explorer_url.map(|url| {
        view! {
            <a href=[url, "/tx/", &hash].concat() target="_blank" rel="noreferrer">
                "View on the explorer"
            </a>
        }
    });
    row("Transaction", view! { <span>{grouped(&hash)} " " {link}</span> }.into_any())
}

/// What somebody else says: it may be in any script.
fn said(text: &str) -> AnyView {
    view! { <bdi>{live(foreign_text::message(text))}</bdi> }.into_any()
}

fn row(name: &'static str, value: AnyView) -> AnyView {
    view! {
        <div>
            <dt>{live(name)}</dt>
            <dd>{value}</dd>
        </div>
    }
    .into_any()
}

fn gwei() -> TokenFacts {
    TokenFacts { symbol: Some("gwei".to_owned()), decimals: Some(9) }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::protocol::rpc::{GasFees, NativeCurrency};

    /// What a person reads.
    fn text(update: &UserOpUpdate) -> String {
        let html =
            operation_facts(update, Some("https://explorer.example"), &NativeCurrency::default().facts()).to_html();
        let mut text = String::new();
        let mut is_tag = false;
        for letter in html.chars() {
            match letter {
                '<' => is_tag = true,
                '>' => is_tag = false,
                letter if !is_tag => text.push(letter),
                _ => {}
            }
        }
        text
    }

    #[test]
    fn every_state_is_told_in_words_with_whole_hashes() {
        let (by, transaction_hash) = (B256::repeat_byte(0xab), B256::repeat_byte(0xcd));
        let receipt = UserOpReceipt {
            user_op_hash: by,
            sender: alloy::primitives::Address::repeat_byte(0x11),
            success: false,
            reason: Some("no \u{202e}<b>money</b>".into()),
            transaction_hash,
            block_number: 7,
            actual_gas_cost: U256::from(10).pow(U256::from(15)),
            actual_gas_used: U256::ZERO,
        };
        let fees = GasFees { max_fee_per_gas: U256::from(2_500_000_000u64), max_priority_fee_per_gas: U256::from(1) };
        for (update, state, said) in [
            (UserOpUpdate::Submitted, "submitted", "The bundler has it"),
            (UserOpUpdate::Stuck { seconds: 90, fees }, "stuck", "at least 2.5 gwei per gas"),
            (UserOpUpdate::Bundled { transaction_hash }, "bundled", "waits for a block"),
            (UserOpUpdate::Included { transaction_hash, block_number: 7 }, "included", "Block7"),
            (UserOpUpdate::Confirmed { receipt: receipt.clone() }, "confirmed", "0.001 ETH"),
            (UserOpUpdate::Reverted { receipt }, "reverted", "no &lt;b"),
            (UserOpUpdate::Dropped { reason: "AA25".into() }, "dropped", "AA25"),
            (UserOpUpdate::Replaced { by, transaction_hash: None }, "dropped", "abababababababab"),
        ] {
            assert_eq!(state_name(&update), state);
            let text = text(&update);
            assert!(text.contains(said), "{said}: {text}");
            let names_transaction = !matches!(state, "submitted" | "stuck" | "dropped");
            assert_eq!(text.contains(&"cd".repeat(32)), names_transaction, "{text}");
        }
    }
}
