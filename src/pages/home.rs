//! `/`: what a session is, then connect, grant, use.

use leptos::prelude::*;

use crate::components::icon::{Glyph, Icon};

/// The session manager.
#[component]
pub fn HomePage() -> impl IntoView {
    view! {
        <section class="intro" aria-labelledby="intro-title">
            <h1 id="intro-title">"Let an app act for you, within limits you set"</h1>
            <p class="lead">
                "A session is a second key to your smart account that may do one thing only, until a time you choose. You sign for it once. From then on the app needs no further signature for that one thing, and can do nothing else."
            </p>
            <dl class="facts">
                <div>
                    <dt><Icon glyph=Glyph::Check />"You decide"</dt>
                    <dd>"Which contract, which function, with which arguments, and until when. You read it in plain words before you sign."</dd>
                </div>
                <div>
                    <dt><Icon glyph=Glyph::Chain />"The chain enforces"</dt>
                    <dd>"A contract of your account checks every use against the limits. Anything outside them fails, whoever holds the key."</dd>
                </div>
                <div>
                    <dt><Icon glyph=Glyph::Clock />"It ends by itself"</dt>
                    <dd>"When the time is over the key opens nothing any more. No transaction is needed for that."</dd>
                </div>
            </dl>
        </section>
        <noscript>
            <p class="notice">
                "Connecting a wallet and signing happen in your browser and need JavaScript, which is switched off. The page can be read without it."
            </p>
        </noscript>
    }
}
