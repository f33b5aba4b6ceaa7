//! The two contracts that alto must find, the EntryPoint and its simulations helper; and a second sponsor's deposit.

use std::{path::Path, time::Duration};

use alloy::{
    primitives::{Address, B256, Bytes, address, hex},
    sol,
    sol_types::SolCall,
};
use serde_json::{Value, json};

use super::{
    LabError,
    contracts::{DEPLOYER, VERIFYING_SIGNER},
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

/// Deploys both with salt 0 (the published EntryPoint then has its address of every chain); answers with where alto's
/// simulations contract is.
pub async fn place(rpc: &Rpc, tools: &Tools) -> Result<Address, LabError> {
    let entry_point = create2(rpc, &creation_code(&tools.entry_point, "/bytecode")?).await?;
    if entry_point != ENTRY_POINT {
        let reason = format!("EntryPoint v0.6 came out at {entry_point} instead of {ENTRY_POINT}: wrong artifact");
        return Err(LabError::Contracts { reason });
    }
    create2(rpc, &creation_code(&tools.alto_simulations, "/bytecode/object")?).await
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

async fn create2(rpc: &Rpc, creation_code: &Bytes) -> Result<Address, LabError> {
    let address = CREATE2_DEPLOYER.create2_from_code(B256::ZERO, creation_code);
    let code = json!([address, "latest"]);
    if has_code(&rpc.call("eth_getCode", code.clone()).await?) {
        return Ok(address);
    }
    let data = Bytes::from([B256::ZERO.as_slice(), creation_code].concat());
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
