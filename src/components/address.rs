//! An address or hash: short to look at, whole to copy and to read out.

use leptos::prelude::*;

use super::copy_button::CopyButton;

/// First and last characters of a long hexadecimal value: `0x1758…665e`.
pub fn shortened(value: &str) -> String {
    match (value.get(..6), value.get(value.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if value.len() > 14 => [head, "…", tail].concat(),
        _ => value.to_owned(),
    }
}

/// A value shown short, with the whole of it in `data-value` and in the tooltip, and a copy button.
#[component]
pub fn Address(
    /// The whole value.
    #[prop(into)]
    value: Signal<String>,
    /// What it is: completes "Copy the …".
    what: &'static str,
    /// `data-testid` of the value.
    #[prop(optional)]
    testid: Option<&'static str>,
) -> impl IntoView {
    view! {
        <span class="mono" data-testid=testid data-value=value title=value>
            {move || shortened(&value.get())}
        </span>
        <CopyButton value what />
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn long_values_keep_both_ends_and_short_ones_stay() {
        assert_eq!(shortened("0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e"), "0x1758…665e");
        assert_eq!(shortened("0x1234"), "0x1234");
        assert_eq!(shortened("aéééééééééé"), "aéééééééééé", "a cut inside a character is no cut");
    }
}
