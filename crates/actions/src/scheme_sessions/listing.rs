//! The sessions of an account as lists show them, and what became of the operations that change them.

use alloy::primitives::{Address, B256, U256};
use futures::future::{join, join_all, try_join};
use use_aa_protocol::{
    call::Call,
    session::{SessionEvent, SessionLeaf, SessionStatus},
    session_scheme::{AboutSession, Counted, SessionScheme, Stored},
};

use super::{ListedNote, SchemeSessions, Standing};
use crate::{chain_reads::eth_call, error::AppError};

/// What is left of a limit, read from the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitLeft {
    /// The listed session.
    pub session_id: String,
    /// What is counted.
    pub what: Counted,
    /// The limit.
    pub most: U256,
    /// What is left of it.
    pub left: U256,
}

/// What the chain has, and what is stored, compared with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionListing {
    /// What the sessions may do, call by call: first those of other devices, then the stored ones, oldest first. A session of
    /// several calls has a leaf for each; taking one back takes all of them back.
    pub leaves: Vec<SessionLeaf>,
    /// What is left of their limits; a limit that the chain would not tell is missing.
    pub left: Vec<LimitLeft>,
    /// What leaves cannot say: of sessions that cannot be read, or that the chain has otherwise than they were granted.
    pub notes: Vec<ListedNote>,
    /// Operations that grant or end sessions and are on their way.
    pub pending: Vec<B256>,
    /// Modules of the account.
    pub modules: Vec<Address>,
    /// The account has code.
    pub is_deployed: bool,
}

/// Id in a listing: the session's own, and for each further call of it a number behind.
pub(super) fn listed_id(id: B256, place: usize) -> String {
    if place == 0 { id.to_string() } else { format!("{id}-{place}") }
}

/// The session that a listed id stands for.
pub(super) fn permission_of(listed: &str) -> Option<B256> {
    let id = listed.split_once('-').map_or(listed, |(id, _)| id);
    id.parse().ok()
}

/// One session's leaves: what it may do, and where it stands.
pub(super) fn leaves_of<S: SessionScheme>(stored: &Stored<S::Session>, standing: Standing) -> Vec<SessionLeaf> {
    let Stored { session, ending, about } = stored;
    let id = S::id(session);
    // Signed for, and the account takes the signature no more: that was taken back.
    let is_over = about.was_on_chain || *ending || S::given_consent(session).is_some();
    let leaf = |(place, leaf): (usize, SessionLeaf)| {
        let mut leaf = SessionLeaf {
            session_id: listed_id(id, place),
            label: about.label.clone(),
            created_at: about.created_at,
            status: match standing {
                Standing::OnChain | Standing::Waiting => SessionStatus::Active,
                Standing::Enabling => SessionStatus::Pending,
                Standing::Absent if about.returned_by.is_some() => SessionStatus::Pending,
                Standing::Absent if is_over => SessionStatus::Revoked,
                Standing::Absent => SessionStatus::Pending,
            },
            user_op_hash: about
                .returned_by
                .or(about.granted_by.filter(|_| !about.was_on_chain))
                .filter(|_| standing != Standing::OnChain),
            ..leaf
        };
        about.nodes.iter().for_each(|nodes| nodes.write(&mut leaf));
        if standing.is_signed() {
            leaf.set_waits_for_first_use();
        }
        if let (true, true, Some(operation)) = (leaf.status == SessionStatus::Active, *ending, about.ended_by) {
            // One that can be used can be on its way out: nothing else is possible.
            leaf.record(&SessionEvent::RevocationSent { operation: operation.into() }).ok();
        }
        if let (SessionStatus::Revoked, Some(operation)) = (leaf.status, about.ended_by) {
            leaf.status = SessionStatus::Active;
            let left = SessionEvent::LeftTree { last_root: B256::ZERO, elsewhere: false };
            // As above: it was there, was on its way out, and is gone.
            leaf.record(&SessionEvent::RevocationSent { operation: operation.into() }).ok();
            leaf.record(&left).ok();
        }
        leaf
    };
    S::leaves(session).into_iter().enumerate().map(leaf).collect()
}

