//! What a review says of sessions before they are granted.

use alloy::primitives::{Address, U256};
use futures::future::try_join3;
use use_aa_protocol::{
    lint::Severity,
    policy::SessionPolicy,
    session_scheme::{ActionLimits, OnChain, SchemeFinding, SessionLimits, SessionScheme, SessionTerms},
};

use super::SchemeSessions;
use crate::{clock::unix_seconds, error::AppError, random};

impl<S: SessionScheme> SchemeSessions<S> {
    /// What there is to say about these policies, each with the place of the policy that it is about; `None`: about all of
    /// them together. What cannot be said by a session of this scheme is a finding, too.
    ///
    /// # Errors
    /// Those of relay and store.
    pub async fn findings(
        &self,
        policies: &[(SessionPolicy, ActionLimits)],
    ) -> Result<Vec<(Option<usize>, SchemeFinding)>, AppError> {
        let state = self.kind.read_state(self.relay.as_ref(), U256::ZERO);
        let (known, state, chain) = try_join3(self.read(), state, self.relay.chain_info()).await?;
        // As it is granted from a page.
        let limits = SessionLimits { sponsored: chain.sponsors_pages(), ..SessionLimits::default() };
        let account = self.kind.address();
        let on_chain = OnChain { account, modules: &state.modules, sessions: &known.on_chain };
        let now = unix_seconds();
        let salt = random::word()?;
        // Some key or other: that of the grant is not made yet.
        let session_key = Address::repeat_byte(1);
        let found = |policies: &[(SessionPolicy, ActionLimits)]| {
            let terms = SessionTerms { account, policies, limits: limits.clone(), session_key, salt, now };
            match S::session(&terms) {
                Ok(session) => S::lint(&session, &on_chain, now),
                Err(error) => {
                    let text = ["It cannot be granted: ", &error.to_string(), "."].concat();
                    vec![SchemeFinding { severity: Severity::Stop, text }]
                }
            }
        };
        let mut all = Vec::new();
        for (place, policy) in policies.iter().enumerate() {
            all.extend(found(std::slice::from_ref(policy)).into_iter().map(|finding| (Some(place), finding)));
        }
        // What several allow together holds of one session as of several; what one session cannot hold, several can.
        let together = found(policies).into_iter().filter(|finding| finding.severity != Severity::Stop);
        let is_new = |finding: &SchemeFinding| !all.iter().any(|(_, known)| known == finding);
        let together = together.filter(is_new).collect::<Vec<_>>();
        all.extend(together.into_iter().map(|finding| (None, finding)));
        Ok(all)
    }
}
