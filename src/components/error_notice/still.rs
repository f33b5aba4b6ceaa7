//! An error in a page that the server rendered: without buttons, which need code to do anything.

use leptos::prelude::*;

use super::{
    explained,
    guide::{advice, code, explanation},
    sentence,
};
use crate::{
    components::{
        icon::{Glyph, Icon},
        live_text::{live, verbatim},
    },
    error::AppError,
    protocol::foreign_text,
};

/// What failed, what it means and what helps. `native` is the symbol of the chain's currency.
pub fn still_notice(error: &AppError, native: &str) -> AnyView {
    let found = explanation(error);
    let name = found.map_or(error.name(), |found| found.name);
    let text = sentence(&foreign_text::message(&error.to_string()));
    view! {
        <div class="notice error" role="alert" data-testid="error" data-error=error.name()>
            <Icon glyph=Glyph::Cross />
            <strong>{live(text)}</strong>
            {found.map(explained)}
            <p class="detail">{live(advice(error, native))}</p>
            <p class="error-name mono" data-testid="error-name">
                {verbatim(name)} {code(error).map(|code| verbatim([" · code ", &code.to_string()].concat()))}
            </p>
        </div>
    }
    .into_any()
}