impl<S: SessionScheme> SchemeSessions<S> {
    /// What is stored, compared with the chain; what was seen there is noted.
    ///
    /// # Errors
    /// Those of relay and store.
    pub async fn listing(&self) -> Result<SessionListing, AppError> {
        let relay = self.relay.as_ref();
        let (known, state) = try_join(self.read(), self.kind.read_state(relay, U256::ZERO)).await?;
        let mut listing =
            SessionListing { modules: state.modules, is_deployed: state.deployed, ..SessionListing::default() };
        let asked = known.on_chain.iter().flat_map(|session| self.asked(session)).collect::<Vec<_>>();
        let answers = join_all(asked.iter().map(|(_, counter)| async {
            let answer = eth_call(relay, counter.call.to, counter.call.data.clone()).await.ok()?;
            S::left(counter, &answer).ok()
        }));
        let (answers, on_chain) = join(answers, self.read_on_chain(&known)).await;
        let on_chain = on_chain?;
        for ((session_id, counter), left) in asked.iter().zip(answers) {
            let limit =
                |left| LimitLeft { session_id: session_id.clone(), what: counter.what, most: counter.most, left };
            listing.left.extend(left.map(limit));
        }
        for stored in &known.stored {
            let standing = known.standing(S::id(&stored.session));
            let on_chain = standing == Standing::OnChain;
            listing.leaves.extend(leaves_of::<S>(stored, standing));
            if standing.is_signed() {
                // The chain counts nothing of it yet.
                let whole = |(session_id, counter): (String, use_aa_protocol::session_scheme::Counter)| LimitLeft {
                    session_id,
                    what: counter.what,
                    most: counter.most,
                    left: counter.most,
                };
                listing.left.extend(self.asked(&stored.session).into_iter().map(whole));
            }
            let AboutSession { granted_by, ended_by, returned_by, was_on_chain, .. } = &stored.about;
            let granting = granted_by.filter(|_| !on_chain && !was_on_chain && !stored.ending);
            let returning = returned_by.filter(|_| !on_chain);
            let ending = ended_by.filter(|_| standing.is_in_force() && stored.ending);
            listing.pending.extend(granting.into_iter().chain(returning).chain(ending));
            self.note_seen(stored, standing).await?;
        }
        on_chain.list(&mut listing);
        listing.pending.sort_unstable();
        listing.pending.dedup();
        Ok(listing)
    }

    /// Notes what the chain was seen to have: a session that is there, by whomever it was brought back, is on no way out of
    /// before; one whose end is seen waits for no operation any more.
    async fn note_seen(&self, stored: &Stored<S::Session>, standing: Standing) -> Result<(), AppError> {
        let seen = |stored: &mut Stored<S::Session>| match standing {
            Standing::OnChain => {
                (stored.about.was_on_chain, stored.about.returned_by) = (true, None);
                stored.about.ended_by = stored.about.ended_by.filter(|_| stored.ending);
            }
            Standing::Absent if stored.ending => (stored.about.was_on_chain, stored.ending) = (true, false),
            _ => {}
        };
        let mut after = stored.clone();
        seen(&mut after);
        if after != *stored {
            self.change(S::id(&stored.session), seen).await?;
        }
        Ok(())
    }

    /// Refuses calls that would go over what the chain has counted. What the chain does not tell now it judges itself.
    pub(super) async fn check_left(&self, session: &S::Session, calls: &[Call]) -> Result<(), AppError> {
        let relay = self.relay.as_ref();
        let asked = self.asked(session).into_iter().map(|(_, counter)| async move {
            let answer = eth_call(relay, counter.call.to, counter.call.data.clone()).await.ok()?;
            Some((S::left(&counter, &answer).ok()?, counter))
        });
        for (left, counter) in join_all(asked).await.into_iter().flatten() {
            let taken = S::taken(session, &counter, calls);
            if taken > left {
                let most = counter.most;
                let reason = format!("this takes {taken}, and of {most} granted only {left} is left");
                return Err(AppError::PolicyViolation { rule: counter.what.to_string(), reason });
            }
        }
        Ok(())
    }

    fn asked(&self, session: &S::Session) -> Vec<(String, use_aa_protocol::session_scheme::Counter)> {
        let id = S::id(session);
        let counters = S::counters(session, self.kind.address()).into_iter();
        counters.map(|counter| (listed_id(id, counter.action.unwrap_or(0)), counter)).collect()
    }

