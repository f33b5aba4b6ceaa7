//! Typed configuration: the command line and the environment, every value checked before anything starts.
//!
//! The table of variables is the project's interface; each option's help names its variable.

mod dan_nodes;
mod fee_token;
mod from_env;
mod paymaster_context;
mod protection;
#[cfg(test)]
mod tests;
mod values;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use alloy::primitives::Address;

use super::{market, sponsor::policy::SponsorPolicy};
use use_aa_dan::caller_key::CallerKey;
use use_aa_protocol::kind::AccountKind;

pub use dan_nodes::DanNodeAddress;
use dan_nodes::SERVER_KEY;
pub(super) use dan_nodes::{OPERATOR_KEY, dan_nodes};
pub use fee_token::{FeeToken, TokenPaymasterConfig};
pub use paymaster_context::PaymasterContext;
pub(super) use paymaster_context::VARIABLE as PAYMASTER_CONTEXT;
pub use protection::{Network, OFFERS_TIME, Protection, ProtectionArgs, Rate};
pub use values::{ConfigError, DatabaseUrl, Secret, SignerKey, UpstreamUrl};

/// Chain id of the lab (anvil's own).
pub const LAB_CHAIN_ID: u64 = 31337;

/// Blocks that may be asked for: a wait ends after ten minutes, and 32 blocks of 12 s are six and a half.
const CONFIRMATIONS: std::ops::RangeInclusive<u64> = 1..=32;
const DEFAULT_CONFIRMATIONS: u64 = 1;
/// Whoever wants more believes the bundler whatever it says.
const BUNDLER_FEE_FACTOR: std::ops::RangeInclusive<u64> = 1..=1_000;
/// Two days at least: today's and yesterday's budgets are still being settled.
const LEDGER_DAYS: std::ops::RangeInclusive<u64> = 2..=36_500;
/// A year, and time to close its books.
const DEFAULT_LEDGER_DAYS: u64 = 400;

