//! Sessions and keys as an encrypted file.

use leptos::{ev::SubmitEvent, prelude::*};

use crate::{
    components::{
        copy_button::CopyButton,
        error_notice::ErrorNotice,
        icon::{Glyph, Icon},
        live_text::live,
        passphrase_strength::Strength,
        text_file::download_address,
    },
    hooks::{
        ExportSessionsVariables, Passphrase, QueryStatus, UseMutationReturn, effect, use_session_list,
        use_smart_account,
    },
};

/// Asks for a passphrase twice and gives the file.
#[component]
pub fn Export(
    /// The export.
    export: UseMutationReturn<ExportSessionsVariables, String>,
) -> impl IntoView {
    let (passphrase, again) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let account = use_smart_account().smart_account_address;
    let list = use_session_list();
    let sessions = list.sessions;
    let strength = Memo::new(move |_| Strength::of(&passphrase.get()));
    let typed = move || !passphrase.with(String::is_empty);
    let differs = move || again.with(|again| !again.is_empty() && passphrase.with(|first| first != again));
    let ready =
        move || strength.get() != Strength::TooShort && passphrase.with(|first| again.with(|again| first == again));
    let nothing = move || account.with(Option::is_none) || sessions.with(Vec::is_empty);
    let known = move || list.status.get() == QueryStatus::Success;
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if ready() && !nothing() {
            let passphrase = Passphrase::new(passphrase.get_untracked());
            export.mutate.run(ExportSessionsVariables { passphrase });
        }
    };
    // What opens the file is not left lying about in the page.
    effect(move || {
        if export.is_success.get() {
            passphrase.set(String::new());
            again.set(String::new());
        }
    });
    view! {
        <form class="panel" on:submit=submit>
            <div>
                <h3>"Take your sessions along"</h3>
                <p class="step-text">
                    "An encrypted file with your sessions and their keys. Open it on another device with the passphrase."
                </p>
            </div>
            <div class="field">
                <label for="export-passphrase">"Passphrase"</label>
                <input
                    id="export-passphrase"
                    type="password"
                    autocomplete="new-password"
                    data-testid="export-passphrase"
                    aria-describedby="export-strength"
                    bind:value=passphrase
                />
                <span class="hint" id="export-strength" data-testid="passphrase-strength" data-strength=move || strength.get().name()>
                    {move || {
                        live(match typed() {
                            true => strength.get().text(),
                            false => "Nobody can open the file without it, and nobody can recover it.",
                        })
                    }}
                </span>
            </div>
            <div class="field">
                <label for="export-again">"Passphrase again"</label>
                <input
                    id="export-again"
                    type="password"
                    autocomplete="new-password"
                    data-testid="export-passphrase-again"
                    aria-describedby="export-differs"
                    aria-invalid=move || differs().to_string()
                    bind:value=again
                />
                <span class="hint" id="export-differs">
                    {move || differs().then(|| live("The two are not the same yet."))}
                </span>
            </div>
            <div class="actions">
                <button
                    class="button quiet"
                    data-testid="export-sessions"
                    disabled=move || !ready() || nothing() || export.is_pending.get()
                >
                    {move || live(if export.is_pending.get() { "Encrypting" } else { "Encrypt and export" })}
                </button>
                <Show when=move || nothing() && known()>
                    <span class="reason">"There are no sessions in this browser to take along."</span>
                </Show>
            </div>
            <ErrorNotice error=export.error />
            <div role="status">{move || export.data.get().map(exported)}</div>
        </form>
    }
    .into_any()
}

fn exported(text: String) -> AnyView {
    let address = download_address(&text);
    let copied = Signal::stored(text.clone());
    view! {
        <div class="notice" data-testid="exported" data-value=text>
            <Icon glyph=Glyph::Check />
            <strong>"Your sessions are in the file."</strong>
            <p class="detail">
                "Whoever has it and the passphrase can use the sessions until they end. Delete it when it has arrived."
            </p>
            <div class="actions">
                <a class="button small" data-testid="download-export" download="use-aa-sessions.json" href=address>
                    "Download the file"
                </a>
                <span>
                    <CopyButton value=copied what="encrypted text" />
                    "or copy it as text"
                </span>
            </div>
        </div>
    }
    .into_any()
}
