//! Which session is meant.

use alloy::primitives::B256;
use use_aa_protocol::session_scheme::{SessionCalls, SessionScheme, Stored};

use super::{Known, SchemeSessions, Standing, listing, using::Calling};
use crate::{
    error::AppError,
    session_choice::{KeyPlace, check_usable},
};

/// How a caller says which session is to be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SessionChoice {
    /// The newest one that allows the calls; where none does, the newest one says why.
    #[default]
    Newest,
    /// The usable one at this place, oldest first.
    Place(usize),
    /// The one that the chain knows by this id.
    Id(B256),
    /// The one of this id in a [listing](SchemeSessions::listing).
    Listed(String),
}

fn key_place<T>(stored: &Stored<T>) -> KeyPlace {
    if stored.about.nodes.is_some() { KeyPlace::Nodes } else { KeyPlace::Store }
}

impl<S: SessionScheme> SchemeSessions<S> {
    pub(super) async fn choose<'a>(
        &self,
        choice: &SessionChoice,
        known: &'a Known<S::Session>,
        calling: &Calling<'_>,
    ) -> Result<&'a S::Session, AppError> {
        // Of the others the key is elsewhere.
        let is_held = |id: B256| {
            known.stored.iter().any(|stored| S::id(&stored.session) == id && calling.holder == key_place(stored))
        };
        let held = self.held(known);
        let named = |id: B256| held.iter().copied().find(|session| S::id(session) == id).filter(|_| is_held(id));
        match choice {
            SessionChoice::Id(id) => {
                let account = calling.account;
                let absent = || AppError::SessionNotFound { wanted: format!("session {id} of {account} on chain") };
                named(*id).ok_or_else(absent)
            }
            SessionChoice::Listed(text) => {
                let not_found = || AppError::SessionNotFound { wanted: text.clone() };
                let id = listing::permission_of(text).ok_or_else(not_found)?;
                let mut stored = known.stored.iter().filter(|_| is_held(id));
                let stored = stored.find(|stored| S::id(&stored.session) == id).ok_or_else(not_found)?;
                self.check(stored, known, calling)?;
                named(id).ok_or_else(not_found)
            }
            SessionChoice::Place(place) => {
                let usable = self.usable(known, calling).await;
                let wanted = format!("number {place} of {} usable sessions (0 is the first)", usable.len());
                usable.get(*place).copied().ok_or(AppError::SessionNotFound { wanted })
            }
            SessionChoice::Newest => {
                let usable = self.usable(known, calling).await;
                let now = calling.now.latest();
                let call_data = self.kind.encode_calls(calling.calls, false)?;
                let allows = |session: &&&S::Session| {
                    let (account, calls, call_data) = (calling.account, calling.calls, call_data.as_ref());
                    let sponsored = false;
                    S::judge(session, &SessionCalls { account, calls, call_data, sponsored, now }).is_ok()
                };
                if let Some(session) = usable.iter().rev().find(allows).or(usable.last()) {
                    return Ok(session);
                }
                let newest = known.stored.iter().rfind(|stored| key_place(stored) == calling.holder);
                let newest = newest.ok_or_else(|| AppError::SessionNotFound { wanted: "any session".into() })?;
                self.check(newest, known, calling)?;
                Err(AppError::SessionNotFound { wanted: "a session that can be used here".into() })
            }
        }
    }

    /// Those that the chain has, whose time it is, and whose key the store can open, oldest first.
    async fn usable<'a>(&self, known: &'a Known<S::Session>, calling: &Calling<'_>) -> Vec<&'a S::Session> {
        // A store that cannot say so says it when the key is asked for.
        let lost = self.store.lost_keys(calling.account).await.unwrap_or_default();
        let is_usable = |session: &&S::Session| {
            let stored = known.stored.iter().find(|stored| S::id(&stored.session) == S::id(session));
            !lost.contains(&S::session_key(session))
                && stored.is_some_and(|stored| {
                    key_place(stored) == calling.holder && self.check(stored, known, calling).is_ok()
                })
        };
        self.held(known).into_iter().filter(is_usable).collect()
    }

    /// Those that the chain has, and those that their first use enables, oldest first.
    fn held<'a>(&self, known: &'a Known<S::Session>) -> Vec<&'a S::Session> {
        let waits = |session: &&S::Session| known.standing(S::id(session)) == Standing::Waiting;
        let mut waiting = known.stored.iter().map(|stored| &stored.session).filter(waits).peekable();
        if waiting.peek().is_none() {
            return known.on_chain.iter().collect();
        }
        let place =
            |session: &S::Session| known.stored.iter().position(|stored| S::id(&stored.session) == S::id(session));
        let mut held = known.on_chain.iter().chain(waiting).collect::<Vec<_>>();
        held.sort_by_key(|session| place(session));
        held
    }

    /// Why it cannot be used now.
    fn check(
        &self,
        stored: &Stored<S::Session>,
        known: &Known<S::Session>,
        calling: &Calling<'_>,
    ) -> Result<(), AppError> {
        let leaves = listing::leaves_of::<S>(stored, known.standing(S::id(&stored.session)));
        // Several actions of one session may end at different times: it works while one of them does.
        let mut checked = leaves.iter().map(|leaf| check_usable(leaf, calling.now));
        match checked.next() {
            None => Ok(()),
            Some(first) => first.or_else(|error| checked.find(Result::is_ok).unwrap_or(Err(error))),
        }
    }
}