    /// The operation ended, well or not: what waited for it waits no more. Sessions whose grant came to nothing are
    /// forgotten with their keys.
    ///
    /// # Errors
    /// Those of relay and store.
    pub async fn settle(&self, user_op_hash: B256, succeeded: bool) -> Result<(), AppError> {
        let known = self.read().await?;
        for stored in known.stored {
            let id = S::id(&stored.session);
            let (granted_by, ended_by) = (stored.about.granted_by, stored.about.ended_by);
            if stored.about.returned_by == Some(user_op_hash) {
                self.returned(id, user_op_hash, succeeded || known.ids.contains(&id)).await?;
            } else if granted_by == Some(user_op_hash) && !stored.about.was_on_chain {
                let on_chain = known.ids.contains(&id);
                if succeeded || on_chain {
                    let enabled = |stored: &mut Stored<S::Session>| {
                        stored.about.was_on_chain |= stored.about.granted_by == Some(user_op_hash);
                    };
                    self.change(id, enabled).await?;
                } else if S::given_consent(&stored.session).is_some() {
                    // The next use enables it.
                    self.no_first_use(id, &[user_op_hash]).await?;
                } else {
                    self.forget(id).await?;
                }
            } else if ended_by == Some(user_op_hash) && stored.ending && !succeeded {
                self.stays(id, user_op_hash).await?;
            }
        }
        Ok(())
    }

    /// This operation does not end the session. Another one may.
    async fn stays(&self, id: B256, user_op_hash: B256) -> Result<(), AppError> {
        let stays = |stored: &mut Stored<S::Session>| {
            if stored.about.ended_by == Some(user_op_hash) {
                (stored.ending, stored.about.ended_by) = (false, None);
            }
        };
        self.change(id, stays).await.map(drop)
    }

    /// The operation that was to bring the session back is over.
    async fn returned(&self, id: B256, user_op_hash: B256, is_there: bool) -> Result<(), AppError> {
        let returned = |stored: &mut Stored<S::Session>| {
            if stored.about.returned_by == Some(user_op_hash) {
                stored.about.returned_by = None;
                stored.about.ended_by = stored.about.ended_by.filter(|_| !is_there);
            }
        };
        self.change(id, returned).await.map(drop)
    }

    /// The operation was dropped: sessions that it was to end can be ended by another one, and those that it was to bring back
    /// are over as before. Should it be included all the same, the chain tells. Sessions that it was to grant wait on, since
    /// their key must not be lost.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn ends_no_more(&self, user_op_hash: B256) -> Result<(), AppError> {
        let ending = |stored: &Stored<S::Session>| stored.ending && stored.about.ended_by == Some(user_op_hash);
        for stored in self.stored().await?.iter().filter(|stored| ending(stored)) {
            self.stays(S::id(&stored.session), user_op_hash).await?;
        }
        let returning = |stored: &Stored<S::Session>| stored.about.returned_by == Some(user_op_hash);
        for stored in self.stored().await?.iter().filter(|stored| returning(stored)) {
            self.returned(S::id(&stored.session), user_op_hash, false).await?;
        }
        Ok(())
    }

    /// Ids of the sessions that these listed ids stand for, each once.
    ///
    /// # Errors
    /// `SessionNotFound` for an id that is none.
    pub fn ids_of(listed: &[String]) -> Result<Vec<B256>, AppError> {
        let mut ids = Vec::new();
        for text in listed {
            let id = permission_of(text).ok_or_else(|| AppError::SessionNotFound { wanted: text.clone() })?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Ids of all sessions that the chain has, also of those that were granted elsewhere, where it tells them.
    ///
    /// # Errors
    /// Those of relay and store.
    pub async fn ids_on_chain(&self) -> Result<Vec<B256>, AppError> {
        let known = self.read().await?;
        Ok([known.ids, known.unknown].concat())
    }

    /// The same, and those stored here that their first use would enable.
    ///
    /// # Errors
    /// Those of relay and store.
    pub async fn ids_in_force(&self) -> Result<Vec<B256>, AppError> {
        Ok(self.read().await?.ids_in_force())
    }
}
