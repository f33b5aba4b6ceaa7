//! Sessions that are read from the chain, step by step: whoever reads asks the calls and hands the answers back.

use alloy::primitives::{Address, Bytes, U256};

use super::Counted;
use crate::{ProtocolError, call::Call, session::SessionLeaf};

/// What the hashes of functions on chain may stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Contracts, of which all known functions are tried.
    pub contracts: Vec<Address>,
    /// Contracts and functions.
    pub functions: Vec<(Address, [u8; 4])>,
}

/// A session that is being read.
pub trait SessionReading {
    /// The calls whose answers are wanted next; none: it is read.
    fn calls(&self) -> Vec<Call>;

    /// Takes the answers, in the order of the calls; `None` where the contract refused to answer.
    ///
    /// # Errors
    /// `Invalid` with the getter whose answer cannot be read.
    fn answered(&mut self, answers: &[Option<Bytes>]) -> Result<(), ProtocolError>;

    /// What was read.
    fn told(&self) -> ReadSession;
}

/// A session, as far as the chain tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadSession {
    /// What it may do, call by call, at least one; data is empty where no leaf can say it. Of a stored session none: it is
    /// known, and only compared.
    pub leaves: Vec<SessionLeaf>,
    /// What is left of its limits.
    pub left: Vec<ReadLimit>,
    /// How many of its functions are hashes that nothing explains.
    pub unexplained: usize,
    /// What leaves cannot say.
    pub notes: Vec<SessionNote>,
}

/// A limit, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Place of the leaf.
    pub place: usize,
    /// What is counted.
    pub what: Counted,
    /// The limit.
    pub most: U256,
    /// What is left.
    pub left: U256,
}

/// What a person must know of a session beside its leaf, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionNote {
    /// Place of the leaf; `None`: of all of them.
    pub place: Option<usize>,
    /// The words.
    pub text: String,
    /// What the session may do there cannot be read, or is more than a leaf says: this is said in its place.
    pub is_unreadable: bool,
}