/// Options of `use-aa serve` as they came, still text, so that every complaint is ours and names the variable.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ServeArgs {
    /// Listen address [default: 127.0.0.1:3000]
    #[arg(long, env = "USE_AA_ADDR", value_name = "HOST:PORT")]
    pub addr: Option<String>,
    /// Chain id [default: the lab's, 31337]
    #[arg(long, env = "USE_AA_CHAIN_ID", value_name = "NUMBER")]
    pub chain_id: Option<String>,
    /// Symbol of the chain's native currency, such as XDAI [default: that of a known chain, else ETH]
    #[arg(long, env = "USE_AA_NATIVE_CURRENCY", value_name = "SYMBOL")]
    pub native_currency: Option<String>,
    /// Account kind that pages begin with: biconomy-v2, nexus [default: biconomy-v2]
    #[arg(long, env = "USE_AA_ACCOUNT", value_name = "KIND")]
    pub account: Option<String>,
    /// Block explorer of the chain, for links to transactions [default: that of a known chain, else none]
    #[arg(long, env = "USE_AA_EXPLORER_URL", value_name = "URL")]
    pub explorer_url: Option<String>,
    /// Chain node(s), http(s) or ws(s), comma-separated in failover order [default: the lab is started]
    #[arg(long, env = "USE_AA_RPC_URL", value_name = "URLS", hide_env_values = true)]
    pub rpc_url: Option<Secret>,
    /// Bundler(s), comma-separated in failover order [default: the lab's]
    #[arg(long, env = "USE_AA_BUNDLER_URL", value_name = "URLS", hide_env_values = true)]
    pub bundler_url: Option<Secret>,
    /// A bundler's advice on fees is believed up to so many times what the node says, 1 to 1000 [default: 5]
    #[arg(long, env = "USE_AA_BUNDLER_FEE_FACTOR", value_name = "NUMBER")]
    pub bundler_fee_factor: Option<String>,
    /// Remote paymaster; several addresses of it, comma-separated in failover order [default: the built-in one when its
    /// signer key and address are set; in the lab always]
    #[arg(long, env = "USE_AA_PAYMASTER_URL", value_name = "URLS", hide_env_values = true)]
    pub paymaster_url: Option<Secret>,
    /// Dialect of the remote paymaster: biconomy or erc7677 [default: biconomy]
    #[arg(long, env = "USE_AA_PAYMASTER_DIALECT", value_name = "NAME")]
    pub paymaster_dialect: Option<String>,
    /// Key that the server adds to requests to the remote paymaster (secret: prefer the environment)
    #[arg(long, env = "USE_AA_PAYMASTER_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub paymaster_api_key: Option<Secret>,
    /// JSON object that an ERC-7677 service gets as its context, as it is, such as {"policyId":"…"} (secret: prefer the
    /// environment) [default: none]
    #[arg(long, env = "USE_AA_PAYMASTER_CONTEXT", value_name = "JSON", hide_env_values = true)]
    pub paymaster_context: Option<Secret>,
    /// Private key with which the built-in paymaster signs, 32 bytes hex (secret: prefer the environment)
    #[arg(long, env = "USE_AA_PAYMASTER_SIGNER_KEY", value_name = "HEX", hide_env_values = true)]
    pub paymaster_signer_key: Option<Secret>,
    /// Verifying paymaster contract of the built-in paymaster
    #[arg(long, env = "USE_AA_PAYMASTER_ADDRESS", value_name = "ADDRESS")]
    pub paymaster_address: Option<String>,
    /// Verifying paymaster contract of the built-in paymaster on entry point v0.7, with the same signer [default: operations
    /// of v0.7 are not paid for]
    #[arg(long, env = "USE_AA_PAYMASTER_ADDRESS_V07", value_name = "ADDRESS")]
    pub paymaster_address_v07: Option<String>,
    /// Account whose deposit inside the verifying paymaster pays [default: the signer's address]
    #[arg(long, env = "USE_AA_PAYMASTER_ID", value_name = "ADDRESS")]
    pub paymaster_id: Option<String>,
    /// Token paymaster contract of the built-in paymaster, so that people can pay gas in tokens
    #[arg(long, env = "USE_AA_TOKEN_PAYMASTER_ADDRESS", value_name = "ADDRESS")]
    pub token_paymaster_address: Option<String>,
    /// Token paymaster contract of the built-in paymaster on entry point v0.7, with the same signer and tokens [default: none]
    #[arg(long, env = "USE_AA_TOKEN_PAYMASTER_ADDRESS_V07", value_name = "ADDRESS")]
    pub token_paymaster_address_v07: Option<String>,
    /// Tokens that it takes, comma-separated SYMBOL:ADDRESS:DECIMALS:RATE[:PREMIUM%]; the rate is the price of one
    /// whole native token in whole tokens
    #[arg(long, env = "USE_AA_FEE_TOKENS", value_name = "TOKENS")]
    pub fee_tokens: Option<String>,
    /// Nodes that share distributed keys, comma-separated url#static-public-key in the order of their ids [default: the
    /// lab's five]
    #[arg(long, env = "USE_AA_DAN_NODES", value_name = "NODES", hide_env_values = true)]
    pub dan_nodes: Option<Secret>,
    /// Distributed keys that are made ahead, so that nobody waits for one, 0 to 16 [default: 2]
    #[arg(long, env = "USE_AA_DAN_POOL", value_name = "NUMBER")]
    pub dan_pool: Option<String>,
    /// Blocks that must hold an operation, its own included, before it is called confirmed, 1 to 32 [default: 1]
    #[arg(long, env = "USE_AA_CONFIRMATIONS", value_name = "NUMBER")]
    pub confirmations: Option<String>,
    /// sqlite://… or postgres://… [default: a SQLite file in the data folder]
    #[arg(long, env = "USE_AA_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// Data folder [default: ./data]
    #[arg(long, env = "USE_AA_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// Days for which decisions of the sponsorship policy are kept, 2 to 36500 [default: 400]
    #[arg(long, env = "USE_AA_LEDGER_DAYS", value_name = "DAYS")]
    pub ledger_days: Option<String>,
    /// File of the sponsorship policy, TOML or JSON [default: the lab's, with small budgets outside of it]
    #[arg(long, env = "USE_AA_SPONSOR_POLICY", value_name = "FILE")]
    pub sponsor_policy: Option<String>,
    /// Whether the page's own server functions have gas paid or advanced without a key: on or off. Off, callers of the
    /// JSON-RPC paths with a key are paid for still [default: on in the lab, off elsewhere]
    #[arg(long, env = "USE_AA_PAGE_SPONSORSHIP", value_name = "on|off")]
    pub page_sponsorship: Option<String>,
    /// Whom the server answers, and how often.
    #[command(flatten)]
    pub protection: ProtectionArgs,
    /// Options of the lab, used when it is started.
    #[command(flatten)]
    pub lab: LabArgs,
    /// File with the line that `use-aa lab --json` prints: work on that lab, which runs already, instead of starting one
    /// [default: the lab is started]
    #[arg(long, env = "USE_AA_LAB_JSON", value_name = "FILE")]
    pub lab_json: Option<String>,
    /// Check the configuration, upstreams and their chain ids included, say what was found, and end
    #[arg(long)]
    pub check: bool,
}

