//! `/hooks`: all hooks by task. `/hooks/{hook_name}`: one hook at work beside its source and documentation.

mod filter;
#[cfg(feature = "ssr")]
mod highlight;
mod hook;
mod live;
mod markdown;
mod nearest;
mod source;
mod types;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::filter::HookFilter;
#[cfg(feature = "ssr")]
pub use self::highlight::Highlights;
pub use self::hook::HookPage;
use crate::demos::{DEMOS, Demo, Task};

/// The list of all hooks, task by task, with a filter.
///
/// The filter works without JavaScript, too: the form asks for `/hooks?q=…`.
#[component]
pub fn HooksPage() -> impl IntoView {
    let wanted = use_query_map().with_untracked(|query| query.get("q")).unwrap_or_default();
    let wanted = wanted.chars().take(80).collect::<String>();
    view! {
        <Title text="Hooks" />
        <section class="intro" aria-labelledby="hooks-title">
            <h1 id="hooks-title">"Hooks"</h1>
            <p class="lead">
                "Biconomy's useAA for Leptos. Each hook has a page with a live demo, the source of that demo to copy, and everything it takes and returns."
            </p>
        </section>
        <HookFilter wanted=wanted.clone() />
        <div class="hook-list" id=filter::LIST>
            {Task::ALL.into_iter().map(|task| tasks_section(task, &wanted)).collect_view()}
        </div>
    }
    .into_any()
}

/// The hooks of one task; nothing while no demo is there for it.
fn tasks_section(task: Task, wanted: &str) -> Option<AnyView> {
    let demos: Vec<&Demo> = DEMOS.iter().filter(|demo| demo.task == task).collect();
    let hidden = !demos.iter().any(|demo| filter::matches(&searchable(demo), wanted));
    let id = ["task-", &task.title().to_lowercase().replace([' ', '\''], "-")].concat();
    (!demos.is_empty()).then(|| {
        view! {
            <section aria-labelledby=id.clone() hidden=hidden>
                <h2 id=id.clone()>{task.title()}</h2>
                <ul>{demos.into_iter().map(|demo| row(demo, wanted)).collect_view()}</ul>
            </section>
        }
        .into_any()
    })
}

fn row(demo: &'static Demo, wanted: &str) -> AnyView {
    let text = searchable(demo);
    view! {
        <li hidden=!filter::matches(&text, wanted) data-search=text>
            <a href=["/hooks/", demo.hook].concat()>
                <code translate="no">{demo.hook}</code>
            </a>
            <span>{demo.summary}</span>
            {(!demo.react.is_empty()).then(|| view! { <code translate="no" class="react-name">{demo.react}</code> })}
        </li>
    }
    .into_any()
}

/// What the filter looks through, in lower case.
fn searchable(demo: &Demo) -> String {
    [demo.hook, demo.react, demo.summary, demo.task.title()].join(" ").to_lowercase()
}
