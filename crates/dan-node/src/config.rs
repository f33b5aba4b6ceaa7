//! What a node is told: command line and environment, every value checked before anything starts.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use alloy::primitives::hex;
use zeroize::Zeroizing;

use super::{
    callers::{Caller, Callers},
    identity::{Identity, PublicIdentity},
    mesh::Peer,
    vault::read_secret_file,
};
use costs::costs;
use use_aa_dan::caller_key::CallerKey;
use use_aa_protocol::distributed_key::{CostRules, MAX_NODES};

mod costs;

/// Longest time that may be set for a signature, seconds.
const MAX_SIGNING_TIMEOUT: u8 = 60;

/// Options of `use-aa dan-node`.
#[derive(Clone, Debug, clap::Args)]
pub struct NodeArgs {
    /// This node's id in the list of nodes, from 1
    #[arg(long, env = "USE_AA_DAN_ID", value_name = "NUMBER")]
    pub id: u8,
    /// Address of the HTTP interface for the coordinator; port 0 = a free one, printed
    #[arg(long, env = "USE_AA_DAN_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Address where the other nodes dial this one
    #[arg(long, env = "USE_AA_DAN_MESH_LISTEN", value_name = "HOST:PORT")]
    pub mesh_listen: SocketAddr,
    /// All nodes, this one included: id=host:port#identity (64 hexadecimal digits), comma-separated
    #[arg(long, env = "USE_AA_DAN_PEERS", value_name = "LIST")]
    pub peers: String,
    /// File (mode 0600) with the node's secret key, 64 hexadecimal digits; or the key itself in USE_AA_DAN_KEY
    #[arg(long, env = "USE_AA_DAN_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The node's secret key (environment only)
    #[arg(long = "dan-key", env = "USE_AA_DAN_KEY", value_name = "HEX", hide = true, hide_env_values = true)]
    pub key: Option<SecretText>,
    /// Folder of the encrypted shares and grants
    #[arg(long, env = "USE_AA_DAN_VAULT_DIR", value_name = "FOLDER")]
    pub vault_dir: PathBuf,
    /// File (mode 0600) with the key of the vault, 64 hexadecimal digits; or the key itself in USE_AA_DAN_VAULT_KEY
    #[arg(long, env = "USE_AA_DAN_VAULT_KEY_FILE", value_name = "FILE")]
    pub vault_key_file: Option<PathBuf>,
    /// The key of the vault (environment only)
    #[arg(
        long = "dan-vault-key",
        env = "USE_AA_DAN_VAULT_KEY",
        value_name = "HEX",
        hide = true,
        hide_env_values = true
    )]
    pub vault_key: Option<SecretText>,
    /// File (mode 0600) with the key by which this node knows the app server; or the key itself in
    /// USE_AA_DAN_SERVER_KEY. The app server has the same
    #[arg(long, env = "USE_AA_DAN_SERVER_KEY_FILE", value_name = "FILE")]
    pub server_key_file: Option<PathBuf>,
    /// The app server's key (environment only)
    #[arg(
        long = "dan-server-key",
        env = "USE_AA_DAN_SERVER_KEY",
        value_name = "KEY",
        hide = true,
        hide_env_values = true
    )]
    pub server_key: Option<SecretText>,
    /// File (mode 0600) with the key by which this node knows its operator; or the key itself in
    /// USE_AA_DAN_OPERATOR_KEY. dan-refresh, dan-repair, dan-bans and dan-unban use the same
    #[arg(long, env = "USE_AA_DAN_OPERATOR_KEY_FILE", value_name = "FILE")]
    pub operator_key_file: Option<PathBuf>,
    /// The operator's key (environment only)
    #[arg(
        long = "dan-operator-key",
        env = "USE_AA_DAN_OPERATOR_KEY",
        value_name = "KEY",
        hide = true,
        hide_env_values = true
    )]
    pub operator_key: Option<SecretText>,
    /// Nodes that must sign, t, of the keys made here
    #[arg(long, env = "USE_AA_DAN_THRESHOLD", value_name = "NUMBER", default_value_t = 3)]
    pub threshold: u8,
    /// Signatures that one key gives in a minute
    #[arg(long, env = "USE_AA_DAN_SIGNATURES_PER_MINUTE", value_name = "NUMBER", default_value_t = 120)]
    pub signatures_per_minute: u32,
    /// Keys that may wait for a grant
    #[arg(long, env = "USE_AA_DAN_MAX_POOL", value_name = "NUMBER", default_value_t = 64)]
    pub max_pool: u32,
    /// Keys that may be bound to a grant, of all accounts, those that were revoked included: each is kept until a day after
    /// its grant has ended; alike at all nodes
    #[arg(long, env = "USE_AA_DAN_MAX_KEYS", value_name = "NUMBER", default_value_t = 10_000)]
    pub max_keys: u32,
    /// The same of one account
    #[arg(long, env = "USE_AA_DAN_MAX_KEYS_PER_ACCOUNT", value_name = "NUMBER", default_value_t = 256)]
    pub max_keys_per_account: u32,
    /// Seconds that a signature may take, 1 to 60 (app servers wait 15); a node that hangs costs this much, once
    #[arg(long, env = "USE_AA_DAN_SIGNING_TIMEOUT", value_name = "SECONDS", default_value_t = 5)]
    pub signing_timeout: u8,
    /// Paymasters that never charge an account, besides Biconomy's verifying paymaster: addresses, comma-separated.
    /// What they pay for is not held to the limit that a grant sets on an operation's cost
    #[arg(long, env = "USE_AA_DAN_SPONSORS", value_name = "ADDRESSES", default_value = "", hide_default_value = true)]
    pub sponsors: String,
    /// What one operation may cost the account where the grant is of before and names no limit: wei, or a number with a
    /// unit; alike at all nodes
    #[arg(long, env = "USE_AA_DAN_OPERATION_COST", value_name = "AMOUNT", default_value = "0.05 ether")]
    pub operation_cost: String,
    /// End when standard input does: with the program that started it, however that ends
    #[arg(long)]
    pub end_with_stdin: bool,
}