/// Options of the lab as they came.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LabArgs {
    /// Seconds between blocks in the lab; 0 = a block per transaction [default: 0]
    #[arg(long = "lab-block-time", env = "USE_AA_LAB_BLOCK_TIME", value_name = "SECONDS")]
    pub block_time: Option<String>,
    /// Where the lab keeps its state [default: a temporary folder]
    #[arg(long = "lab-dir", env = "USE_AA_LAB_DIR", value_name = "FOLDER")]
    pub dir: Option<String>,
    /// First of the lab's ports [default: free ports]
    #[arg(long = "lab-port-base", env = "USE_AA_LAB_PORT_BASE", value_name = "PORT")]
    pub port_base: Option<String>,
    /// Key by which the nodes of distributed keys know this server; one for all, or one for each, comma-separated
    /// (secret: prefer the environment) [default: the lab makes its own]
    #[arg(long, env = "USE_AA_DAN_SERVER_KEY", value_name = "KEY", hide_env_values = true)]
    pub dan_server_key: Option<Secret>,
    /// Key by which the lab's nodes know their operator (secret: prefer the environment) [default: the lab makes its own]
    #[arg(long, env = "USE_AA_DAN_OPERATOR_KEY", value_name = "KEY", hide_env_values = true)]
    pub dan_operator_key: Option<Secret>,
}

/// How the lab is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabConfig {
    /// Seconds between blocks; 0 = a block per transaction.
    pub block_time: u64,
    /// Folder of its state; `None` = a temporary one.
    pub dir: Option<PathBuf>,
    /// First of its ports (node, then bundler); `None` = free ones.
    pub port_base: Option<u16>,
    /// By which its nodes of distributed keys know the app server; `None` = one of its own.
    pub dan_server_key: Option<CallerKey>,
    /// By which they know their operator; `None` = one of its own.
    pub dan_operator_key: Option<CallerKey>,
}

/// What a remote paymaster speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymasterDialect {
    /// `pm_sponsorUserOperation` as Biconomy's service answers it.
    Biconomy,
    /// ERC-7677 (`pm_getPaymasterStubData`, `pm_getPaymasterData`).
    Erc7677,
}

/// Who sponsors.
#[derive(Clone, Debug, PartialEq)]
pub enum PaymasterConfig {
    /// This server signs for a verifying paymaster contract (v1.1.0).
    BuiltIn {
        /// The verifying signer of the contract.
        signer_key: SignerKey,
        /// The contract.
        address: Address,
        /// Whose deposit inside the contract pays.
        paymaster_id: Address,
        /// The contract on entry point v0.7, with the same signer; `None` = its operations are not paid for.
        address_v07: Option<Address>,
    },
    /// Another service.
    Remote {
        /// Its URLs in failover order; all of them the same service, with the same key.
        urls: Vec<UpstreamUrl>,
        /// What it speaks.
        dialect: PaymasterDialect,
        /// Added to each request by the server.
        api_key: Option<Secret>,
    },
}

