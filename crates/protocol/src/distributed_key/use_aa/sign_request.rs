//! Asking the nodes to sign a user operation (docs/protocol.md 7.5).

use alloy::primitives::{Address, hex};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{ProtocolError, user_operation::UserOperation};

/// The message of a sign request: JSON of the operation, not yet Base64.
///
/// Without `0x`: init code, call data, paymaster data. Decimal text: verification and call gas limit.
/// The rest is minimal hex; nodes must accept decimal text and numbers, too.
pub fn user_operation_message(user_operation: &UserOperation, chain_id: u64) -> String {
    let quantity = |number| format!("{number:#x}");
    json!({
        "userOperation": {
            "sender": user_operation.sender.to_checksum(None),
            "nonce": quantity(user_operation.nonce),
            "initCode": hex::encode(&user_operation.init_code),
            "callData": hex::encode(&user_operation.call_data),
            "paymasterAndData": hex::encode(&user_operation.paymaster_and_data),
            "maxFeePerGas": quantity(user_operation.max_fee_per_gas),
            "maxPriorityFeePerGas": quantity(user_operation.max_priority_fee_per_gas),
            "verificationGasLimit": user_operation.verification_gas_limit.to_string(),
            "callGasLimit": user_operation.call_gas_limit.to_string(),
            "preVerificationGas": quantity(user_operation.pre_verification_gas),
        },
        "entryPointVersion": format!("{}.0", user_operation.entry_point),
        "entryPointAddress": hex::encode_prefixed(user_operation.entry_point.address()),
        "chainId": chain_id,
    })
    .to_string()
}

/// Operation, entry point and chain id in a message, as a node reads it before it signs.
pub fn parse_message(message: &str) -> Result<(UserOperation, Address, u64), ProtocolError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Message {
        user_operation: UserOperation,
        entry_point_address: Address,
        chain_id: u64,
    }
    let invalid = |error: serde_json::Error| ProtocolError::invalid("message", "a user operation to sign", error);
    let mut json: Value = serde_json::from_str(message).map_err(invalid)?;
    // absent signature and bytes without 0x are read by UserOperation as they are
    if let Some(fields) = json.get_mut("userOperation").and_then(Value::as_object_mut) {
        fields.remove("signature");
    }
    let message: Message = serde_json::from_value(json).map_err(invalid)?;
    Ok((message.user_operation, message.entry_point_address, message.chain_id))
}

/// A request to sign, authenticated by the ephemeral key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignRequest {
    /// How many nodes must sign.
    #[serde(rename = "t")]
    pub threshold: u32,
    /// Which key.
    pub key_id: String,
    /// The message, Base64 of its UTF-8 text.
    pub message: String,
}

impl SignRequest {
    /// A request over the text of a message; a threshold of 0 is an error.
    pub fn new(threshold: u32, key_id: impl Into<String>, message: &str) -> Result<Self, ProtocolError> {
        if threshold == 0 {
            return Err(ProtocolError::invalid("threshold", "at least 1", 0));
        }
        Ok(Self { threshold, key_id: key_id.into(), message: BASE64_STANDARD.encode(message) })
    }

    /// The text of the message.
    pub fn decoded_message(&self) -> Result<String, ProtocolError> {
        let invalid = || ProtocolError::invalid("message", "Base64 of UTF-8 text", &self.message);
        let bytes = BASE64_STANDARD.decode(&self.message).map_err(|_| invalid())?;
        String::from_utf8(bytes).map_err(|_| invalid())
    }

    fn setup(&self) -> Value {
        json!({ "t": self.threshold, "key_id": self.key_id, "message": self.message })
    }

    /// The first frame to the service.
    pub fn opening_frame(&self) -> String {
        self.setup().to_string()
    }

    /// The text over whose UTF-8 bytes the ephemeral key signs (Ed25519).
    pub fn signed_text(&self, challenge: &str) -> String {
        json!({ "setup": self.setup(), "challenge": challenge }).to_string()
    }

    /// The frame that answers the challenge with the ephemeral key's signature (64 bytes).
    pub fn authentication_frame(&self, owner: Address, ephemeral_key: &[u8; 32], signature: &[u8; 64]) -> String {
        super::authentication(owner, ephemeral_key, 0, "ephemeral", signature).to_string()
    }
}
