//! The contracts that alto must find, EntryPoints and its simulations helpers; and a second sponsor's deposit.

use std::{path::Path, time::Duration};

use alloy::{
    primitives::{Address, B256, Bytes, address, hex},
    sol,
    sol_types::SolCall,
};
use serde_json::{Value, json};

use super::{
    LabError,
    contracts::{
        DEPLOYER, VERIFYING_SIGNER,
        nexus::{ENTRY_POINT_V07, ENTRY_POINT_V07_SALT},
    },
    paths::Tools,
    rpc::Rpc,
};
use use_aa_protocol::addresses::{ENTRY_POINT, VERIFYING_PAYMASTER};

/// Deterministic deployment proxy (CREATE2); anvil has it from the start.
const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");
/// How long a transaction may take; it takes milliseconds.
const MINED_WITHIN: Duration = Duration::from_secs(20);
/// What the sponsor gets deposited: 1000 ether, in wei.
const DEPOSIT: &str = "0x3635c9adc5dea00000";

sol! {
    function depositFor(address paymasterId) external payable;
}

/// Where alto's own contracts are.
#[derive(Clone, Copy, Debug)]
pub struct Simulations {
    /// The one for every version, and all that v0.6 needs.
    pub common: Address,
    /// The one for v0.7.
    pub v07: Address,
}

/// Deploys the published EntryPoints, which then have their addresses of every chain, and alto's simulations contracts.
pub async fn place(rpc: &Rpc, tools: &Tools) -> Result<Simulations, LabError> {
    let entry_points = [
        (&tools.entry_point, B256::ZERO, ENTRY_POINT),
        (&tools.entry_point_v07, ENTRY_POINT_V07_SALT, ENTRY_POINT_V07),
    ];
    for (path, salt, expected) in entry_points {
        let address = create2(rpc, salt, &creation_code(path, "/bytecode")?).await?;
        if address != expected {
            let reason = format!("an EntryPoint came out at {address} instead of {expected}: wrong artifact");
            return Err(LabError::Contracts { reason });
        }
    }
    let common = create2(rpc, B256::ZERO, &creation_code(&tools.alto_simulations, "/bytecode/object")?).await?;
    let v07 = create2(rpc, B256::ZERO, &creation_code(&tools.alto_simulations_v07, "/bytecode/object")?).await?;
    Ok(Simulations { common, v07 })
}

/// Deposits for the verifying signer itself, too: who configures a server by the signer's key and the paymaster's
/// address alone (the paymaster id is then the signer) is sponsored as well.
pub async fn deposit_for_signer(rpc: &Rpc) -> Result<(), LabError> {
    let data = depositForCall { paymasterId: VERIFYING_SIGNER }.abi_encode();
    let data = Bytes::from(data);
    let deposit = json!([{ "from": DEPLOYER, "to": VERIFYING_PAYMASTER, "value": DEPOSIT, "data": data }]);
    send(rpc, deposit).await
}

/// Sends a transaction and waits until it is mined: anvil answers before that, even when it mines at once.
async fn send(rpc: &Rpc, transaction: Value) -> Result<(), LabError> {
    let hash = rpc.call("eth_sendTransaction", transaction).await?;
    let mined = rpc.until("eth_getTransactionReceipt", json!([hash]), |receipt| !receipt.is_null());
    let fail = |reason: String| LabError::Contracts { reason };
    let receipt = tokio::time::timeout(MINED_WITHIN, mined).await.map_err(|_| fail(format!("{hash} is not mined")))?;
    if receipt["status"] == "0x1" { Ok(()) } else { Err(fail(format!("{hash} reverted"))) }
}

async fn create2(rpc: &Rpc, salt: B256, creation_code: &Bytes) -> Result<Address, LabError> {
    let address = CREATE2_DEPLOYER.create2_from_code(salt, creation_code);
    let code = json!([address, "latest"]);
    if has_code(&rpc.call("eth_getCode", code.clone()).await?) {
        return Ok(address);
    }
    let data = Bytes::from([salt.as_slice(), creation_code].concat());
    let transaction = json!([{ "from": DEPLOYER, "to": CREATE2_DEPLOYER, "data": data, "gas": "0x1000000" }]);
    send(rpc, transaction).await?;
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
