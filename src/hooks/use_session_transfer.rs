//! [`use_session_transfer`].

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use leptos::prelude::*;
use zeroize::Zeroizing;

use super::{
    ImportedSessions, MutationOptions, Progress, UseMutationReturn, answers::OpenedImport, nexus_gateway,
    provider::use_context_or_detached, rest, use_mutation,
};

/// A passphrase on its way into one run of a mutation. The run takes it out and wipes it, so that the state, which keeps
/// the variables, does not keep it.
#[derive(Clone)]
pub struct Passphrase(Arc<Mutex<Zeroizing<String>>>);

impl Passphrase {
    /// For one run.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Mutex::new(Zeroizing::new(text))))
    }

    fn take(&self) -> Zeroizing<String> {
        self.0.lock().map(|mut text| std::mem::take(&mut *text)).unwrap_or_default()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Variables of [`UseSessionTransferReturn::export`].
#[derive(Clone, Debug)]
pub struct ExportSessionsVariables {
    /// Opens the text again; at least [`SHORTEST_PASSPHRASE`](super::SHORTEST_PASSPHRASE) characters.
    pub passphrase: Passphrase,
}

/// Variables of [`UseSessionTransferReturn::import`].
#[derive(Clone, Debug)]
pub struct ImportSessionsVariables {
    /// What was exported.
    pub text: String,
    /// Its passphrase.
    pub passphrase: Passphrase,
}

/// What [`use_session_transfer`] returns.
#[derive(Clone, Copy)]
pub struct UseSessionTransferReturn {
    /// Encrypts the account's sessions and keys with a passphrase; gives the text.
    pub export: UseMutationReturn<ExportSessionsVariables, String>,
    /// Brings such a text in, and compares the sessions with the chain.
    pub import: UseMutationReturn<ImportSessionsVariables, ImportedSessions>,
    /// So many keys of the JavaScript SDK lay here in clear text and were encrypted in this visit.
    pub keys_taken_over: Signal<usize>,
}

/// Takes the sessions of the account to another device: as a text that only a passphrase opens (PBKDF2-HMAC-SHA-256,
/// AES-256-GCM, all in the browser). Nothing is sent to a server. Importing the same text again changes nothing.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{ExportSessionsVariables, MutationOptions, Passphrase, use_session_transfer};
///
/// #[component]
/// fn TakeAlong() -> impl IntoView {
///     let transfer = use_session_transfer(MutationOptions::default(), MutationOptions::default());
///     let passphrase = RwSignal::new(String::new());
///     let export = move |_| {
///         let passphrase = Passphrase::new(passphrase.get());
///         transfer.export.mutate.run(ExportSessionsVariables { passphrase });
///     };
///     view! {
///         <input type="password" bind:value=passphrase />
///         <button on:click=export disabled=transfer.export.is_pending>"Export"</button>
///         <textarea readonly prop:value=move || transfer.export.data.get().unwrap_or_default() />
///         <p role="alert">{move || transfer.export.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: nothing; ours.
pub fn use_session_transfer(
    export: MutationOptions<ExportSessionsVariables, String>,
    import: MutationOptions<ImportSessionsVariables, ImportedSessions>,
) -> UseSessionTransferReturn {
    let context = use_context_or_detached().with_sessions();
    UseSessionTransferReturn {
        export: use_mutation(export, move |variables: ExportSessionsVariables, _: Progress| async move {
            let account = context.account_or(None)?;
            rest::export_sessions(context.kind_of(account), account, variables.passphrase.take()).await
        }),
        import: use_mutation(import, move |variables: ImportSessionsVariables, _: Progress| async move {
            let imported = match rest::import_sessions(variables.text, variables.passphrase.take()).await? {
                OpenedImport::Done(imported) => imported,
                OpenedImport::Nexus(transfer) => nexus_gateway::bring_in(transfer).await?,
            };
            #[cfg(feature = "hydrate")]
            super::account::brought_in(context, imported.kind, imported.account);
            Ok(imported)
        }),
        keys_taken_over: context.keys_taken_over.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::Passphrase;

    #[test]
    fn a_passphrase_is_taken_once_and_shown_never() {
        let passphrase = Passphrase::new("correct horse".into());
        let kept = passphrase.clone();
        assert!(!format!("{passphrase:?}").contains("horse"));
        assert_eq!(passphrase.take().as_str(), "correct horse");
        assert_eq!(kept.take().as_str(), "");
    }
}
