//! [`SessionScheme`]: what a grant, a use, a revocation and a listing of sessions are on chain, what their policies mean, and
//! what is stored of them. One folder for each scheme: [`session`](crate::session) with the session key manager of Smart
//! Account V2, [`smart_sessions`](crate::smart_sessions) of Nexus.
//!
//! Schemes are types without values, so that whoever names none compiles none.

use std::fmt;

mod reading;

pub use reading::{Candidates, ReadLimit, ReadSession, SessionNote, SessionReading};

use alloy::primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    ProtocolError,
    call::Call,
    describe::Names,
    distributed_key::{DanModuleInfo, TypedData},
    lint::Severity,
    policy::{SessionEpoch, SessionPolicy},
    session::SessionLeaf,
    signature::DUMMY_SESSION,
    simulate::Violation,
    user_operation::UserOperation,
};

/// What is limited over all calls of one action. Each action counts for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionLimits {
    /// Most calls.
    pub uses: Option<u128>,
    /// Most native currency in all, wei.
    pub total_value: Option<U256>,
    /// Most that the words at these offsets, bytes after the selector, may add up to: amounts of a token.
    pub totals: Vec<(u32, U256)>,
}

/// What is limited over all operations of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionLimits {
    /// Most operations.
    pub operations: Option<u128>,
    /// When it works; beside the time of each policy.
    pub interval: SessionEpoch,
    /// Others may pay for its operations: the app sponsors it.
    pub sponsored: bool,
}

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct SessionTerms<'a> {
    /// The account that grants it.
    pub account: Address,
    /// What it may do.
    pub policies: &'a [(SessionPolicy, ActionLimits)],
    /// What holds of all that it does.
    pub limits: SessionLimits,
    /// Its key.
    pub session_key: Address,
    /// Random, for each session anew.
    pub salt: B256,
    /// Unix seconds.
    pub now: u64,
}

/// A session in its owner's store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored<S> {
    /// The session.
    pub session: S,
    /// An operation was sent that ends it.
    #[serde(default)]
    pub ending: bool,
    /// What is known of it beside the chain.
    #[serde(flatten)]
    pub about: AboutSession,
}

/// What is stored of a session for people, and to know what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AboutSession {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it was granted, unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<u64>,
    /// The operation that grants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<B256>,
    /// The operation that ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<B256>,
    /// When the use was sent that enables it, unix seconds; [`Self::granted_by`] is that use then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_use_at: Option<u64>,
    /// The operation that brings it back after it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_by: Option<B256>,
    /// The chain had it. When it has it no more, it was ended.
    #[serde(default)]
    pub was_on_chain: bool,
    /// Nodes share its key; a store has it otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<KeyAtNodes>,
}

/// What is known of a key that nodes share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyAtNodes {
    /// How to ask for signatures.
    pub dan_module_info: DanModuleInfo,
    /// What the owner let one operation cost the account, wei; the nodes keep to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_operation_cost: Option<U256>,
}

impl KeyAtNodes {
    /// Says it in a leaf, as leaves of Smart Account V2 do.
    pub fn write(&self, leaf: &mut SessionLeaf) {
        self.dan_module_info.write(leaf);
        leaf.max_operation_cost = self.max_operation_cost;
    }
}

/// What is counted over many calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    /// Calls, or operations.
    Uses,
    /// Native currency, wei.
    Native,
    /// Amounts of the token at this address, in its smallest unit.
    Token(Address),
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uses => f.write_str("uses"),
            Self::Native => f.write_str("native currency in all"),
            Self::Token(token) => write!(f, "amounts of {token} in all"),
        }
    }
}

/// A limit over many calls, and who knows how much of it was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Place of the action in the session; `None`: it holds of all operations.
    pub action: Option<usize>,
    /// What is counted.
    pub what: Counted,
    /// The limit.
    pub most: U256,
    /// The call that tells.
    pub call: Call,
    /// Place of the rule whose words are counted.
    pub rule: Option<usize>,
}

/// What the chain knows of an account's sessions.
#[derive(Clone, Copy, Debug)]
pub struct OnChain<'a, S> {
    /// The account.
    pub account: Address,
    /// Its modules.
    pub modules: &'a [Address],
    /// Its sessions there, in the order in which they are stored.
    pub sessions: &'a [S],
}

/// What an operation of a session would do.
#[derive(Clone, Copy, Debug)]
pub struct SessionCalls<'a> {
    /// The account.
    pub account: Address,
    /// Its calls.
    pub calls: &'a [Call],
    /// The same as the account's call data.
    pub call_data: &'a [u8],
    /// Somebody else pays.
    pub sponsored: bool,
    /// Unix seconds.
    pub now: u64,
}