/// Everything the server needs to know before it starts. Cloning is cheap enough to hand it around.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listen address.
    pub addr: SocketAddr,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Symbol of the native currency; `None` = that of a known chain, else ETH.
    pub native_currency: Option<String>,
    /// The account kind that pages begin with.
    pub account: AccountKind,
    /// Block explorer, without trailing slash; `None` = that of a known chain, else none.
    pub explorer_url: Option<String>,
    /// Chain nodes in failover order; empty until the lab has been started when `lab` is true.
    pub rpc_urls: Vec<UpstreamUrl>,
    /// Bundlers in failover order; empty until the lab has been started when `lab` is true.
    pub bundler_urls: Vec<UpstreamUrl>,
    /// A bundler may advise fees of so many times what the node says.
    pub bundler_fee_factor: u64,
    /// Who sponsors; `None` = nobody.
    pub paymaster: Option<PaymasterConfig>,
    /// What an ERC-7677 service gets as its context.
    pub paymaster_context: Option<PaymasterContext>,
    /// The built-in token paymaster; `None` = gas in tokens only through a remote paymaster.
    pub token_paymaster: Option<TokenPaymasterConfig>,
    /// The nodes that share distributed keys, in the order of their ids; empty = none.
    pub dan_nodes: Vec<DanNodeAddress>,
    /// How many distributed keys wait for an owner.
    pub key_pool: usize,
    /// What is sponsored; `None` = the lab's policy for the built-in paymaster, what it likes for a remote one.
    pub sponsor_policy: Option<Arc<SponsorPolicy>>,
    /// Whether callers without a key are paid for, when that was said; see [`Self::sponsors_pages`].
    pub page_sponsorship: Option<bool>,
    /// Where the server keeps its data.
    pub data_dir: PathBuf,
    /// The folder was named; else the lab keeps its data in its own.
    pub data_dir_given: bool,
    /// Database, when it is not the SQLite file in the data folder.
    pub database_url: Option<DatabaseUrl>,
    /// Blocks that must hold an operation, its own included, before it counts as confirmed. 1 unless said otherwise:
    /// everything here (roots, nonces, balances) is read at the latest block as well.
    pub confirmations: u64,
    /// Days for which the ledger of sponsorship is kept.
    pub ledger_days: u64,
    /// True when the networks behind are the local lab (which the caller starts).
    pub lab: bool,
    /// How the lab runs, when it does.
    pub lab_options: LabConfig,
    /// Where a lab that runs already says how it is reached; `None` = one is started.
    pub lab_json: Option<PathBuf>,
    /// Whom the server answers, and how often.
    pub protection: Protection,
}

