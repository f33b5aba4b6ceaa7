//! A field for an address or a hash, with which the server is asked for a page. Works without any code.

use leptos::prelude::*;

/// What is asked for.
pub(super) struct LookUp {
    /// Path that is asked.
    pub(super) action: &'static str,
    /// Name of the parameter, and id of the field.
    pub(super) name: &'static str,
    /// Of the field.
    pub(super) label: &'static str,
    /// Of the button.
    pub(super) button: &'static str,
    /// Characters of a whole value.
    pub(super) length: usize,
}

/// An account's sessions.
pub(super) const ACCOUNT: LookUp = LookUp {
    action: "/sessions",
    name: "account",
    label: "Address of a smart account",
    button: "Look its sessions up",
    length: 42,
};

/// An operation.
pub(super) const OPERATION: LookUp =
    LookUp { action: "/operations", name: "hash", label: "Hash of a user operation", button: "Look it up", length: 66 };

impl LookUp {
    /// The form, with what was typed before.
    pub(super) fn form(&self, typed: &str) -> AnyView {
        let typed: String = typed.chars().take(self.length * 2).collect();
        view! {
            <form class="look-up" action=self.action method="get">
                <div class="field">
                    <label for=self.name>{self.label}</label>
                    <div class="actions">
                        <input
                            id=self.name
                            class="mono"
                            name=self.name
                            value=typed
                            size=self.length.to_string()
                            required
                            dir="ltr"
                            placeholder="0x…"
                            autocomplete="off"
                            autocapitalize="off"
                            spellcheck="false"
                        />
                        <button class="button quiet">{self.button}</button>
                    </div>
                </div>
            </form>
        }
        .into_any()
    }
}
