//! The tables of what a hook takes and returns.

use leptos::prelude::*;

use super::markdown::inline;
use crate::demos::documentation::{Field, Type};

/// One table per type. The first is open, those that its fields name are opened when needed.
#[component]
pub(super) fn Types(
    /// The types.
    types: Vec<Type>,
) -> impl IntoView {
    let tables = types.into_iter().enumerate().map(|(index, Type { name, fields })| {
        let id = ["type-", &name].concat();
        view! {
            <details class="type" id=id open=index < 2>
                <summary>
                    <code translate="no">{name.clone()}</code>
                </summary>
                <dl class="members">{fields.into_iter().map(member).collect_view()}</dl>
            </details>
        }
    });
    tables.collect_view().into_any()
}

fn member(Field { name, ty, doc }: Field) -> AnyView {
    view! {
        <div>
            <dt>
                <code translate="no" class="name">{name}</code>
                {(!ty.is_empty()).then(|| view! { <code translate="no" class="ty">{ty.clone()}</code> })}
            </dt>
            <dd>{inline(&doc)}</dd>
        </div>
    }
    .into_any()
}
