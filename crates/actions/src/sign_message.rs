//! Message signatures of a smart account: ERC-1271, and ERC-6492 while it has no code (docs/protocol.md 2.14).

use alloy::{
    primitives::{Address, B256, Bytes, Signature, U256, eip191_hash_message},
    sol_types::SolCall,
};
use serde_json::{Value, json};

use super::{account::SmartAccountClient, owner_signature::owner_signature, ports::Relay};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    abi::ISmartAccount,
    addresses::{ACCOUNT_FACTORY, ECDSA_MODULE},
    signature::{split_counterfactual, unwrap},
    smart_account::{AccountTemplate, counterfactual_address},
};

/// What `isValidSignature` answers for a good signature.
const ERC_1271_VALID: [u8; 4] = ISmartAccount::isValidSignatureCall::SELECTOR;

/// Signs a message in the name of the account: the owner's `personal_sign` over it, wrapped with the module that
/// made it (`@biconomy/use-aa` names the default module, whichever signed; docs/protocol.md 10-S12). While the account has no code the
/// signature also says how it is deployed (ERC-6492), so that it can be checked before.
///
/// Session keys sign no messages: their module accepts none.
///
/// # Errors
/// `WalletRejected`; `NotTheOwnersSignature`, `OwnerIsContract` when what comes back is no signature of the owner; those of reading the chain.
pub async fn sign_message(client: &SmartAccountClient, message: &[u8]) -> Result<Bytes, AppError> {
    let state = client.kind().read_state(client.relay.as_ref(), U256::ZERO).await?;
    let given = client.wallet.sign_message(message).await?;
    let signature = owner_signature(client.owner, eip191_hash_message(message), &given)?;
    Ok(client.kind().message_signature(signature, state.deployed)?)
}

/// Is `signature` the account's over `message`? Asks the account where it has code (ERC-1271). Where it has none, the
/// signature must tell how the account is deployed (ERC-6492): by our factory, for the owner who signed.
///
/// # Errors
/// Those of reading the chain. A signature that is wrong in any way is `false`.
pub async fn verify_message(
    relay: &dyn Relay,
    account: Address,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, AppError> {
    let state = relay.account_state(account, U256::ZERO).await?;
    let told = split_counterfactual(signature);
    if state.deployed {
        let wrapped = told.map_or_else(|| signature.to_vec().into(), |(_, _, wrapped)| wrapped);
        return is_valid_signature(relay, account, eip191_hash_message(message), wrapped).await;
    }
    Ok(told.is_some_and(|(factory, factory_data, wrapped)| {
        owner_of(message, &wrapped).is_some_and(|owner| {
            factory == ACCOUNT_FACTORY
                && factory_data == AccountTemplate::ecdsa(owner).factory_data(U256::ZERO)
                && counterfactual_address(owner, U256::ZERO) == account
        })
    }))
}

/// Asks the account. One that reverts does not take the signature for good.
async fn is_valid_signature(relay: &dyn Relay, account: Address, hash: B256, wrapped: Bytes) -> Result<bool, AppError> {
    let data = ISmartAccount::isValidSignatureCall { dataHash: hash, moduleSignature: wrapped }.abi_encode();
    let call = json!([{"to": account, "data": Bytes::from(data)}, "latest"]);
    match relay.read("eth_call", call).await {
        Ok(answer) => Ok(answers(&answer, ERC_1271_VALID)),
        Err(AppError::UpstreamRejected { upstream: Upstream::Node, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// One word that begins with the magic value and holds nothing else.
fn answers(answer: &Value, magic: [u8; 4]) -> bool {
    let word = answer.as_str().and_then(|text| text.parse::<B256>().ok());
    word.is_some_and(|word| word == B256::right_padding_from(&magic))
}

/// Who signed the message, when the signature names the ECDSA module.
fn owner_of(message: &[u8], wrapped: &[u8]) -> Option<Address> {
    let (module, signature) = unwrap(wrapped).ok()?;
    let signature = Signature::from_raw(&signature).ok()?;
    // As the module: the upper half of s is refused.
    let in_lower_half = signature.normalize_s().is_none();
    (module == ECDSA_MODULE && in_lower_half).then(|| signature.recover_address_from_msg(message).ok()).flatten()
}
