//! Bringing an encrypted file in.

use alloy::primitives::Address;
use leptos::{ev::SubmitEvent, prelude::*};

use crate::{
    components::{
        error_notice::ErrorNotice,
        icon::{Glyph, Icon},
        live_text::live,
        text_file::read_chosen,
    },
    hooks::{
        ImportSessionsVariables, ImportedSessions, Passphrase, UseMutationReturn, effect, use_account_kind,
        use_smart_account,
    },
    protocol::kind::AccountKind,
};

/// Takes a file or a pasted text and its passphrase.
#[component]
pub fn Import(
    /// The import.
    import: UseMutationReturn<ImportSessionsVariables, ImportedSessions>,
) -> impl IntoView {
    let (text, passphrase) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let account = use_smart_account().smart_account_address;
    let kind = use_account_kind().kind;
    let ready = move || text.with(|text| !text.trim().is_empty()) && !passphrase.with(String::is_empty);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if ready() {
            let passphrase = Passphrase::new(passphrase.get_untracked());
            import.mutate.run(ImportSessionsVariables { text: text.get_untracked(), passphrase });
        }
    };
    effect(move || {
        if import.is_success.get() {
            passphrase.set(String::new());
            text.set(String::new());
        }
    });
    let result = move || {
        let imported = import.data.get()?;
        let other = elsewhere(&imported, kind.get(), account.get());
        let [came, usable] = in_words(&imported);
        Some(view! {
            <div class="notice" data-testid="import-result" data-sessions=imported.sessions data-usable=imported.usable>
                <Icon glyph=Glyph::Check />
                <strong>{live(came)}</strong>
                <p class="detail">{live(usable)}</p>
                {other.map(|text| view! { <p class="detail">{live(text)}</p> })}
            </div>
        })
    };
    view! {
        <form id="import" class="panel" on:submit=submit>
            <div>
                <h3>"Bring sessions in"</h3>
                <p class="step-text">
                    "Open a file that was exported on another device. What is already here stays; importing twice changes nothing."
                </p>
            </div>
            <div class="field">
                <label for="import-file">"File"</label>
                <input
                    id="import-file"
                    type="file"
                    accept=".json,application/json"
                    data-testid="import-file"
                    on:change:target=move |event| read_chosen(&event.target(), move |read| drop(text.try_set(read)))
                />
            </div>
            <div class="field">
                <label for="import-text">"Or its text"</label>
                <textarea
                    id="import-text"
                    rows="3"
                    spellcheck="false"
                    autocomplete="off"
                    data-testid="import-text"
                    class="mono"
                    prop:value=move || text.get()
                    on:input:target=move |event| text.set(event.target().value())
                ></textarea>
            </div>
            <div class="field">
                <label for="import-passphrase">"Passphrase of the file"</label>
                <input
                    id="import-passphrase"
                    type="password"
                    autocomplete="off"
                    data-testid="import-passphrase"
                    bind:value=passphrase
                />
            </div>
            <div class="actions">
                <button
                    class="button quiet"
                    data-testid="import-sessions"
                    disabled=move || !ready() || import.is_pending.get()
                >
                    {move || live(if import.is_pending.get() { "Opening" } else { "Open and import" })}
                </button>
            </div>
            <ErrorNotice error=import.error />
            <div role="status">{result}</div>
        </form>
    }
    .into_any()
}

/// Where they are, when the list does not show them.
fn elsewhere(imported: &ImportedSessions, kind: AccountKind, shown: Option<Address>) -> Option<String> {
    let account = imported.account.to_string();
    if imported.kind != kind {
        let kind = imported.kind.title();
        return Some(
            ["They belong to the ", kind, " account ", &account, ". Choose that kind beside the account."].concat(),
        );
    }
    let other = shown.is_some_and(|shown| shown != imported.account);
    other.then(|| ["They belong to another account, ", &account, ". Connect its owner's wallet to see them."].concat())
}

/// What came, and what can be used.
fn in_words(imported: &ImportedSessions) -> [String; 2] {
    let count = |number: usize, one: &str, several: &str| match number {
        0 => ["No ", several].concat(),
        1 => ["1 ", one].concat(),
        _ => [&number.to_string(), " ", several].concat(),
    };
    let came = match (imported.sessions, imported.keys) {
        (0, keys) => {
            ["Nothing new: the sessions of this file were here already (", &count(keys, "key", "keys"), ")."].concat()
        }
        (sessions, keys) => {
            let sessions = count(sessions, "session", "sessions");
            [&sessions, " came in, with ", &count(keys, "key", "keys").to_lowercase(), "."].concat()
        }
    };
    let usable = match (imported.is_in_sync, imported.usable) {
        (None, _) => {
            "The chain could not be asked now whether they are still valid. That is done at the next visit.".to_owned()
        }
        (Some(false), _) => {
            "The chain holds other sessions than these: they were replaced or revoked since, and cannot be used."
                .to_owned()
        }
        (Some(true), usable) => {
            let usable = count(usable, "session of the account", "sessions of the account");
            ["Compared with the chain: ", &usable.to_lowercase(), " can be used here now."].concat()
        }
    };
    [came, usable]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(sessions: usize, usable: usize, is_in_sync: Option<bool>) -> ImportedSessions {
        let (account, kind) = (Address::ZERO, AccountKind::Nexus);
        ImportedSessions { account, kind, sessions, keys: 1, usable, is_in_sync }
    }

    fn words(sessions: usize, usable: usize, is_in_sync: Option<bool>) -> [String; 2] {
        in_words(&imported(sessions, usable, is_in_sync))
    }

    #[test]
    fn an_import_says_what_came_and_what_the_chain_says_of_it() {
        let [came, usable] = words(2, 1, Some(true));
        assert_eq!(came, "2 sessions came in, with 1 key.");
        assert_eq!(usable, "Compared with the chain: 1 session of the account can be used here now.");
        assert!(words(0, 1, Some(true))[0].starts_with("Nothing new"));
        assert!(words(1, 0, Some(true))[1].contains("no sessions of the account can"));
        assert!(words(1, 0, Some(false))[1].contains("replaced or revoked"));
        assert!(words(1, 0, None)[1].contains("could not be asked"));
    }

    #[test]
    fn it_is_said_where_sessions_are_that_the_list_does_not_show() {
        let came = imported(1, 1, Some(true));
        let shown_with = |kind, account| elsewhere(&came, kind, account).unwrap_or_default();
        assert_eq!(shown_with(AccountKind::Nexus, Some(came.account)), "");
        assert!(shown_with(AccountKind::Nexus, Some(Address::repeat_byte(1))).contains("owner's wallet"));
        assert!(shown_with(AccountKind::BiconomyV2, None).contains("the Nexus account 0x"));
    }
}
