//! What a person or a script must know of a running lab.

use std::{fmt, path::PathBuf};

use alloy::primitives::Address;
use serde_json::json;

use super::{
    ACCOUNTS, DanKeys, DanNodeInfo, LabAccount, Role,
    accounts::first,
    contracts::nexus::{
        ENTRY_POINT_V07, NEXUS_K1_FACTORY, OWNER_VALIDATOR, TOKEN_PAYMASTER_V07, VERIFYING_PAYMASTER_V07,
    },
};
use use_aa_server::{
    config::{DanNodeAddress, SignerKey, UpstreamUrl},
    lab_links::LabLinks,
};

/// Addresses, URLs and (public) keys of a running lab.
#[derive(Clone, Debug)]
pub struct LabInfo {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Chain node, http.
    pub rpc_url: UpstreamUrl,
    /// Bundler, http.
    pub bundler_url: UpstreamUrl,
    /// EntryPoint v0.6.
    pub entry_point: Address,
    /// Verifying paymaster.
    pub paymaster: Address,
    /// Whose deposit inside the verifying paymaster pays.
    pub paymaster_id: Address,
    /// Key of the verifying signer.
    pub paymaster_signer: SignerKey,
    /// Every placed contract by name.
    pub contracts: Vec<(&'static str, Address)>,
    /// Where it keeps its state.
    pub folder: PathBuf,
    /// Process ids: node, bundler.
    pub processes: [i32; 2],
    /// The nodes of the distributed keys, in the order of their ids.
    pub dan_nodes: Vec<DanNodeInfo>,
    /// By what they know the app server and their operator.
    pub dan_keys: Option<DanKeys>,
}

impl LabInfo {
    /// The twenty accounts of the test mnemonic.
    pub fn accounts(&self) -> &'static [LabAccount] {
        &ACCOUNTS
    }

    /// What a server needs to work on it.
    pub fn links(&self) -> LabLinks {
        let keys = self.dan_keys.as_ref();
        let node = |node: &DanNodeInfo| {
            let key = keys?.server.clone();
            Some(DanNodeAddress { url: node.url.clone(), identity: node.identity, key })
        };
        LabLinks {
            rpc_url: self.rpc_url.clone(),
            bundler_url: self.bundler_url.clone(),
            paymaster: self.paymaster,
            paymaster_id: self.paymaster_id,
            paymaster_signer: self.paymaster_signer.clone(),
            folder: self.folder.clone(),
            dan_nodes: self.dan_nodes.iter().filter_map(node).collect(),
        }
    }

    /// The same as JSON, for scripts.
    pub fn to_json(&self) -> serde_json::Value {
        let contracts: serde_json::Map<_, _> =
            self.contracts.iter().map(|(name, address)| ((*name).to_owned(), json!(address))).collect();
        json!({
            "chainId": self.chain_id,
            "rpcUrl": self.rpc_url.expose().as_str(),
            "bundlerUrl": self.bundler_url.expose().as_str(),
            "entryPoint": self.entry_point,
            "entryPointV07": ENTRY_POINT_V07,
            "paymasterAddress": self.paymaster,
            "paymasterId": self.paymaster_id,
            // Public like every key of the test mnemonic.
            "paymasterSignerKey": first(Role::PaymasterSigner).private_key,
            "paymasterV07Address": VERIFYING_PAYMASTER_V07,
            "tokenPaymasterV07Address": TOKEN_PAYMASTER_V07,
            // What permissionless' Nexus account wants to be told.
            "nexus": { "factoryAddress": NEXUS_K1_FACTORY, "validatorAddress": OWNER_VALIDATOR },
            "contracts": contracts,
            "folder": self.folder,
            "processes": { "anvil": self.processes[0], "alto": self.processes[1] },
            "danNodes": self.dan_nodes.iter().map(|node| json!({
                "id": node.id,
                "url": node.url.expose().as_str(),
                "identity": node.identity,
                "process": node.process,
            })).collect::<Vec<_>>(),
            // For this machine only, like all of the lab.
            "danServerKey": self.dan_keys.as_ref().map(|keys| keys.server.expose()),
            "danOperatorKey": self.dan_keys.as_ref().map(|keys| keys.operator.expose()),
            "accounts": ACCOUNTS,
        })
    }
}

impl fmt::Display for LabInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "chain        {}  (id {})", self.rpc_url, self.chain_id)?;
        writeln!(f, "bundler      {}", self.bundler_url)?;
        writeln!(f, "entry point  {}, {ENTRY_POINT_V07}  (v0.6, v0.7)", self.entry_point)?;
        writeln!(f, "paymaster    {}  (signer {})", self.paymaster, self.paymaster_signer.address())?;
        for node in &self.dan_nodes {
            writeln!(f, "dan node {}   {}  (identity {})", node.id, node.url, node.identity)?;
        }
        if let Some(keys) = &self.dan_keys {
            writeln!(f, "dan keys     server {}, operator {}", keys.server.expose(), keys.operator.expose())?;
        }
        writeln!(f, "contracts")?;
        let width = self.contracts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, address) in &self.contracts {
            writeln!(f, "  {name:width$}  {address}")?;
        }
        writeln!(f, "accounts of the public test mnemonic (10,000 ether each; never use these keys elsewhere)")?;
        for LabAccount { index, role, address, private_key } in &ACCOUNTS {
            let role = match role {
                Role::Owner => "lab wallet",
                Role::Spare => "",
                Role::Deployer => "deployer",
                Role::PaymasterSigner => "paymaster signer",
                Role::PaymasterId => "paymaster id",
                Role::Executor => "bundler executor",
                Role::BundlerUtility => "bundler utility",
            };
            writeln!(f, "  {index:2}  {address}  {private_key}  {role}")?;
        }
        Ok(())
    }
}
