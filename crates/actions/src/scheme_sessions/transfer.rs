//! Sessions that come from another device of their owner.

use serde_json::Value;
use use_aa_protocol::session_scheme::{SessionScheme, Stored};

use super::SchemeSessions;
use crate::error::AppError;

impl<S: SessionScheme> SchemeSessions<S> {
    /// What another device has stored of these sessions.
    ///
    /// # Errors
    /// `InvalidInput` for what is no session of this scheme.
    pub fn read_records(records: Vec<Value>) -> Result<Vec<Stored<S::Session>>, AppError> {
        let session = |(place, record)| {
            serde_json::from_value(record)
                .map_err(|error| AppError::invalid(format!("sessions[{place}]"), "a stored session", error))
        };
        records.into_iter().enumerate().map(session).collect()
    }

    /// Adds sessions to those that are stored. What is here stays as it is, and takes a name where it has none. Gives the
    /// number that are new.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn take_in(&self, sessions: Vec<Stored<S::Session>>) -> Result<usize, AppError> {
        let mut added = 0;
        for theirs in sessions {
            let id = S::id(&theirs.session);
            let take_in = |ours: Option<Value>| {
                let Some(record) = ours else {
                    added += 1;
                    return Self::written(&theirs).map(Some);
                };
                let mut ours = Self::stored_in(record)?;
                ours.about.label = ours.about.label.or(theirs.about.label);
                Self::written(&ours).map(Some)
            };
            self.store.change_record(self.kind.address(), S::NAME, id, Box::new(take_in)).await?;
        }
        Ok(added)
    }

    /// Number of sessions that are on chain and whose key is here.
    ///
    /// # Errors
    /// Those of relay and store.
    pub async fn usable_here(&self) -> Result<usize, AppError> {
        let mut usable = 0;
        let (account, known) = (self.kind.address(), self.read().await?);
        for session in &known.on_chain {
            let (id, key) = (S::id(session), S::session_key(session));
            let at_nodes = |stored: &Stored<S::Session>| stored.about.nodes.is_some() && S::id(&stored.session) == id;
            let is_here = match known.stored.iter().any(at_nodes) {
                true => self.store.ephemeral_key(account, key).await.is_ok(),
                false => self.store.signer(account, key).await.is_ok(),
            };
            usable += usize::from(is_here);
        }
        Ok(usable)
    }
}
