//! What a page says whose code cannot run although JavaScript does: no WebAssembly, or it could not be loaded.
//!
//! It is in every page and hidden by its style. The script that loads the code says why it stopped in `data-stopped` of
//! the root element (`app/hydrate_islands.js`, `app/old_browser.js`), and the style shows the notice for that.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// Both notices. Nothing in them changes.
#[component]
pub fn StoppedNotice() -> impl IntoView {
    view! {
        <div class="notice warning stopped" role="alert" data-stopped-by="wasm" data-testid="no-webassembly">
            <Icon glyph=Glyph::Warning />
            <strong>"This browser runs no WebAssembly on this page"</strong>
            <p>
                "Connecting a wallet, granting and taking back need it, so they are switched off here. Nothing of yours is lost: sessions go on as they are."
            </p>
            <p class="detail">"What helps:"</p>
            <ul class="detail">
                <li>
                    "Lockdown Mode (iPhone, iPad, Mac) switches it off. In Safari, switch Lockdown Mode off for this website only, in the website's settings."
                </li>
                <li>
                    "Some browsers switch it off in their strictest security level, and some extensions do: make an exception for this website."
                </li>
                <li>
                    "A policy of your organisation or a proxy may forbid it: whoever runs that must allow 'wasm-unsafe-eval' for scripts of this website."
                </li>
                <li>"A browser that is several years old may not know it: update it, or use another one."</li>
            </ul>
            <p class="detail">
                "Without it you can read what chain and server know: "
                <a href="/sessions#look-up">"the sessions of an account"</a> ", and "
                <a href="/operations">"what became of an operation"</a> "."
            </p>
        </div>
        <div class="notice error stopped" role="alert" data-stopped-by="load" data-testid="code-not-loaded">
            <Icon glyph=Glyph::Cross />
            <strong>"The code of this page could not be loaded"</strong>
            <p class="detail">
                "Check your connection, then " <a href="">"load the page again"</a>
                ". Until then nothing on it can be pressed. If it stays, an extension or a proxy may hold the code back."
            </p>
        </div>
    }
    .into_any()
}
