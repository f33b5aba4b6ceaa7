//! Export and import with WebCrypto and the local store.

use alloy::primitives::Address;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AesDerivedKeyParams, CryptoKey, Pbkdf2Params};
use zeroize::Zeroizing;

use super::{Content, Header, Imported, Key, KeyKind, Sealed, Secret, check_passphrase, merge, read};
use crate::{
    actions::ports::SessionStore,
    client::{
        browser_storage, remembered,
        session_store::{
            changes,
            key_vault::{self, crypto, failed, finish, parameters, subtle},
            local::LocalSessionStore,
            signers::signer_of,
        },
    },
    error::AppError,
    protocol::{
        distributed_key::{EphemeralKey, is_distributed},
        session::SessionBook,
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
        let found = match is_distributed(leaf) {
            true => store.ephemeral_key(account, address).await.map(|key| (KeyKind::Ed25519, *key.seed())),
            false => store.signer(account, address).await.map(|key| (KeyKind::Secp256k1, key.to_bytes().0)),
        };
        match found {
            Ok((kind, secret)) => keys.push(Key { address, kind, secret: Secret(Zeroizing::new(secret)) }),
            // A session whose key was never here.
            Err(AppError::SessionNotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let text = serde_json::to_vec(&Content { sessions, keys }).map(Zeroizing::new).map_err(|_| failed("encoding"))?;
    let (mut salt, mut iv) = ([0; 16], [0; 12]);
    for random in [&mut salt[..], &mut iv[..]] {
        crypto()?.get_random_values_with_u8_array(random).map_err(|_| failed("the browser gives no randomness"))?;
    }
    let header = Header::new(account, salt, iv);
    let key = derive(passphrase, &header, "encrypt").await?;
    let plain = Uint8Array::from(text.as_slice());
    let sealing =
        subtle()?.encrypt_with_object_and_js_u8_array(&parameters(&header.iv, &header.associated_data()), &key, &plain);
    let ciphertext = finish(sealing).await;
    plain.fill(0, 0, plain.length());
    let ciphertext = ciphertext.map_err(|_| failed("it cannot be encrypted"))?.to_vec().into();
    serde_json::to_string(&Sealed { header, ciphertext }).map_err(|_| failed("encoding"))
}

/// Opens an exported text and adds what is in it to this browser. Compare with the chain afterwards
/// ([`crate::actions::sync_sessions`]). Importing twice changes nothing.
///
/// # Errors
/// `InvalidInput` for another text or a wrong passphrase (which cannot be told apart from a changed text); those of the
/// store. Nothing is changed then, or only keys were added.
pub async fn import_sessions(text: &str, passphrase: &str) -> Result<Imported, AppError> {
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
    let damaged = |_| AppError::invalid("export", "sessions and keys", "something else");
    let Content { sessions, keys } = serde_json::from_slice(&content).map_err(damaged)?;
    let store = LocalSessionStore;
    for key in &keys {
        match key.kind {
            KeyKind::Secp256k1 => store.put_signer(account, &signer_of(key.address, key.secret.0.as_slice())?).await?,
            KeyKind::Ed25519 => {
                let ephemeral = EphemeralKey::from_seed(&key.secret.0);
                store.put_ephemeral_key(account, key.address, &ephemeral).await?;
            }
        }
    }
    let mut added = 0;
    let change = |book: &mut SessionBook| {
        added = merge(book, sessions, |address| keys.iter().any(|key| key.address == address));
        Ok(())
    };
    store.update(account, Box::new(change)).await?;
    Ok(Imported { account, sessions: added, keys: keys.len() })
}

/// Removes the account's sessions, keys and log from this browser, with what was set aside as unreadable. On chain
/// nothing changes: what is not revoked stays valid for whoever has a copy of a key.
///
/// # Errors
/// `Storage` when local storage is blocked.
pub fn forget_account(account: Address) -> Result<(), AppError> {
    let own = format!("{account:#x}_");
    for name in browser_storage::names()?.iter().filter(|name| name.starts_with(&own)) {
        browser_storage::remove(name);
    }
    if let Some((kind, _)) = remembered::account_at(account) {
        remembered::forget_account(kind);
    }
    changes::notify(account);
    Ok(())
}

/// Removes the account from this browser ([`forget_account`]), and the key that encrypts session keys when no account
/// is left that needs it.
///
/// # Errors
/// `Storage` when local storage or IndexedDB is blocked.
pub async fn forget_device(account: Address) -> Result<(), AppError> {
    forget_account(account)?;
    let is_of_an_account = |name: &String| name.starts_with("0x") && name.contains("_signers");
    match browser_storage::names()?.iter().any(is_of_an_account) {
        true => Ok(()),
        false => key_vault::forget().await,
    }
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
