//! Remarks on a grant where sessions are no leaves of Smart Account V2: of the very session that would be put on chain.

use leptos::prelude::*;

use super::draft::{Draft, Remark, remarks_about};
use crate::{
    hooks::{GrantFindings, use_account_kind, use_grant_findings},
    protocol::{kind::AccountKind, lint::Severity, session_scheme::SchemeFinding},
};

/// What is said, and whether it is known yet.
#[derive(Clone, Copy)]
pub struct SchemeRemarks {
    kind: Signal<AccountKind>,
    draft: RwSignal<Option<Draft>>,
    findings: ReadSignal<Option<GrantFindings>>,
}

impl SchemeRemarks {
    /// Of what would be granted now.
    pub fn new(draft: RwSignal<Option<Draft>>) -> Self {
        let granted = Signal::derive(move || draft.with(|draft| draft.as_ref().map(|draft| draft.decision().granted)));
        Self { kind: use_account_kind().kind, draft, findings: use_grant_findings(granted) }
    }

    /// Does this account's review say these?
    pub fn are_theirs(self) -> bool {
        self.kind.get() != AccountKind::BiconomyV2
    }

    /// They are not known yet, and must be before anybody agrees.
    pub fn are_unknown(self) -> bool {
        self.are_theirs() && self.findings.with(Option::is_none)
    }

    /// What is known.
    pub fn get(self) -> Vec<Remark> {
        let policies = self.draft.with(|draft| draft.as_ref().map(|draft| draft.decision().granted.policies));
        let (Some(policies), Some(findings)) = (policies, self.findings.get()) else { return Vec::new() };
        match findings {
            Ok(found) => {
                let said = |(place, finding): (_, SchemeFinding)| (place, finding.severity, finding.text);
                remarks_about(&policies, found.into_iter().map(said).collect())
            }
            Err(error) => {
                let text = ["What this would allow could not be checked: ", &error.to_string(), "."].concat();
                vec![Remark { severity: Severity::Stop, text }]
            }
        }
    }
}
