//! What there is to say of a grant, where the account's sessions are no leaves of Smart Account V2.

use leptos::{prelude::*, task::spawn_local};

use super::{GrantRequest, effects::effect, nexus_gateway, provider::use_context_or_detached};
use crate::{
    error::AppError,
    protocol::{kind::AccountKind, session_scheme::SchemeFinding},
};

/// Findings, each with the place of the policy that it is about; `None`: about all of them.
pub(crate) type GrantFindings = Result<Vec<(Option<usize>, SchemeFinding)>, AppError>;

/// What the scheme of the shown account's sessions says of a grant; `None` until it is known, and on Smart Account V2, whose
/// leaves have a linter of their own.
///
/// # Server-Side Rendering
/// `None`.
pub(crate) fn use_grant_findings(request: Signal<Option<GrantRequest>>) -> ReadSignal<Option<GrantFindings>> {
    let context = use_context_or_detached();
    let (findings, set_findings) = signal(None);
    // What it is about: names and key are no part of it.
    let asked = Memo::new(move |_| {
        let request = request.get().filter(|_| context.account_kind.get() == AccountKind::Nexus)?;
        let limits = (0..request.policies.len()).map(|place| request.limits_of(place)).collect::<Vec<_>>();
        Some((request.account, request.policies.into_iter().zip(limits).collect::<Vec<_>>()))
    });
    effect(move || {
        let now_asked = asked.get();
        set_findings.set(None);
        let Some((account, policies)) = now_asked.clone() else { return };
        spawn_local(async move {
            let found = nexus_gateway::grant_findings(account, policies).await;
            if asked.try_get_untracked() == Some(now_asked) {
                set_findings.try_set(Some(found));
            }
        });
    });
    findings
}
