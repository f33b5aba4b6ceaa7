//! `/hooks/{hook_name}`.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use super::{live::LiveDemo, markdown::inline, nearest::nearest, source::Listing, types::Types};
use crate::{
    components::no_script_notice::NoScriptNotice,
    demos::{self, DEMOS, Demo, documentation::Documentation},
    pages::not_found::set_not_found,
};

/// One hook: the demo at work, its source, what it takes and returns.
#[component]
pub fn HookPage() -> impl IntoView {
    let name = use_params_map().with_untracked(|params| params.get("hook_name")).unwrap_or_default();
    match demos::find(&name).and_then(|demo| Some((demo, Documentation::of(demo)?))) {
        Some((demo, documentation)) => view! { <Hook demo documentation /> }.into_any(),
        None => view! { <NoSuchHook name /> }.into_any(),
    }
}

#[component]
fn Hook(demo: &'static Demo, documentation: Documentation) -> impl IntoView {
    let Documentation { signature, signature_with_options, text, on_server, takes, returns } = documentation;
    // As `cargo xtask page` colours them.
    let signatures = [signature, signature_with_options].join("\n\n").trim_end().to_owned();
    let file = ["src/demos/", demo.module, ".rs"].concat();
    view! {
        <Title text=demo.hook />
        <article class="hook">
            <header class="intro">
                <p class="trail">
                    <a href="/hooks">"Hooks"</a>
                    " / "
                    {demo.task.title()}
                </p>
                <h1>
                    <code translate="no">{demo.hook}</code>
                </h1>
                <p class="lead">{demo.summary}</p>
                <ReactName name=demo.react />
                <nav class="on-page" aria-label="On this page">
                    <a href="#demo">"Try it"</a>
                    {(!takes.is_empty()).then(|| view! { <a href="#options">"Options"</a> })}
                    <a href="#returned">"Returned"</a>
                    <a href="#source">"Source of the demo"</a>
                </nav>
            </header>
            <Component demo />
            <section aria-labelledby="what">
                <h2 id="what">"What it does"</h2>
                {text.iter().map(|paragraph| view! { <p>{inline(paragraph)}</p> }).collect_view()}
                <Listing what="Signature" caption="Signature" html=highlight::rust(&signatures) />
                <p>
                    <strong>"While the server renders: "</strong>
                    {inline(&on_server)}
                </p>
            </section>
            {(!takes.is_empty())
                .then(|| {
                    view! {
                        <section aria-labelledby="options">
                            <h2 id="options">"Options"</h2>
                            <Types types=takes.clone() />
                        </section>
                    }
                })}
            <section aria-labelledby="returned">
                <h2 id="returned">"Returned"</h2>
                <Types types=returns />
            </section>
            <section aria-labelledby="demo">
                <h2 id="demo">"Try it"</h2>
                <Before demo />
                <NoScriptNotice text="The demo needs it, for the wallet and to sign. Everything else on this page works without." />
                <LiveDemo />
            </section>
            <section aria-labelledby="source">
                <h2 id="source">"Source of this demo"</h2>
                <p>"The file that is compiled into this page, with the parts that this app's forms are made of."</p>
                <Listing what="Source of the demo" caption=file html=highlight::rust(demo.source) />
            </section>
            <Neighbours demo />
        </article>
    }
    .into_any()
}

/// The shortest whole component and, where there is one, the same job in React beside it.
#[component]
fn Component(demo: &'static Demo) -> impl IntoView {
    let beside = (!demo.react_component.is_empty()).then(|| {
        let html = highlight::javascript(demo.react_component);
        view! { <Listing what="The same in React" caption="React, useAA" html /> }
    });
    view! {
        <section class="component" aria-labelledby="component">
            <h2 id="component">"The shortest whole component"</h2>
            <p>
                "It compiles as it is, in an app that depends on " <code translate="no">"leptos"</code> ", "
                <code translate="no">"use-aa"</code> " and " <code translate="no">"alloy"</code> "."
                {beside.is_some().then_some(" Beside it stands the same job in React.")}
            </p>
            <div class="compare">
                <Listing what="Component" caption="Leptos, use-aa" html=highlight::rust(demo.component) />
                {beside}
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn ReactName(name: &'static str) -> impl IntoView {
    match name {
        "" => view! { <p class="reason">"Not in useAA; ours."</p> }.into_any(),
        name => {
            view! { <p class="reason">"In React: " <code translate="no" data-testid="react-name">{name}</code></p> }
                .into_any()
        }
    }
}

/// What has to be done before, when something has.
#[component]
fn Before(demo: &'static Demo) -> impl IntoView {
    demo.before
        .map(|before| {
            view! {
                <p>
                    "Needs what "
                    <a href=["/hooks/", before].concat()>
                        <code translate="no">{before}</code>
                    </a>
                    " makes; do that first, in this browser."
                </p>
            }
        })
        .into_any()
}

/// The hooks before and after this one.
#[component]
fn Neighbours(demo: &'static Demo) -> impl IntoView {
    let at = DEMOS.iter().position(|other| other.hook == demo.hook).unwrap_or_default();
    let link = |other: Option<&'static Demo>, rel: &'static str, text: &'static str| {
        other.map(|other| {
            view! {
                <a href=["/hooks/", other.hook].concat() rel=rel>
                    <span>{text}</span>
                    <code translate="no">{other.hook}</code>
                </a>
            }
        })
    };
    view! {
        <nav class="neighbours" aria-label="Hooks before and after">
            {link(at.checked_sub(1).and_then(|at| DEMOS.get(at)), "prev", "Previous")}
            {link(DEMOS.get(at + 1), "next", "Next")}
        </nav>
    }
    .into_any()
}

#[component]
fn NoSuchHook(name: String) -> impl IntoView {
    set_not_found();
    let name: String = name.chars().take(60).collect();
    view! {
        <Title text="Not found" />
        <section class="intro">
            <h1>"There is no such hook"</h1>
            <p class="lead">
                <code translate="no">{name.clone()}</code>
                {nearest(&name)
                    .map(|demo| {
                        view! {
                            " is not among them. Did you mean "
                            <a href=["/hooks/", demo.hook].concat() data-testid="nearest">
                                <code translate="no">{demo.hook}</code>
                            </a>
                            "?"
                        }
                    })}
            </p>
            <p>
                <a class="button" href="/hooks">"All hooks"</a>
            </p>
        </section>
    }
    .into_any()
}

/// Highlighted on the server; the browser never makes these views.
#[cfg(not(feature = "ssr"))]
mod highlight {
    pub(super) fn rust(_: &str) -> String {
        String::new()
    }

    pub(super) use self::rust as javascript;
}

#[cfg(feature = "ssr")]
use super::highlight;

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn the_same_job_in_react_stands_beside_what_useaa_has() {
        for demo in DEMOS {
            let html = Owner::new().with(|| view! { <Component demo /> }.to_html());
            let listings = if demo.react.is_empty() { 1 } else { 2 };
            assert_eq!(html.matches("<figure").count(), listings, "{}: {html}", demo.hook);
            assert!(html.contains("#[component]") && html.contains(demo.react), "{}", demo.hook);
        }
    }
}
