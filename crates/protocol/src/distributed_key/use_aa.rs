//! The wire of `@biconomy/use-aa`'s service, which no longer exists (docs/protocol.md 7.2, 7.5): kept so that what its clients
//! stored and sent can be read and compared. Our own network speaks [`super::Grant`] and
//! [`super::SignRequest`], which cover what this form leaves out (10-D5).

use alloy::primitives::{Address, Bytes, hex};
use serde_json::{Value, json};

use super::address_of_public_key;
use crate::ProtocolError;

mod key_generation;
mod sign_request;

pub use key_generation::KeyGeneration;
pub use sign_request::{SignRequest, parse_message, user_operation_message};

/// Reads `<x>=<first>:<y>=<second>`, the form of the nodes' answers; the names are ignored.
fn two_values(answer: &str) -> Option<(&str, &str)> {
    let (first, second) = answer.split_once(':')?;
    Some((first.split_once('=')?.1, second.split_once('=')?.1))
}

/// Key id and address of the session key in the answer to a key generation.
pub fn parse_key_answer(answer: &str) -> Result<(String, Address), ProtocolError> {
    let invalid = || ProtocolError::invalid("answer", "name=keyId:name=publicKey", answer);
    let (key_id, public_key) = two_values(answer).ok_or_else(invalid)?;
    let public_key = hex::decode(public_key).map_err(|_| invalid())?;
    Ok((key_id.to_owned(), address_of_public_key(&public_key)?))
}

/// The session signature `r‖s‖v` in the answer to a sign request.
pub fn parse_sign_answer(answer: &str) -> Result<Bytes, ProtocolError> {
    let invalid = || ProtocolError::invalid("answer", "name=128 hex digits:name=recovery id 0 or 1", answer);
    let (signature, recovery_id) = two_values(answer).ok_or_else(invalid)?;
    session_signature(signature, recovery_id.parse().map_err(|_| invalid())?)
}

/// `0x ‖ r‖s ‖ v`, v 27 for recovery id 0 and 28 for 1.
pub fn session_signature(r_and_s: &str, recovery_id: u8) -> Result<Bytes, ProtocolError> {
    let mut signature = [0u8; 65];
    hex::decode_to_slice(r_and_s, &mut signature[..64])
        .map_err(|_| ProtocolError::invalid("sign", "64 bytes of hex", r_and_s))?;
    if recovery_id > 1 {
        return Err(ProtocolError::invalid("recid", "0 or 1", recovery_id));
    }
    signature[64] = 27 + recovery_id;
    Ok(Bytes::from(signature))
}

/// The frame that answers a challenge. `method` is `eoa` for the owner's signature and `ephemeral` for
/// the ephemeral key's; `expiry` in unix seconds, 0 where it says nothing.
fn authentication(owner: Address, ephemeral_key: &[u8], expiry: u64, method: &str, signature: &[u8]) -> Value {
    let owner = owner.to_checksum(None);
    // the order of these fields is part of the wire format, because they travel as text
    let credentials = json!({ "eoa": owner, "ephPK": hex::encode_prefixed(ephemeral_key), "expiry": expiry });
    json!({
        "credentials": { "credentials": credentials.to_string(), "method": method, "id": owner },
        "signature": hex::encode_prefixed(signature),
    })
}
