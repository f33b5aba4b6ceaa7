//! [`AppError`]: one enum for every failure, the same on both sides of the wire.
//!
//! Callers match variants, never text. Each variant keeps what a person needs to act:
//! the field and what was expected, or the upstream's own code, message and data.

mod wire;

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};

use use_aa_protocol::{ProtocolError, kind::AccountKind, session::ImpossibleChange, simulate::Violation};

/// Which service behind the server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upstream {
    /// The chain node (`USE_AA_RPC_URL`).
    Node,
    /// The ERC-4337 bundler (`USE_AA_BUNDLER_URL`).
    Bundler,
    /// The paymaster (`USE_AA_PAYMASTER_URL`, or the built-in one).
    Paymaster,
    /// The database (`USE_AA_DATABASE_URL`, or the file in the data folder).
    Database,
    /// The nodes that share distributed keys (`USE_AA_DAN_NODES`).
    Nodes,
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Node => "chain node",
            Self::Bundler => "bundler",
            Self::Paymaster => "paymaster",
            Self::Database => "database",
            Self::Nodes => "network of key nodes",
        })
    }
}

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "error", rename_all_fields = "camelCase")]
pub enum AppError {
    /// Something given from outside is malformed or out of range.
    #[error("{field}: expected {expected}, got {got}")]
    InvalidInput {
        /// Name of the field or parameter.
        field: String,
        /// What would have been accepted.
        expected: String,
        /// What was given, shortened.
        got: String,
    },
    /// What was asked for is not there on accounts of this kind. Nothing was sent.
    #[error("{what}: not on accounts of kind {kind}; those of kind {other} can")]
    AccountKindCannot {
        /// What was asked for.
        what: String,
        /// The kind of the account.
        kind: AccountKind,
        /// A kind that can.
        other: AccountKind,
    },
    /// A hook needs a connected smart account and there is none.
    #[error("no smart account: connect a wallet first")]
    NoSmartAccount,
    /// No wallet answers (none installed, or not connected).
    #[error("no wallet: {reason}")]
    NoWallet {
        /// Why.
        reason: String,
    },
    /// The person refused in the wallet (EIP-1193 code 4001).
    #[error("you refused the request in the wallet")]
    WalletRejected,
    /// The wallet is on another chain than the server (EIP-1193 4902 when it does not know ours).
    #[error("the wallet is on chain {actual}, this app works on chain {expected}")]
    WrongChain {
        /// Chain id of the server.
        expected: u64,
        /// Chain id of the wallet.
        actual: u64,
    },
    /// Any other error of the wallet, with its EIP-1193 code.
    #[error("{}", wallet_words(*code, message))]
    Wallet {
        /// EIP-1193 or JSON-RPC code; [`NO_WALLET_CODE`] when it named none.
        code: i64,
        /// The wallet's text; ours where it gave no reason.
        message: String,
    },
    /// No wallet was found, and the page's content policy stopped a script that a wallet may have added to the page.
    #[error("a script that may be a wallet's was stopped by this page's content policy: {script}")]
    WalletScriptStopped {
        /// What was stopped, as the browser names it: `inline`, or an extension's address.
        script: String,
    },
    /// The owner is a contract, or signs as one: it has no key that an account could be signed for with. Nothing was sent.
    #[error(
        "the owner {owner} is no key but a smart-contract wallet ({evidence}); expected an owner that signs by a key: ECDSA, 65 bytes r‖s‖v"
    )]
    OwnerIsContract {
        /// The owner.
        owner: Address,
        /// How that is known.
        evidence: String,
    },
    /// What the wallet answered is no signature of the owner. Nothing was sent.
    #[error("expected 65 bytes r‖s‖v signed by {owner}, the wallet answered {got}")]
    NotTheOwnersSignature {
        /// Who was to sign.
        owner: Address,
        /// What came instead.
        got: String,
    },
    /// An upstream answered with a JSON-RPC error.
    #[error("{upstream} error {code}: {message}")]
    UpstreamRejected {
        /// Who.
        upstream: Upstream,
        /// JSON-RPC code, kept as it came.
        code: i64,
        /// The upstream's text.
        message: String,
        /// `error.data` as JSON text, when there was any.
        data: Option<String>,
    },
    /// An upstream does not answer at all.
    #[error("the {upstream} does not answer: {reason}")]
    UpstreamUnavailable {
        /// Who.
        upstream: Upstream,
        /// Connection refused, time-out, HTTP status; never a URL (it may carry a key).
        reason: String,
    },
    /// An upstream answered with something that is not what the protocol says.
    #[error("the {upstream} sent an unusable answer: {reason}")]
    UpstreamMalformed {
        /// Who.
        upstream: Upstream,
        /// What was wrong with it.
        reason: String,
    },
    /// The paymaster's policy does not pay for this operation.
    #[error("the sponsor does not pay for this: {reason}")]
    SponsorshipRefused {
        /// Which rule.
        reason: String,
    },
    /// Gas cannot be paid in the token: none is offered, or the account cannot pay in it. Nothing was sent.
    #[error("gas cannot be paid in this token: {reason}")]
    GasTokenRefused {
        /// Why.
        reason: String,
    },
    /// The fee quote is no longer held by the paymaster; ask for a new one. Nothing was sent.
    #[error("the fee quote expired at {valid_until} (unix seconds)")]
    FeeQuoteExpired {
        /// End of the quote, unix seconds.
        valid_until: u64,
    },
    /// The relay does not pass this JSON-RPC method on.
    #[error("the relay does not pass on {method}")]
    MethodNotAllowed {
        /// The method that was asked for.
        method: String,
    },
    /// Our server could not be reached or its answer was cut.
    #[error("the server cannot be reached: {reason}")]
    Network {
        /// What the browser said.
        reason: String,
    },
    /// No stored session matches.
    #[error("session not found: {wanted}")]
    SessionNotFound {
        /// What was looked for.
        wanted: String,
    },
    /// The session was granted but its operation is not confirmed yet.
    #[error("session {session_id} is not confirmed yet")]
    SessionPending {
        /// Id of the session.
        session_id: String,
    },
    /// The session's time window is over.
    #[error("session {session_id} expired at {valid_until} (unix seconds)")]
    SessionExpired {
        /// Id of the session.
        session_id: String,
        /// End of the window, unix seconds.
        valid_until: u64,
    },
    /// The session's time window has not begun.
    #[error("session {session_id} starts at {valid_after} (unix seconds)")]
    SessionNotYetValid {
        /// Id of the session.
        session_id: String,
        /// Begin of the window, unix seconds.
        valid_after: u64,
    },
    /// The session was taken back.
    #[error("session {session_id} was revoked")]
    SessionRevoked {
        /// Id of the session.
        session_id: String,
    },
    /// The root stored here is not the root on chain: another device or app changed the sessions.
    #[error("the sessions stored here (root {local}) are not those on chain (root {chain})")]
    SessionsOutOfSync {
        /// Root over the leaves stored here.
        local: B256,
        /// Root that the session key manager holds.
        chain: B256,
    },
    /// The signature would keep sessions that were not granted in this browser and that the owner has not read, or must
    /// not keep. Nothing was signed; a new review shows them.
    #[error("the signature would keep sessions that were not granted here ({}): {reason}", session_ids.join(", "))]
    SessionsNotReviewed {
        /// Ids of the sessions.
        session_ids: Vec<String>,
        /// What is against them.
        reason: String,
    },
    /// Two chain nodes name different roots of the account's sessions, so at least one of them lies or is far behind.
    #[error("two chain nodes disagree about the sessions of the account: root {first} and root {second}")]
    NodesDisagree {
        /// What the node says that is asked first.
        first: B256,
        /// What another one says.
        second: B256,
    },
    /// The call breaks the policy of the session; nothing was sent.
    #[error("the session does not allow this: {rule}: {reason}")]
    PolicyViolation {
        /// Name of the check that fails (`destination`, `selector`, `value limit`, `rule 0`, …).
        rule: String,
        /// What was allowed and what was asked for.
        reason: String,
    },
    /// The policy itself cannot be granted.
    #[error("this policy cannot be granted: {reason}")]
    PolicyRefused {
        /// Why.
        reason: String,
    },
    /// The account has no code yet, so a session cannot act for it.
    #[error("the smart account {account} is not deployed yet")]
    AccountNotDeployed {
        /// The account.
        account: Address,
    },
    /// The account has code already, so it cannot be deployed again.
    #[error("the smart account {account} is deployed already")]
    AccountAlreadyDeployed {
        /// The account.
        account: Address,
    },
    /// The account has no native balance, and nobody else pays. Nothing was sent.
    #[error("the smart account {account} has no funds to pay the gas, and nobody sponsors it")]
    AccountHasNoFunds {
        /// The account.
        account: Address,
    },
    /// A module that the operation needs is not enabled on the account. Nothing was sent.
    #[error("the module {module} is not enabled on the smart account {account}")]
    ModuleNotEnabled {
        /// The account.
        account: Address,
        /// The module.
        module: Address,
    },
    /// The sessions of one batch have different keys; one key signs for all. Nothing was sent.
    #[error("the sessions of a batch must share one key: {first} and {other} are different")]
    SessionKeysDiffer {
        /// Address of the first session's key.
        first: Address,
        /// Address of another one's.
        other: Address,
    },
    /// Sessions that take several operations to be taken back were taken back in part, then an operation failed.
    #[error("{ended} sessions are taken back, {left} are not: {reason}")]
    RevokedInPart {
        /// Sessions that are ended on chain.
        ended: u64,
        /// Sessions that are not, or of which that is not known.
        left: u64,
        /// Why it did not go on.
        reason: String,
    },
    /// The operation was included, but its call reverted.
    #[error("the operation reverted on chain: {reason}")]
    UserOpReverted {
        /// Hash of the user operation.
        user_op_hash: B256,
        /// Decoded revert reason, or `no reason given`.
        reason: String,
    },
    /// The bundler gave the operation up.
    #[error("the bundler dropped the operation: {reason}")]
    UserOpDropped {
        /// Hash of the user operation.
        user_op_hash: B256,
        /// The bundler's text.
        reason: String,
    },
    /// Waiting took longer than allowed; the operation may still be included.
    #[error("no receipt after {seconds} s for {user_op_hash}; it may still be included")]
    WaitTimedOut {
        /// Hash of the user operation.
        user_op_hash: B256,
        /// How long was waited, seconds.
        seconds: u64,
    },
    /// Neither the chain's latest blocks nor the bundler have it, and both answered.
    #[error("no user operation with the hash {user_op_hash} is known{}", of_so_few(*blocks))]
    UserOpNotFound {
        /// The hash that was looked for.
        user_op_hash: B256,
        /// How many blocks were read, where the chain's node gives few.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blocks: Option<u64>,
    },
    /// The chain's latest blocks do not have it, and the bundler has no method that says whether it does.
    #[error("the bundler cannot say what became of {user_op_hash}, and the latest {blocks} blocks do not have it")]
    UserOpUntold {
        /// The hash that was looked for.
        user_op_hash: B256,
        /// How many blocks were read.
        blocks: u64,
    },
    /// No room is left where sessions are kept. Nothing was written, and what was there is there.
    #[error("{place} is full; nothing was changed")]
    StorageFull {
        /// The browser's storage, or a folder.
        place: String,
    },
    /// Browser storage refused (blocked, or unreadable content, which is kept).
    #[error("browser storage: {reason}")]
    Storage {
        /// Why.
        reason: String,
    },
    /// This server works with no network of nodes for distributed keys.
    #[error("this server offers no distributed keys")]
    NoDistributedKeys,
    /// Too few of the nodes that share distributed keys answer.
    #[error("{live} of the {needed} nodes that must take part answer")]
    TooFewNodes {
        /// How many answer.
        live: u8,
        /// How many must take part.
        needed: u8,
    },
    /// A node that shares distributed keys refuses. A refusal for the policy is a [`Self::PolicyViolation`].
    #[error("node {node} refuses: {reason}")]
    NodeRefused {
        /// Id of the node, from 1.
        node: u8,
        /// Which kind of reason; stable.
        code: String,
        /// For people.
        reason: String,
    },
    /// A key cannot be made, encrypted, decrypted or used.
    #[error("session key: {reason}")]
    Key {
        /// Why; never key material.
        reason: String,
    },
    /// A body or list is larger than allowed.
    #[error("{what} is too large: at most {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// Limit with unit.
        limit: String,
    },
    /// More requests than are allowed; after a while they are answered again.
    #[error("too many requests from one {scope}; again in {seconds} s")]
    RateLimited {
        /// What is counted: `address` or `key`.
        scope: String,
        /// How long to wait, seconds.
        seconds: u64,
    },
    /// The server has as many such questions as it asks at a time.
    #[error("the server has too many such questions to ask now; again in {seconds} s")]
    Busy {
        /// How long to wait, seconds.
        seconds: u64,
    },
    /// A fault of ours.
    #[error("internal error: {reason}")]
    Internal {
        /// What happened; no secrets.
        reason: String,
    },
}