impl Config {
    /// Checks every value; the first wrong one is named together with what was expected.
    pub fn from_args(args: &ServeArgs) -> Result<Self, ConfigError> {
        let addr = values::socket_addr("USE_AA_ADDR", args.addr.as_deref(), SocketAddr::from(([127, 0, 0, 1], 3000)))?;
        let rpc_urls = values::urls("USE_AA_RPC_URL", args.rpc_url.as_ref(), &["http", "https", "ws", "wss"])?;
        let bundler_urls = values::urls("USE_AA_BUNDLER_URL", args.bundler_url.as_ref(), &["http", "https"])?;
        let lab = match (rpc_urls.is_empty(), bundler_urls.is_empty()) {
            (true, true) => true,
            (false, false) => false,
            (true, false) => return Err(missing("USE_AA_RPC_URL", "USE_AA_BUNDLER_URL")),
            (false, true) => return Err(missing("USE_AA_BUNDLER_URL", "USE_AA_RPC_URL")),
        };
        let chain_id = values::chain_id("USE_AA_CHAIN_ID", args.chain_id.as_deref(), LAB_CHAIN_ID)?;
        if lab && chain_id != LAB_CHAIN_ID {
            return Err(ConfigError::new(
                "USE_AA_CHAIN_ID",
                "31337 while the lab is the chain (or set USE_AA_RPC_URL and USE_AA_BUNDLER_URL)",
                chain_id,
            ));
        }
        let policy_file = args.sponsor_policy.as_deref().map(str::trim).filter(|file| !file.is_empty());
        let sponsor_policy = policy_file.map(|file| values::sponsor_policy(file.as_ref()).map(Arc::new)).transpose()?;
        let data_dir = values::folder("USE_AA_DATA_DIR", args.data_dir.as_deref())?;
        Ok(Self {
            addr,
            chain_id,
            native_currency: values::symbol("USE_AA_NATIVE_CURRENCY", args.native_currency.as_deref())?,
            account: values::account_kind("USE_AA_ACCOUNT", args.account.as_deref())?,
            explorer_url: values::web_page("USE_AA_EXPLORER_URL", args.explorer_url.as_deref())?,
            rpc_urls,
            bundler_urls,
            bundler_fee_factor: values::whole(
                "USE_AA_BUNDLER_FEE_FACTOR",
                args.bundler_fee_factor.as_deref(),
                BUNDLER_FEE_FACTOR,
                market::DEFAULT_BUNDLER_FACTOR,
                "times",
            )?,
            paymaster: paymaster(args)?,
            paymaster_context: paymaster_context::paymaster_context(args)?,
            sponsor_policy,
            page_sponsorship: values::on_off("USE_AA_PAGE_SPONSORSHIP", args.page_sponsorship.as_deref())?,
            data_dir_given: data_dir.is_some(),
            data_dir: data_dir.unwrap_or_else(|| "data".into()),
            token_paymaster: token_paymaster(args)?,
            dan_nodes: dan_nodes(args.dan_nodes.as_ref(), SERVER_KEY, args.lab.dan_server_key.as_ref())?,
            key_pool: dan_nodes::key_pool(args.dan_pool.as_deref())?,
            database_url: values::database_url("USE_AA_DATABASE_URL", args.database_url.as_ref())?,
            confirmations: values::whole(
                "USE_AA_CONFIRMATIONS",
                args.confirmations.as_deref(),
                CONFIRMATIONS,
                DEFAULT_CONFIRMATIONS,
                "blocks",
            )?,
            ledger_days: values::whole(
                "USE_AA_LEDGER_DAYS",
                args.ledger_days.as_deref(),
                LEDGER_DAYS,
                DEFAULT_LEDGER_DAYS,
                "days",
            )?,
            lab,
            lab_options: LabConfig::from_args(&args.lab)?,
            lab_json: values::lab_json("USE_AA_LAB_JSON", args.lab_json.as_deref(), lab)?,
            protection: Protection::from_args(&args.protection, lab)?,
        })
    }

    /// Whether the page's own server functions have gas paid or advanced: nobody proves anything to them, so on a public
    /// network only when the operator says so.
    pub fn sponsors_pages(&self) -> bool {
        self.page_sponsorship.unwrap_or(self.lab)
    }

    /// What holds of the paymaster service's context; `None` where none is set.
    pub fn context_description(&self) -> Option<String> {
        let fields = self.paymaster_context.as_ref()?.len();
        let is_sent =
            matches!(self.paymaster, Some(PaymasterConfig::Remote { dialect: PaymasterDialect::Erc7677, .. }));
        Some(match is_sent {
            true => format!("{PAYMASTER_CONTEXT}: the paymaster service gets an object of {fields} fields"),
            false => format!(
                "{PAYMASTER_CONTEXT} is set, but no service gets it (USE_AA_PAYMASTER_URL with \
                 USE_AA_PAYMASTER_DIALECT=erc7677)"
            ),
        })
    }

    /// Somebody's gas can be paid or advanced at all.
    pub fn has_paymaster(&self) -> bool {
        self.paymaster.is_some() || self.token_paymaster.is_some()
    }
}

/// Where the database is, for commands that need nothing else.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DatabaseArgs {
    /// sqlite://… or postgres://… [default: a SQLite file in the data folder]
    #[arg(long, global = true, env = "USE_AA_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// Data folder [default: ./data]
    #[arg(long, global = true, env = "USE_AA_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<String>,
}

