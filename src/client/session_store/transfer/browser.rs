//! Export and import with WebCrypto and the local store.

use alloy::primitives::Address;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AesDerivedKeyParams, CryptoKey, Pbkdf2Params};
use zeroize::Zeroizing;

use super::{
    Content, Header, Imported, Key, KeyKind, NexusTransfer, Opened, Sealed, Secret, VERSION, check_passphrase, merge,
    nexus, read,
};
use crate::{
    actions::ports::SessionStore,
    client::session_store::{
        key_vault::{crypto, failed, finish, parameters, subtle},
        local::LocalSessionStore,
        nexus::NexusStore,
        signers::signer_of,
    },
    error::AppError,
    protocol::{
        distributed_key::{EphemeralKey, is_distributed},
        session::SessionBook,
        session_scheme::SessionScheme,
        smart_sessions::SmartSessions,
    },
};

/// Everything stored for the account, encrypted with a passphrase. The keys leave the browser's own encryption for
/// this, and only inside the result.
///
/// # Errors
/// `InvalidInput` for a short passphrase; `Key` and `Storage` when a stored key cannot be read.
pub async fn export_sessions(account: Address, passphrase: &str) -> Result<String, AppError> {
    check_passphrase(passphrase)?;
    let store = LocalSessionStore;
    store.take_over_clear_text(account).await?;
    let sessions = store.load(account).await?;
    let lost = store.lost_keys(account).await?;
    let mut keys = Vec::<Key>::new();
    for leaf in &sessions.leaf_nodes {
        let address = leaf.session_key_address;
        if leaf.is_on_other_device() || lost.contains(&address) || keys.iter().any(|key| key.address == address) {
            continue;
        }
        keys.extend(stored_key(account, address, is_distributed(leaf)).await?);
    }
    seal(VERSION, account, passphrase, &Content { sessions, keys }).await
}

/// [`export_sessions`] of a Nexus account.
///
/// # Errors
/// As [`export_sessions`].
pub async fn export_nexus(account: Address, passphrase: &str) -> Result<String, AppError> {
    check_passphrase(passphrase)?;
    let lost = LocalSessionStore.lost_keys(account).await?;
    let mut keys = Vec::<Key>::new();
    for (address, is_distributed) in LocalSessionStore.stored_keys(account)? {
        if !lost.contains(&address) {
            keys.extend(stored_key(account, address, is_distributed).await?);
        }
    }
    let sessions = NexusStore.records(account, SmartSessions::NAME).await?;
    let content = NexusTransfer { account: NexusStore.account(account)?, sessions, keys };
    seal(nexus::VERSION, account, passphrase, &content).await
}