/// The sessions that calls of the account change, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedSessions {
    /// Those that it has afterwards.
    pub granted: Vec<B256>,
    /// Those that it has no more.
    pub ended: Vec<B256>,
}

/// What a person should know of a session, or must be kept from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeFinding {
    /// What must not be granted, or what the person decides.
    pub severity: Severity,
    /// In words.
    pub text: String,
}

fn no_consents() -> ProtocolError {
    ProtocolError::refused("enable", "sessions of this scheme are enabled by an operation of the owner's")
}

/// One way to have sessions.
pub trait SessionScheme {
    /// A session, as it is stored.
    type Session: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned;

    /// Names the scheme in stores: never changed.
    const NAME: &'static str;

    /// A session on these terms.
    ///
    /// # Errors
    /// `PolicyRefused` or `Invalid` with the field, also for terms that no session of this scheme can say.
    fn session(terms: &SessionTerms<'_>) -> Result<Self::Session, ProtocolError>;

    /// What the chain knows it by.
    fn id(session: &Self::Session) -> B256;

    /// The session key.
    fn session_key(session: &Self::Session) -> Address;

    /// A call whose answer tells which sessions an account has.
    fn listing_call(account: Address) -> Call;

    /// Those of the stored sessions that the chain has, in their order, by the answer to [`Self::listing_call`]. Stored
    /// are they in the order in which they were granted.
    ///
    /// # Errors
    /// `Invalid` for an answer that cannot be read, or that the stored sessions do not explain where all of them must be
    /// known.
    fn listed(stored: &[Stored<Self::Session>], answer: &[u8]) -> Result<Vec<Self::Session>, ProtocolError>;

    /// Ids of sessions that the chain has and that are not stored here, by the answer to [`Self::listing_call`]; none where
    /// the chain does not tell them apart.
    ///
    /// # Errors
    /// `Invalid` for an answer that cannot be read.
    fn unknown(_stored: &[Stored<Self::Session>], _answer: &[u8]) -> Result<Vec<B256>, ProtocolError> {
        Ok(Vec::new())
    }

    /// How sessions that the chain has are read from it: first the `unknown` ones, by their ids, then the stored ones, of
    /// which is read whether the chain has them as they were granted. Where the chain keeps hashes of functions,
    /// `candidates` are tried. None where the chain tells nothing.
    fn readings(
        _account: Address,
        _unknown: &[B256],
        _stored: &[Self::Session],
        _candidates: &Candidates,
    ) -> Vec<Box<dyn SessionReading>> {
        Vec::new()
    }

    /// Contracts and functions that the account's operations in a bundle, the input of its transaction, grant sessions for.
    fn granted_in(_account: Address, _input: &[u8]) -> Vec<(Address, [u8; 4])> {
        Vec::new()
    }

    /// Which sessions these calls of the account grant and end; none where calls do not tell.
    fn changed_by(_calls: &[Call]) -> ChangedSessions {
        ChangedSessions::default()
    }

    /// The session whose key an operation is signed by; `None` where it is the owner's, or does not tell.
    fn used_in(_operation: &UserOperation) -> Option<B256> {
        None
    }

    /// What the account does to end sessions of which nothing but the id is known.
    fn end_unknown(_ids: &[B256]) -> Vec<Call> {
        Vec::new()
    }

    /// What the account does to have new sessions beside its others.
    ///
    /// # Errors
    /// `Invalid` for none, and for one that is there already.
    fn grant_calls(on_chain: &OnChain<'_, Self::Session>, new: &[Self::Session]) -> Result<Vec<Call>, ProtocolError>;

    /// May a session be granted once more after it was ended, as it was and under the same id?
    ///
    /// # Errors
    /// `PolicyRefused` where sessions are granted anew instead.
    fn can_return(_session: &Self::Session) -> Result<(), ProtocolError> {
        Err(ProtocolError::refused("sessions", "what was ended is granted anew, with another key"))
    }

    /// What the account does to end these sessions and keep its others.
    ///
    /// # Errors
    /// `SessionNotFound` for one that is not there.
    fn revocation_calls(on_chain: &OnChain<'_, Self::Session>, ended: &[B256]) -> Result<Vec<Call>, ProtocolError>;

    /// Key (192 bits) of the nonces of a session's operations, in a lane that a caller chose.
    ///
    /// # Errors
    /// `Invalid` for a lane that the scheme has not.
    fn nonce_key(lane: U256) -> Result<U256, ProtocolError>;

    /// An operation's signature around the session key's `personal_sign` of its hash.
    ///
    /// # Errors
    /// `SessionNotFound` for a session that is not there.
    fn use_signature(
        on_chain: &OnChain<'_, Self::Session>,
        session: &Self::Session,
        session_signature: &[u8],
    ) -> Result<Bytes, ProtocolError>;

    /// [`Self::use_signature`] by nobody, for estimates.
    ///
    /// # Errors
    /// As [`Self::use_signature`].
    fn use_stub(on_chain: &OnChain<'_, Self::Session>, session: &Self::Session) -> Result<Bytes, ProtocolError> {
        Self::use_signature(on_chain, session, &DUMMY_SESSION)
    }

    /// [`Self::use_signature`] of a session of which nothing but the id need be known; `None` where that is not enough.
    fn trial_signature(_id: B256, _session_signature: &[u8]) -> Option<Bytes> {
        None
    }

    /// Does the entry point refuse an operation because the chain has no session with this id? Its reason, or else what it
    /// answered.
    ///
    /// # Errors
    /// The answer, in words.
    fn refuses_ended(_id: B256, revert_data: &[u8]) -> Result<String, String> {
        Err(crate::revert::decode_revert(revert_data))
    }

    /// A call whose answer numbers the owner's next consent to a session; `None` where owners consent by operations only.
    fn consent_number_call(_session: &Self::Session, _account: Address) -> Option<Call> {
        None
    }

    /// Reads that answer.
    ///
    /// # Errors
    /// `Invalid` for an answer that cannot be read.
    fn consent_number(_answer: &[u8]) -> Result<U256, ProtocolError> {
        Err(no_consents())
    }

    /// What the owner signs so that the first use of each of these sessions enables it, with no operation of the owner's; each
    /// with the number that its consent has.
    ///
    /// # Errors
    /// `PolicyRefused` where it takes an operation; `Invalid` for too many sessions.
    fn consent(
        _on_chain: &OnChain<'_, Self::Session>,
        _sessions: &[(Self::Session, U256)],
        _chain_id: u64,
    ) -> Result<TypedData, ProtocolError> {
        Err(no_consents())
    }

    /// The sessions with that consent in them: their uses carry it until the chain has them.
    ///
    /// # Errors
    /// As [`Self::consent`].
    fn with_consent(
        _account: Address,
        _sessions: Vec<(Self::Session, U256)>,
        _chain_id: u64,
        _signature: &Bytes,
    ) -> Result<Vec<Self::Session>, ProtocolError> {
        Err(no_consents())
    }

    /// The number of the consent that a session carries. While it is the account's number, whoever has session and key can
    /// use it.
    fn given_consent(_session: &Self::Session) -> Option<U256> {
        None
    }

    /// Would the session's policies let this through? What they count from one operation to the next begins at nothing
    /// here: what was used before, the chain knows.
    ///
    /// # Errors
    /// The check that fails.
    fn judge(session: &Self::Session, used: &SessionCalls<'_>) -> Result<(), Violation>;

    /// What there is to say about a session before it is granted, the gravest first.
    fn lint(session: &Self::Session, on_chain: &OnChain<'_, Self::Session>, now: u64) -> Vec<SchemeFinding>;

    /// What it allows, line by line, out of the very bytes that are put on chain.
    fn describe(session: &Self::Session, names: &Names<'_>) -> Vec<String>;

    /// The single calls that it lets through, each said as a leaf of Smart Account V2's sessions, for lists and words that
    /// know those. Names, ids and status are the caller's to fill in; what no leaf can say has empty data.
    fn leaves(_session: &Self::Session) -> Vec<SessionLeaf> {
        Vec::new()
    }

    /// May others pay for its operations?
    fn may_be_sponsored(_session: &Self::Session) -> bool {
        true
    }

    /// What the chain counts of it.
    fn counters(_session: &Self::Session, _account: Address) -> Vec<Counter> {
        Vec::new()
    }

    /// What is left of a limit, by the answer to its call.
    ///
    /// # Errors
    /// `Invalid` for an answer that cannot be read.
    fn left(counter: &Counter, _answer: &[u8]) -> Result<U256, ProtocolError> {
        Ok(counter.most)
    }

    /// How much of a limit these calls would take.
    fn taken(_session: &Self::Session, _counter: &Counter, _calls: &[Call]) -> U256 {
        U256::ZERO
    }

    /// What a bundler's refusal says of a session's policies, by its text and, where a server has put it there, the revert
    /// data beside it; `None` where it says nothing of them.
    fn refusal(text: &str, revert_data: Option<&[u8]>) -> Option<Violation>;
}