/// The code of a wallet that named none.
pub const NO_WALLET_CODE: i64 = 0;

fn of_so_few(blocks: Option<u64>) -> String {
    blocks.map_or_else(String::new, |blocks| format!(" (of the chain the latest {blocks} blocks were read)"))
}

fn wallet_words(code: i64, message: &str) -> String {
    if code == NO_WALLET_CODE { message.to_owned() } else { format!("wallet error {code}: {message}") }
}

impl AppError {
    /// A malformed input: field, what was expected, what came (shortened to 80 characters).
    pub fn invalid(field: impl Into<String>, expected: impl Into<String>, got: impl std::fmt::Display) -> Self {
        let got = got.to_string();
        let got = match got.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &got[..end]),
            None => got,
        };
        Self::InvalidInput { field: field.into(), expected: expected.into(), got }
    }

    /// `what` is not there on accounts of this kind, and is on those of the other.
    pub fn kind_cannot(kind: AccountKind, what: impl Into<String>) -> Self {
        let other = match kind {
            AccountKind::BiconomyV2 => AccountKind::Nexus,
            AccountKind::Nexus => AccountKind::BiconomyV2,
        };
        Self::AccountKindCannot { what: what.into(), kind, other }
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(value: ServerFnErrorErr) -> Self {
        match value {
            ServerFnErrorErr::Request(reason) | ServerFnErrorErr::Response(reason) => Self::Network { reason },
            ServerFnErrorErr::Args(reason) | ServerFnErrorErr::MissingArg(reason) => {
                Self::invalid("request", "the arguments of this function", reason)
            }
            ServerFnErrorErr::Deserialization(reason) => {
                Self::Network { reason: format!("unreadable answer: {reason}") }
            }
            // The words of the library are not for those who called.
            ServerFnErrorErr::Serialization(_) => Self::Internal { reason: "a value cannot be written as JSON".into() },
            _ => Self::Internal { reason: "the call failed in the server".into() },
        }
    }
}

