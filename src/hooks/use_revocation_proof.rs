//! [`use_revocation_proof`].

use super::{
    AccountKind, MutationOptions, RevocationProof, UseMutationReturn, nexus_gateway, provider::use_context_or_detached,
    rest, use_mutation,
};

/// Tries a session by its id, without sending anything: its key signs an operation, and the entry point on chain says
/// whether it would take it. After a revocation it must not.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{RevocationProof, use_revocation_proof};
///
/// #[component]
/// fn IsItGone(session_id: String) -> impl IntoView {
///     let proof = use_revocation_proof();
///     let answer = move || match proof.data.get() {
///         Some(RevocationProof::Refused { reason }) => format!("gone: {reason}"),
///         Some(RevocationProof::NotProven { answer }) => format!("not proven: {answer}"),
///         None => String::new(),
///     };
///     view! {
///         <button on:click=move |_| proof.mutate.run(session_id.clone())>"Try it"</button>
///         <p>{answer}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: nothing; ours.
pub fn use_revocation_proof() -> UseMutationReturn<String, RevocationProof> {
    use_revocation_proof_with(MutationOptions::default())
}

/// As [`use_revocation_proof`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_revocation_proof_with(
    options: MutationOptions<String, RevocationProof>,
) -> UseMutationReturn<String, RevocationProof> {
    let context = use_context_or_detached();
    use_mutation(options, move |session_id, _| async move {
        let account = context.account_or(None)?;
        match context.kind_of(account) {
            AccountKind::Nexus => nexus_gateway::prove_revocation(account, session_id).await,
            AccountKind::BiconomyV2 => rest::prove_revocation(account, session_id).await,
        }
    })
}