/// A secret of the command line: not printed, wiped.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl FromStr for SecretText {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A checked configuration.
#[derive(Clone)]
pub struct NodeConfig {
    /// This node's id, from 1.
    pub id: u8,
    /// Where the coordinator asks.
    pub listen: SocketAddr,
    /// Where the other nodes dial.
    pub mesh_listen: SocketAddr,
    /// The other nodes.
    pub peers: Vec<Peer>,
    /// Who this node is.
    pub identity: Identity,
    /// Folder of the vault.
    pub vault_dir: PathBuf,
    /// Key of the vault.
    pub vault_key: Zeroizing<[u8; 32]>,
    /// Who may ask over HTTP.
    pub callers: Callers,
    /// Nodes that must sign with keys made here.
    pub threshold: u8,
    /// Signatures that one key gives in a minute.
    pub signatures_per_minute: u32,
    /// Keys that may wait for a grant.
    pub max_pool: u32,
    /// Keys that may be bound to a grant.
    pub max_keys: u32,
    /// The same of one account.
    pub max_keys_per_account: u32,
    /// Longest time for a signature; some ten milliseconds are usual.
    pub signing_timeout: Duration,
    /// What operations may cost accounts.
    pub costs: CostRules,
}

/// A value that cannot be used; never shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: expected {expected}, got {got}")]
pub struct NodeConfigError {
    variable: &'static str,
    expected: &'static str,
    got: String,
}

fn wrong(variable: &'static str, expected: &'static str, got: impl fmt::Display) -> NodeConfigError {
    NodeConfigError { variable, expected, got: got.to_string() }
}

