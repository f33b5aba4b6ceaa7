//! `/`: what a session is, then connect, grant, use.

mod flow;
mod outline;
mod workbench;

use leptos::prelude::*;
use leptos_meta::Title;

use self::workbench::Workbench;
use crate::components::{
    icon::{Glyph, Icon},
    no_script_notice::NoScriptNotice,
};

/// The session manager.
#[component]
pub fn HomePage() -> impl IntoView {
    view! {
        <Title text="Session manager" />
        <section class="intro" aria-labelledby="intro-title">
            <h1 id="intro-title">"Let an app act for you, within limits you set"</h1>
            <p class="lead">
                "A session is a second key to your smart account that may do one thing only, until a time you choose. You sign for it once. After that the app needs no further signature for that one thing, and the chain refuses every other call. What its operations cost is not limited that way: whoever has the key can burn or pocket as fees what the account holds to pay them with, so keep little there, or withdraw it with the grant."
            </p>
        </section>
        <NoScriptNotice text="Connecting a wallet and signing happen in your browser and need it. You can read the page without it." />
        <div class="columns">
            <div class="flow-region">
                <Workbench />
            </div>
            <Facts />
        </div>
    }
    .into_any()
}

/// Why a session can be trusted with a permission.
#[component]
fn Facts() -> impl IntoView {
    view! {
        <dl class="facts" id="how-it-works">
            <div>
                <dt>
                    <Icon glyph=Glyph::Check />
                    "You decide"
                </dt>
                <dd>
                    "Which contract, which function, with which arguments, and until when. You read it in plain words before you sign."
                </dd>
            </div>
            <div>
                <dt>
                    <Icon glyph=Glyph::Chain />
                    "The chain enforces"
                </dt>
                <dd>
                    "A contract checks every call against the limits. A call outside them fails, whoever holds the key. Fees are no calls: the review says what they can cost you."
                </dd>
            </div>
            <div>
                <dt>
                    <Icon glyph=Glyph::Clock />
                    "It ends by itself"
                </dt>
                <dd>"When the time is over the key opens nothing any more. That costs no transaction."</dd>
            </div>
            <div>
                <dt>
                    <Icon glyph=Glyph::Key />
                    "The key stays here"
                </dt>
                <dd>
                    "It is made in this browser and kept there, encrypted. Neither it nor your wallet's key reaches a server."
                </dd>
            </div>
        </dl>
    }
    .into_any()
}
