//! EIP-712: what a wallet shows, and the digest that it signs.

use alloy::{
    primitives::{Address, B256, Signature},
    sol_types::{Eip712Domain, SolStruct, eip712_domain},
};
use serde_json::{Value, json};

use super::Refusal;

/// Typed data and its digest, for wallets that show the one and sign the other.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedData {
    /// The second parameter of `eth_signTypedData_v4`.
    pub json: Value,
    /// What is signed.
    pub digest: B256,
}

/// The domain of everything that owners sign for the nodes. The chain id makes wallets on another chain refuse.
fn domain(version: &str, chain_id: u64) -> Eip712Domain {
    eip712_domain! { name: "use-aa distributed session", version: version.to_owned(), chain_id: chain_id, }
}

/// Typed data of this version over `message`, whose fields in JSON are `fields`: name, type and value.
pub(super) fn typed_data<T: SolStruct>(
    version: u32,
    chain_id: u64,
    message: &T,
    fields: Vec<(&str, &str, Value)>,
) -> TypedData {
    let version = version.to_string();
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    let types: Vec<Value> = fields.iter().map(|(name, kind, _)| field(name, kind)).collect();
    let values: serde_json::Map<_, _> = fields.into_iter().map(|(name, _, value)| (name.to_owned(), value)).collect();
    let domain_types = [field("name", "string"), field("version", "string"), field("chainId", "uint256")];
    let json = json!({
        "types": { "EIP712Domain": domain_types, T::NAME: types },
        "primaryType": T::NAME,
        "domain": { "name": "use-aa distributed session", "version": version, "chainId": chain_id },
        "message": values,
    });
    TypedData { json, digest: message.eip712_signing_hash(&domain(&version, chain_id)) }
}

/// Checks that `owner` signed the digest: r‖s‖v with s in the lower half, v 27, 28, 0 or 1.
pub(super) fn signed_by(owner: Address, digest: B256, signature: &[u8]) -> Result<(), Refusal> {
    let refused = || Refusal::NotTheOwner { owner };
    let parsed = Signature::try_from(signature).map_err(|_| refused())?;
    if signature.len() != 65 || parsed.normalize_s().is_some() {
        return Err(refused());
    }
    let signer = parsed.recover_address_from_prehash(&digest).map_err(|_| refused())?;
    if signer == owner { Ok(()) } else { Err(refused()) }
}