impl NodeConfig {
    /// Checks every value.
    pub fn from_args(args: &NodeArgs) -> Result<Self, NodeConfigError> {
        let mut peers = peers(&args.peers)?;
        let count = u8::try_from(peers.len()).unwrap_or(u8::MAX);
        let identity = secret("USE_AA_DAN_KEY", args.key.as_ref(), args.key_file.as_ref())?;
        let identity = Identity::from_seed(&identity);
        let Some(position) = peers.iter().position(|peer| peer.id == args.id) else {
            return Err(wrong("USE_AA_DAN_ID", "the id of a node in USE_AA_DAN_PEERS", args.id));
        };
        let own = peers.remove(position);
        if own.identity != identity.public() {
            let got = format!("{} for this node, whose key gives {}", own.identity, identity.public());
            return Err(wrong("USE_AA_DAN_PEERS", "this node's own identity", got));
        }
        if !(2..=count).contains(&args.threshold) {
            return Err(wrong("USE_AA_DAN_THRESHOLD", "2 to the number of nodes", args.threshold));
        }
        if args.signatures_per_minute == 0 {
            return Err(wrong("USE_AA_DAN_SIGNATURES_PER_MINUTE", "1 or more", 0));
        }
        for (variable, number) in
            [("USE_AA_DAN_MAX_KEYS", args.max_keys), ("USE_AA_DAN_MAX_KEYS_PER_ACCOUNT", args.max_keys_per_account)]
        {
            if number == 0 {
                return Err(wrong(variable, "1 or more", 0));
            }
        }
        if !(1..=MAX_SIGNING_TIMEOUT).contains(&args.signing_timeout) {
            return Err(wrong("USE_AA_DAN_SIGNING_TIMEOUT", "1 to 60 seconds", args.signing_timeout));
        }
        Ok(Self {
            id: args.id,
            listen: args.listen,
            mesh_listen: args.mesh_listen,
            peers,
            identity,
            vault_dir: args.vault_dir.clone(),
            vault_key: secret("USE_AA_DAN_VAULT_KEY", args.vault_key.as_ref(), args.vault_key_file.as_ref())?,
            callers: callers(args)?,
            threshold: args.threshold,
            signatures_per_minute: args.signatures_per_minute,
            max_pool: args.max_pool,
            max_keys: args.max_keys,
            max_keys_per_account: args.max_keys_per_account,
            signing_timeout: Duration::from_secs(args.signing_timeout.into()),
            costs: costs(args)?,
        })
    }

    /// How many nodes there are, n.
    pub fn nodes(&self) -> u8 {
        u8::try_from(self.peers.len()).unwrap_or(u8::MAX).saturating_add(1)
    }
}

fn secret(
    variable: &'static str,
    text: Option<&SecretText>,
    file: Option<&PathBuf>,
) -> Result<Zeroizing<[u8; 32]>, NodeConfigError> {
    let expected = "64 hexadecimal digits, in the environment or in a file that only its owner may read";
    let text = secret_text(variable, expected, text, file)?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut bytes[..])
        .map_err(|_| wrong(variable, expected, "something else (not shown)"))?;
    Ok(bytes)
}

fn secret_text(
    variable: &'static str,
    expected: &'static str,
    text: Option<&SecretText>,
    file: Option<&PathBuf>,
) -> Result<Zeroizing<String>, NodeConfigError> {
    // An empty value counts as unset: environment files often keep the names with nothing behind.
    match (text.filter(|text| !text.0.trim().is_empty()), file) {
        (Some(text), None) => Ok(text.0.clone()),
        (None, Some(path)) => read_secret_file(path).map_err(|reason| wrong(variable, expected, reason)),
        (Some(_), Some(_)) => Err(wrong(variable, expected, "both")),
        (None, None) => Err(wrong(variable, expected, "neither")),
    }
}

