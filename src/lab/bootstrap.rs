//! The two contracts that alto must find: the EntryPoint and its simulations helper.

use std::path::Path;

use alloy::primitives::{Address, B256, Bytes, address, hex};
use serde_json::{Value, json};

use super::{LabError, Role, accounts::first, paths::Tools, rpc::Rpc};

/// Deterministic deployment proxy (CREATE2); anvil has it from the start.
const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");
/// EntryPoint v0.6: the published creation code with salt 0 lands here on every chain.
pub const ENTRY_POINT: Address = address!("5FF137D4b0FDCD49DcA30c7CF57E578a026d2789");

/// Where the two are.
pub struct Bootstrapped {
    /// Alto's simulations contract.
    pub simulations: Address,
}

/// Deploys both with salt 0.
pub async fn place(rpc: &Rpc, tools: &Tools) -> Result<Bootstrapped, LabError> {
    let entry_point = create2(rpc, &creation_code(&tools.entry_point, "/bytecode")?).await?;
    if entry_point != ENTRY_POINT {
        let reason = format!("EntryPoint v0.6 came out at {entry_point} instead of {ENTRY_POINT}: wrong artifact");
        return Err(LabError::Contracts { reason });
    }
    let simulations = create2(rpc, &creation_code(&tools.alto_simulations, "/bytecode/object")?).await?;
    Ok(Bootstrapped { simulations })
}

async fn create2(rpc: &Rpc, creation_code: &Bytes) -> Result<Address, LabError> {
    let address = CREATE2_DEPLOYER.create2_from_code(B256::ZERO, creation_code);
    let code = json!([address, "latest"]);
    if has_code(&rpc.call("eth_getCode", code.clone()).await?) {
        return Ok(address);
    }
    let data = Bytes::from([B256::ZERO.as_slice(), creation_code].concat());
    let from = first(Role::Deployer).address;
    let transaction = json!([{ "from": from, "to": CREATE2_DEPLOYER, "data": data, "gas": "0x1000000" }]);
    rpc.call("eth_sendTransaction", transaction).await?;
    if has_code(&rpc.call("eth_getCode", code).await?) {
        Ok(address)
    } else {
        Err(LabError::Contracts { reason: format!("nothing was deployed at {address}") })
    }
}

fn has_code(answer: &Value) -> bool {
    answer.as_str().is_some_and(|code| code.len() > 2)
}

fn creation_code(path: &Path, pointer: &str) -> Result<Bytes, LabError> {
    let fail = |reason: String| LabError::Io { what: format!("read {}", path.display()), reason };
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let artifact: Value = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    let code = artifact.pointer(pointer).and_then(Value::as_str).ok_or_else(|| fail(format!("no {pointer}")))?;
    hex::decode(code).map(Bytes::from).map_err(|error| fail(format!("{pointer}: {error}")))
}
