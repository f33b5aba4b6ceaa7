//! What a server must know of a lab to work on it: of its own, or of one that runs already and wrote it into a file.

use std::{
    fs,
    io::Read as _,
    net::IpAddr,
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, B256, U256};
use serde::Deserialize;
use use_aa_dan::caller_key::CallerKey;
use use_aa_protocol::addresses::{DEMO_TOKEN, TOKEN_PAYMASTER, TOKEN_PAYMASTER_V07, VERIFYING_PAYMASTER_V07};

use crate::config::{
    Config, ConfigError, DanNodeAddress, FeeToken, LAB_CHAIN_ID, PaymasterConfig, SignerKey, TokenPaymasterConfig,
    UpstreamUrl,
};

/// Longest file that is read. The line of a lab has 8 kB.
const LONGEST: u64 = 1 << 20;

/// What a server must know of a lab.
#[derive(Clone, Debug)]
pub struct LabLinks {
    /// Chain node.
    pub rpc_url: UpstreamUrl,
    /// Bundler.
    pub bundler_url: UpstreamUrl,
    /// Verifying paymaster.
    pub paymaster: Address,
    /// Whose deposit inside the verifying paymaster pays.
    pub paymaster_id: Address,
    /// Its verifying signer.
    pub paymaster_signer: SignerKey,
    /// Where the lab keeps its state.
    pub folder: PathBuf,
    /// The nodes of distributed keys.
    pub dan_nodes: Vec<DanNodeAddress>,
}

/// The line of `use-aa lab --json`, as far as it is needed here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    chain_id: u64,
    rpc_url: String,
    bundler_url: String,
    paymaster_address: Address,
    paymaster_id: Address,
    paymaster_signer_key: B256,
    folder: PathBuf,
    dan_nodes: Vec<Node>,
    dan_server_key: Option<String>,
}

#[derive(Deserialize)]
struct Node {
    url: String,
    identity: B256,
}