impl DatabaseArgs {
    /// Checks both: the URL, when there is one, and the data folder.
    pub fn check(&self) -> Result<(Option<DatabaseUrl>, PathBuf), ConfigError> {
        let url = values::database_url("USE_AA_DATABASE_URL", self.database_url.as_ref())?;
        let folder = values::folder("USE_AA_DATA_DIR", self.data_dir.as_deref())?;
        Ok((url, folder.unwrap_or_else(|| "data".into())))
    }
}

impl LabConfig {
    /// Checks the lab's options.
    pub fn from_args(args: &LabArgs) -> Result<Self, ConfigError> {
        Ok(Self {
            block_time: values::block_time("USE_AA_LAB_BLOCK_TIME", args.block_time.as_deref())?,
            dir: values::folder("USE_AA_LAB_DIR", args.dir.as_deref())?,
            port_base: values::port_base("USE_AA_LAB_PORT_BASE", args.port_base.as_deref())?,
            dan_server_key: dan_nodes::lab_key(SERVER_KEY, args.dan_server_key.as_ref())?,
            dan_operator_key: dan_nodes::lab_key(OPERATOR_KEY, args.dan_operator_key.as_ref())?,
        })
    }
}

fn missing(variable: &'static str, other: &str) -> ConfigError {
    ConfigError::new(variable, format!("a URL, because {other} is set (give both or none)"), "nothing")
}

fn paymaster(args: &ServeArgs) -> Result<Option<PaymasterConfig>, ConfigError> {
    let dialect = values::dialect("USE_AA_PAYMASTER_DIALECT", args.paymaster_dialect.as_deref())?;
    let signer_key = values::signer_key("USE_AA_PAYMASTER_SIGNER_KEY", args.paymaster_signer_key.as_ref())?;
    let address = values::address("USE_AA_PAYMASTER_ADDRESS", args.paymaster_address.as_deref())?;
    let address_v07 = values::address("USE_AA_PAYMASTER_ADDRESS_V07", args.paymaster_address_v07.as_deref())?;
    let paymaster_id = values::address("USE_AA_PAYMASTER_ID", args.paymaster_id.as_deref())?;
    let urls = values::urls("USE_AA_PAYMASTER_URL", args.paymaster_url.as_ref(), &["http", "https"])?;
    if !urls.is_empty() {
        let api_key = args.paymaster_api_key.clone().filter(|key| !key.is_empty());
        return Ok(Some(PaymasterConfig::Remote { urls, dialect, api_key }));
    }
    match (signer_key, address) {
        (Some(signer_key), Some(address)) => {
            let paymaster_id = paymaster_id.unwrap_or_else(|| signer_key.address());
            Ok(Some(PaymasterConfig::BuiltIn { signer_key, address, paymaster_id, address_v07 }))
        }
        // It would be signed for beside the other, never alone.
        (_, None) if address_v07.is_some() => {
            Err(missing_half("USE_AA_PAYMASTER_ADDRESS", "USE_AA_PAYMASTER_ADDRESS_V07"))
        }
        (None, None) => Ok(None),
        // The key may be meant for the token paymaster alone.
        (Some(_), None) if args.token_paymaster_address.as_deref().is_some_and(|text| !text.trim().is_empty()) => {
            Ok(None)
        }
        (Some(_), None) => Err(missing_half("USE_AA_PAYMASTER_ADDRESS", "USE_AA_PAYMASTER_SIGNER_KEY")),
        (None, Some(_)) => Err(missing_half("USE_AA_PAYMASTER_SIGNER_KEY", "USE_AA_PAYMASTER_ADDRESS")),
    }
}

fn token_paymaster(args: &ServeArgs) -> Result<Option<TokenPaymasterConfig>, ConfigError> {
    let signer_key = values::signer_key("USE_AA_PAYMASTER_SIGNER_KEY", args.paymaster_signer_key.as_ref())?;
    fee_token::token_paymaster(args, signer_key.as_ref())
}

fn missing_half(variable: &'static str, other: &str) -> ConfigError {
    ConfigError::new(
        variable,
        format!("a value, because {other} is set (the built-in paymaster needs both)"),
        "nothing",
    )
}
