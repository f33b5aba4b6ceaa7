//! Smart Sessions: sessions of [Nexus](crate::accounts::nexus) accounts, each independent of the others, with policies that the
//! chain adds up (vectors 17 and 18).
//!
//! - what a session is: [`Session`], ids ([`ids`]), what its policies are set to ([`PolicyConfig`]), and how our
//!   [`Policy`](crate::policy::Policy) becomes one ([`session_of`]);
//! - granting and using: what the owner signs ([`grant`]), signatures of operations ([`OperationSignature`]), calls and
//!   reads of the module ([`calls`], [`reads`]), its events and errors;
//! - what a person must know before: [`lint`], [`SessionDescription`];
//! - what the chain would answer: [`model`].

pub mod addresses;
pub mod calls;
mod condition;
mod consent;
mod counters;
mod describe;
mod ended;
mod errors;
mod events;
mod explain;
pub mod flz;
mod from_policy;
pub mod grant;
pub mod ids;
mod leaf;
mod lint;
pub mod model;
mod obedient;
mod on_chain;
mod policy_data;
pub mod reads;
mod scheme;
mod session;
mod session_key;
mod signature;
mod stored;
mod universal;

pub use crate::session_scheme::{ActionLimits, SessionLimits};
pub use condition::ParamCondition;
pub use describe::{ActionDescription, SessionDescription};
pub use errors::{policy_check_reason, policy_error, revert_words, smart_session_error};
pub use events::{PolicyPlace, SessionModuleEvent, session_module_event};
pub use explain::explain;
pub use from_policy::session_of;
pub use lint::{SessionFinding, SessionFindingKind, SessionLintContext, lint};
pub use obedient::obeys_account;
pub use policy_data::{PolicyConfig, PolicyContract};
pub use scheme::{SmartSessions, window_of_calls};
pub use session::{
    ActionData, Erc7739Context, Erc7739Data, MAX_ACTIONS, MAX_POLICIES, MAX_SESSIONS, PolicyData, Session,
};
pub use session_key::{session_key_of, signed_by_session_key};
pub use signature::{EnableGrant, MAX_CHAINS, OperationSignature, stub_enable, stub_use, use_signature};
pub use stored::{Consent, StoredSession};
pub use universal::{MAX_RULES, ParamRule, UniversalAction};

/// How a session comes to be enabled by an operation's own signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnableMode {
    /// The usual one.
    Enable,
    /// The owner signed that attestations about the modules do not matter. Read, never built.
    UnsafeEnable,
}