impl LabLinks {
    /// Of a lab that runs already, from the file (`USE_AA_LAB_JSON`) that has its line of JSON.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let wrong = |reason: &dyn std::fmt::Display| {
            let expected = "a file with the line that `use-aa lab --json` prints";
            ConfigError::new("USE_AA_LAB_JSON", expected, format!("{}: {reason}", file.display()))
        };
        let mut text = String::new();
        // One more than is taken: what a file says of its size may be another's, or of another moment.
        let read = fs::File::open(file).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
        if read.map_err(|error| wrong(&error))? as u64 > LONGEST {
            return Err(wrong(&format!("more than {LONGEST} bytes")));
        }
        Self::parse(&text).map_err(|reason| wrong(&reason))
    }

    fn parse(text: &str) -> Result<Self, String> {
        // What serde says would repeat what is there, which may be a key.
        let line: Line = serde_json::from_str(text)
            .map_err(|error| format!("something else from line {}, column {} on", error.line(), error.column()))?;
        if line.chain_id != LAB_CHAIN_ID {
            return Err(format!("chainId {}, which is no lab's", line.chain_id));
        }
        if !line.folder.is_absolute() || !line.folder.is_dir() {
            return Err("a folder that is not there".into());
        }
        let key = line.dan_server_key.as_deref().map(|key| CallerKey::parse(key).ok_or("danServerKey is no key"));
        let key = key.transpose()?;
        if key.is_none() && !line.dan_nodes.is_empty() {
            return Err("danNodes without danServerKey".into());
        }
        let node = |(node, key): (&Node, CallerKey)| {
            Ok::<_, String>(DanNodeAddress { url: local(&node.url)?, identity: node.identity, key })
        };
        Ok(Self {
            rpc_url: local(&line.rpc_url)?,
            bundler_url: local(&line.bundler_url)?,
            paymaster: line.paymaster_address,
            paymaster_id: line.paymaster_id,
            paymaster_signer: SignerKey::from_bytes(&line.paymaster_signer_key)
                .ok_or("paymasterSignerKey is no key")?,
            folder: line.folder,
            dan_nodes: line
                .dan_nodes
                .iter()
                .filter_map(|node| Some((node, key.clone()?)))
                .map(node)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Fills in what a server needs to work on the lab.
    pub fn fill(self, config: &mut Config) {
        config.lab = true;
        config.chain_id = LAB_CHAIN_ID;
        config.rpc_urls = vec![self.rpc_url];
        config.bundler_urls = vec![self.bundler_url];
        config.paymaster = Some(PaymasterConfig::BuiltIn {
            signer_key: self.paymaster_signer.clone(),
            address: self.paymaster,
            paymaster_id: self.paymaster_id,
            address_v07: Some(VERIFYING_PAYMASTER_V07),
        });
        if !config.data_dir_given {
            // A ledger of another chain's life would be wrong on this one.
            config.data_dir = self.folder;
        }
        if config.dan_nodes.is_empty() {
            config.dan_nodes = self.dan_nodes;
        }
        config.token_paymaster = Some(TokenPaymasterConfig {
            signer_key: self.paymaster_signer,
            address: TOKEN_PAYMASTER,
            address_v07: Some(TOKEN_PAYMASTER_V07),
            tokens: vec![demo_dollar()],
        });
    }
}

/// A lab's programs listen on loopback: with its public keys nobody else may be asked.
fn local(url: &str) -> Result<UpstreamUrl, String> {
    let parsed: Option<UpstreamUrl> = url.parse().ok();
    let is_local = |url: &UpstreamUrl| {
        let host = url.expose().host_str().and_then(|host| host.parse::<IpAddr>().ok());
        url.expose().scheme() == "http" && host.is_some_and(|host| host.is_loopback())
    };
    parsed.filter(is_local).ok_or_else(|| "a URL that is not on this machine's loopback".into())
}

/// The demo token as money for gas: 2,500 of them are one ether, and 5 % on top.
fn demo_dollar() -> FeeToken {
    FeeToken {
        symbol: "DUSD".into(),
        address: DEMO_TOKEN,
        decimals: 6,
        exchange_rate: U256::from(2_500_000_000_u64),
        price_markup: 1_050_000,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::{Value, json};

    use super::*;

    fn line() -> Value {
        json!({
            "chainId": 31337, "rpcUrl": "http://127.0.0.1:1/", "bundlerUrl": "http://127.0.0.1:2/",
            "paymasterAddress": Address::repeat_byte(1), "paymasterId": Address::repeat_byte(2),
            "paymasterSignerKey": B256::repeat_byte(5), "folder": std::env::temp_dir(),
            "danNodes": [{ "id": 1, "url": "http://127.0.0.1:3/", "identity": B256::repeat_byte(3), "process": 4 }],
            "danServerKey": "0123456789".repeat(4), "accounts": [],
        })
    }

    #[test]
    fn the_line_of_a_lab_is_all_that_a_server_needs() {
        let mut config = Config::from_args(&Default::default()).unwrap();
        LabLinks::parse(&line().to_string()).unwrap().fill(&mut config);
        assert!(config.lab && config.has_paymaster() && config.token_paymaster.is_some());
        assert_eq!(config.rpc_urls[0].expose().as_str(), "http://127.0.0.1:1/");
        assert_eq!(config.bundler_urls[0].expose().as_str(), "http://127.0.0.1:2/");
        assert_eq!(config.data_dir, std::env::temp_dir());
        assert_eq!(config.dan_nodes.len(), 1);
    }

    #[test]
    fn what_is_no_labs_line_is_refused_and_not_repeated() {
        for (pointer, wrong) in [
            ("/chainId", json!(1)),
            ("/rpcUrl", json!("http://secret.example/")),
            ("/rpcUrl", json!("file:///secret")),
            ("/bundlerUrl", json!("http://127.0.0.1.secret.example/")),
            ("/danNodes/0/url", json!("http://10.0.0.1:3/secret")),
            ("/danServerKey", json!("secret")),
            ("/danServerKey", json!(null)),
            ("/paymasterId", json!("secret")),
            ("/paymasterSignerKey", json!(B256::ZERO)),
            ("/folder", json!(7)),
            ("/folder", json!("src")),
            ("/folder", json!("/nowhere/secret")),
        ] {
            let mut other = line();
            *other.pointer_mut(pointer).unwrap() = wrong;
            let reason = LabLinks::parse(&other.to_string()).expect_err(pointer);
            assert!(!reason.contains("secret"), "{reason}");
        }
        // It says that it has no bytes, and never ends.
        let endless = LabLinks::read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(endless.contains("more than 1048576 bytes"), "{endless}");
        let missing = LabLinks::read(Path::new("/nowhere/lab.json")).unwrap_err().to_string();
        assert!(missing.starts_with("USE_AA_LAB_JSON: expected a file with the line"), "{missing}");
    }
}