/// The keys of app server and operator. Without them a node would have to serve everybody or nobody: it does not start.
fn callers(args: &NodeArgs) -> Result<Callers, NodeConfigError> {
    let key = |caller: Caller, text: &Option<SecretText>, file: &Option<PathBuf>| {
        let (variable, expected) = (caller.variable(), CallerKey::EXPECTED);
        let text = secret_text(variable, expected, text.as_ref(), file.as_ref())?;
        CallerKey::parse(&text).ok_or_else(|| wrong(variable, expected, "something else (not shown)"))
    };
    let server = key(Caller::Server, &args.server_key, &args.server_key_file)?;
    let operator = key(Caller::Operator, &args.operator_key, &args.operator_key_file)?;
    if server == operator {
        let expected = "another key than that of the app server";
        return Err(wrong(Caller::Operator.variable(), expected, "the same (not shown)"));
    }
    Ok(Callers { server, operator })
}

fn peers(text: &str) -> Result<Vec<Peer>, NodeConfigError> {
    let refused = |got: &str| {
        let expected = "id=host:port#identity of each of 2 to 16 nodes, ids from 1 without gaps, comma-separated";
        wrong("USE_AA_DAN_PEERS", expected, got)
    };
    let mut peers = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let peer = part.split_once('=').and_then(|(id, rest)| {
            let (address, identity) = rest.split_once('#')?;
            let (host, port) = address.rsplit_once(':')?;
            let valid = !host.is_empty() && port.parse::<u16>().is_ok();
            let identity: PublicIdentity = identity.parse().ok()?;
            valid.then_some(Peer { id: id.parse().ok()?, address: address.to_owned(), identity })
        });
        peers.push(peer.ok_or_else(|| refused(part))?);
    }
    peers.sort_by_key(|peer| peer.id);
    let without_gaps = peers.iter().zip(1..).all(|(peer, id)| peer.id == id);
    let different = peers
        .iter()
        .enumerate()
        .all(|(index, peer)| peers.iter().skip(index + 1).all(|other| other.identity != peer.identity));
    if (2..=usize::from(MAX_NODES)).contains(&peers.len()) && without_gaps && different {
        Ok(peers)
    } else {
        Err(refused(text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{Address, U256};
    use use_aa_protocol::addresses::TOKEN_PAYMASTER;

    use super::*;

    fn entry(id: u8) -> String {
        format!("{id}=127.0.0.1:{}#{}", 7000 + u16::from(id), Identity::from_seed(&[id; 32]).public())
    }

    fn args() -> NodeArgs {
        NodeArgs {
            id: 2,
            listen: ([127, 0, 0, 1], 0).into(),
            mesh_listen: ([127, 0, 0, 1], 7002).into(),
            peers: [entry(3), entry(1), entry(2)].join(", "),
            key_file: None,
            key: "02".repeat(32).parse().ok(),
            vault_dir: "vault".into(),
            vault_key_file: None,
            vault_key: "0x".to_owned().parse().ok(),
            server_key_file: None,
            server_key: "0123456789".repeat(4).parse().ok(),
            operator_key_file: None,
            operator_key: "abcdefghij".repeat(4).parse().ok(),
            threshold: 2,
            signatures_per_minute: 1,
            max_pool: 1,
            max_keys: 1,
            max_keys_per_account: 1,
            signing_timeout: 5,
            sponsors: String::new(),
            operation_cost: String::new(),
            end_with_stdin: false,
        }
    }

    fn complaint(change: impl FnOnce(&mut NodeArgs)) -> String {
        let mut args = NodeArgs { vault_key: "aa".repeat(32).parse().ok(), ..args() };
        change(&mut args);
        NodeConfig::from_args(&args).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_whole_configuration_is_taken() {
        let args = NodeArgs { vault_key: "aa".repeat(32).parse().ok(), ..args() };
        let config = NodeConfig::from_args(&args).unwrap();
        assert_eq!((config.nodes(), config.peers.len(), *config.vault_key), (3, 2, [0xaa; 32]));
        assert_eq!(config.peers.iter().map(|peer| peer.id).collect::<Vec<_>>(), [1, 3]);
        let shown = format!("{args:?}");
        assert!(!shown.contains("aaaa") && !shown.contains("0202") && !shown.contains("0123"), "{shown}");
        assert!(config.callers.server.matches(&"0123456789".repeat(4)));
        // Empty is unset.
        assert_eq!(config.costs, CostRules::default());
        let (one, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let set = NodeArgs { sponsors: format!(" {one}, {other:?},"), operation_cost: "1.5 ether".into(), ..args };
        let costs = NodeConfig::from_args(&set).unwrap().costs;
        let unnamed_limit = U256::from(1_500_000_000_000_000_000_u64);
        assert_eq!(costs, CostRules { sponsors: vec![one, other], unnamed_limit });
    }

    #[test]
    fn a_wrong_value_names_its_variable_and_shows_no_secret() {
        for (name, message) in [
            ("USE_AA_DAN_ID", complaint(|args| args.id = 4)),
            ("USE_AA_DAN_PEERS", complaint(|args| args.id = 1)),
            ("USE_AA_DAN_PEERS", complaint(|args| args.peers = [entry(1), entry(2), entry(4)].join(","))),
            ("USE_AA_DAN_PEERS", complaint(|args| args.peers = format!("{},3=h:1#{}", args.peers, "00".repeat(32)))),
            ("USE_AA_DAN_PEERS", complaint(|args| args.peers = entry(2))),
            ("USE_AA_DAN_THRESHOLD", complaint(|args| args.threshold = 1)),
            ("USE_AA_DAN_THRESHOLD", complaint(|args| args.threshold = 4)),
            ("USE_AA_DAN_SIGNATURES_PER_MINUTE", complaint(|args| args.signatures_per_minute = 0)),
            ("USE_AA_DAN_MAX_KEYS", complaint(|args| args.max_keys = 0)),
            ("USE_AA_DAN_MAX_KEYS_PER_ACCOUNT", complaint(|args| args.max_keys_per_account = 0)),
            ("USE_AA_DAN_SIGNING_TIMEOUT", complaint(|args| args.signing_timeout = 0)),
            ("USE_AA_DAN_SIGNING_TIMEOUT", complaint(|args| args.signing_timeout = 61)),
            ("USE_AA_DAN_SPONSORS", complaint(|args| args.sponsors = "0x01".into())),
            ("USE_AA_DAN_SPONSORS", complaint(|args| args.sponsors = Address::ZERO.to_string())),
            // It takes tokens from the account.
            ("USE_AA_DAN_SPONSORS", complaint(|args| args.sponsors = TOKEN_PAYMASTER.to_string())),
            ("USE_AA_DAN_OPERATION_COST", complaint(|args| args.operation_cost = "0.05".into())),
            ("USE_AA_DAN_OPERATION_COST", complaint(|args| args.operation_cost = "-1".into())),
            ("USE_AA_DAN_KEY", complaint(|args| args.key = None)),
            ("USE_AA_DAN_KEY", complaint(|args| args.key_file = Some("x".into()))),
            ("USE_AA_DAN_VAULT_KEY", complaint(|args| args.vault_key = "bbbb".parse().ok())),
            // Nobody is served without a key, and a key that could be guessed is none.
            ("USE_AA_DAN_SERVER_KEY", complaint(|args| args.server_key = None)),
            ("USE_AA_DAN_SERVER_KEY", complaint(|args| args.server_key = " ".parse().ok())),
            ("USE_AA_DAN_SERVER_KEY", complaint(|args| args.server_key = "bbbb".repeat(16).parse().ok())),
            ("USE_AA_DAN_OPERATOR_KEY", complaint(|args| args.operator_key = None)),
            ("USE_AA_DAN_OPERATOR_KEY", complaint(|args| args.operator_key = "bbbb".parse().ok())),
            ("USE_AA_DAN_OPERATOR_KEY", complaint(|args| args.operator_key_file = Some("x".into()))),
            ("USE_AA_DAN_OPERATOR_KEY", complaint(|args| args.operator_key = args.server_key.clone())),
        ] {
            assert!(message.starts_with(name) && message.contains("expected"), "{name}: {message}");
            assert!(!message.contains("bbbb") && !message.contains("0123"), "{message}");
        }
    }
}