impl From<ProtocolError> for AppError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Invalid { field, expected, got } => Self::InvalidInput { field, expected, got },
            ProtocolError::PolicyRefused { field, reason } => {
                Self::PolicyRefused { reason: format!("{field}: {reason}") }
            }
            ProtocolError::SessionNotFound { wanted } => Self::SessionNotFound { wanted },
        }
    }
}

impl From<ImpossibleChange> for AppError {
    fn from(error: ImpossibleChange) -> Self {
        Self::Internal { reason: error.to_string() }
    }
}

impl From<Violation> for AppError {
    fn from(Violation { rule, reason, .. }: Violation) -> Self {
        Self::PolicyViolation { rule, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_errors_keep_the_field_and_what_was_expected() {
        let error = AppError::from(ProtocolError::invalid("valueLimit", "wei below 2^128", "-1"));
        assert_eq!(error, AppError::invalid("valueLimit", "wei below 2^128", "-1"));
        let refused = AppError::from(ProtocolError::refused("contractAddress", "the account itself"));
        assert_eq!(refused.to_string(), "this policy cannot be granted: contractAddress: the account itself");
        let missing = AppError::from(ProtocolError::SessionNotFound { wanted: "abc".into() });
        assert_eq!(missing.name(), "SessionNotFound");
    }

    #[test]
    fn violations_keep_rule_and_values() {
        let violation = Violation { rule: "rule 0".into(), reason: "must be 1".into(), revert_text: String::new() };
        assert_eq!(AppError::from(violation).to_string(), "the session does not allow this: rule 0: must be 1");
    }
}
