//! Sessions that stand each for itself: the chain tells how many an account has, and their ids.

use alloy::primitives::{Address, Bytes};
use leptos::prelude::*;
use serde_json::json;

use crate::{
    api::{chain_info, read_chain},
    components::{
        icon::{Glyph, Icon},
        live_text::live,
    },
    error::AppError,
    protocol::{
        kind::AccountKind,
        smart_sessions::{addresses::SMART_SESSION, reads},
    },
};

/// How many Smart Sessions the account has; `None` where the server offers no account that could.
pub(super) async fn count(account: Address) -> Result<Option<usize>, AppError> {
    if !chain_info().await?.account_kinds.contains(&AccountKind::Nexus) {
        return Ok(None);
    }
    let call = json!([{"to": SMART_SESSION, "data": reads::permission_ids_call(account)}, "latest"]);
    let answer = read_chain("eth_call".to_owned(), call).await?;
    let answer = answer.as_str().and_then(|answer| answer.parse::<Bytes>().ok()).unwrap_or_default();
    Ok(Some(reads::decode_ids(&answer)?.len()))
}

/// Says so; nothing where there are none.
pub(super) fn notice(count: &Result<Option<usize>, AppError>) -> Option<AnyView> {
    let (count, text) = match count {
        Ok(None | Some(0)) => return None,
        Ok(Some(1)) => ("1".to_owned(), "The account has a Smart Session that cannot be read here".to_owned()),
        Ok(Some(many)) => {
            let text = ["The account has ", &many.to_string(), " Smart Sessions that cannot be read here"].concat();
            (many.to_string(), text)
        }
        Err(_) => (String::new(), "Whether the account has Smart Sessions could not be read".to_owned()),
    };
    Some(
        view! {
            <section class="panel" aria-label="Smart Sessions">
                <div class="notice" data-testid="smart-sessions" data-count=count>
                    <Icon glyph=Glyph::Warning />
                    <strong>{live(text)}</strong>
                    <p>
                        "The chain keeps hashes of what such sessions may do. The browser or app that granted them knows their functions and ends."
                    </p>
                </div>
            </section>
        }
        .into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_said_only_where_it_is_known() {
        assert!(notice(&Ok(None)).is_none() && notice(&Ok(Some(0))).is_none());
        assert!(notice(&Ok(Some(2))).is_some());
        assert!(notice(&Err(AppError::Busy { seconds: 1 })).is_some());
    }
}