/// `None`: a session whose key was never here.
async fn stored_key(account: Address, address: Address, is_distributed: bool) -> Result<Option<Key>, AppError> {
    let store = LocalSessionStore;
    let found = match is_distributed {
        true => store.ephemeral_key(account, address).await.map(|key| (KeyKind::Ed25519, *key.seed())),
        false => store.signer(account, address).await.map(|key| (KeyKind::Secp256k1, key.to_bytes().0)),
    };
    match found {
        Ok((kind, secret)) => Ok(Some(Key { address, kind, secret: Secret(Zeroizing::new(secret)) })),
        Err(AppError::SessionNotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn seal<T: serde::Serialize>(
    version: u32,
    account: Address,
    passphrase: &str,
    content: &T,
) -> Result<String, AppError> {
    let text = serde_json::to_vec(content).map(Zeroizing::new).map_err(|_| failed("encoding"))?;
    let (mut salt, mut iv) = ([0; 16], [0; 12]);
    for random in [&mut salt[..], &mut iv[..]] {
        crypto()?.get_random_values_with_u8_array(random).map_err(|_| failed("the browser gives no randomness"))?;
    }
    let header = Header::new(version, account, salt, iv);
    let key = derive(passphrase, &header, "encrypt").await?;
    let plain = Uint8Array::from(text.as_slice());
    let sealing =
        subtle()?.encrypt_with_object_and_js_u8_array(&parameters(&header.iv, &header.associated_data()), &key, &plain);
    let ciphertext = finish(sealing).await;
    plain.fill(0, 0, plain.length());
    let ciphertext = ciphertext.map_err(|_| failed("it cannot be encrypted"))?.to_vec().into();
    serde_json::to_string(&Sealed { header, ciphertext }).map_err(|_| failed("encoding"))
}

/// Opens an exported text. Sessions of a Smart Account V2 are added to this browser: compare with the chain afterwards
/// ([`crate::actions::sync_sessions`]). Importing twice changes nothing.
///
/// # Errors
/// `InvalidInput` for another text or a wrong passphrase (which cannot be told apart from a changed text); those of the
/// store. Nothing is changed then, or only keys were added.
pub async fn import_sessions(text: &str, passphrase: &str) -> Result<Opened, AppError> {
    let Sealed { header, ciphertext } = read(text)?;
    let account = header.account;
    let key = derive(passphrase, &header, "decrypt").await?;
    let sealed = Uint8Array::from(ciphertext.as_ref());
    let opening = subtle()?.decrypt_with_object_and_js_u8_array(
        &parameters(&header.iv, &header.associated_data()),
        &key,
        &sealed,
    );
    let plain = finish(opening).await.map_err(|_| {
        AppError::invalid("passphrase", "the passphrase of this text, and the text unchanged", "another")
    })?;
    let content = Zeroizing::new(plain.to_vec());
    plain.fill(0, 0, plain.length());
    let damaged = || AppError::invalid("export", "sessions and keys", "something else");
    if header.version == nexus::VERSION {
        let transfer: NexusTransfer = serde_json::from_slice(&content).map_err(|_| damaged())?;
        return match transfer.account.address == account {
            true => Ok(Opened::Nexus(transfer)),
            false => Err(damaged()),
        };
    }
    let Content { sessions, keys } = serde_json::from_slice(&content).map_err(|_| damaged())?;
    put_keys(account, &keys).await?;
    let mut added = 0;
    let change = |book: &mut SessionBook| {
        added = merge(book, sessions, |address| keys.iter().any(|key| key.address == address));
        Ok(())
    };
    LocalSessionStore.update(account, Box::new(change)).await?;
    Ok(Opened::V2(Imported { account, sessions: added, keys: keys.len() }))
}

/// Keeps keys that came in, encrypted by this browser's own.
///
/// # Errors
/// `Key` for one that is not of its address; those of the store.
pub async fn put_keys(account: Address, keys: &[Key]) -> Result<(), AppError> {
    let store = LocalSessionStore;
    for Key { address, kind, secret } in keys {
        match kind {
            KeyKind::Secp256k1 => store.put_signer(account, &signer_of(*address, secret.0.as_slice())?).await?,
            KeyKind::Ed25519 => {
                store.put_ephemeral_key(account, *address, &EphemeralKey::from_seed(&secret.0)).await?;
            }
        }
    }
    Ok(())
}

async fn derive(passphrase: &str, header: &Header, usage: &str) -> Result<CryptoKey, AppError> {
    let subtle = subtle()?;
    let bytes = Uint8Array::from(passphrase.as_bytes());
    let unusable = |_| failed("the browser derives no key");
    let base = subtle.import_key_with_str("raw", &bytes, "PBKDF2", false, &Array::of1(&"deriveKey".into()));
    let base: CryptoKey =
        JsFuture::from(base.map_err(unusable)?).await.and_then(|key| key.dyn_into()).map_err(unusable)?;
    bytes.fill(0, 0, bytes.length());
    let salt = Uint8Array::from(header.salt.as_ref());
    let parameters = Pbkdf2Params::new("PBKDF2", &"SHA-256".into(), header.iterations, &salt);
    let kind = AesDerivedKeyParams::new("AES-GCM", 256);
    let derived =
        subtle.derive_key_with_object_and_object(&parameters, &base, &kind, false, &Array::of1(&usage.into()));
    JsFuture::from(derived.map_err(unusable)?).await.and_then(|key| key.dyn_into()).map_err(unusable)
}
