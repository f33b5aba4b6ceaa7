//! Single-use nonces. Drawing one costs no memory: a nonce carries its own end and kind under a keyed hash, and only
//! used ones are remembered, until they lapse. The key of the hash dies with the process, and all nonces with it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use alloy::primitives::{B256, keccak256};

use use_aa_protocol::distributed_key::RunKind;

/// A person reads and confirms the grant meanwhile, seconds.
const GRANT_LIFETIME: u64 = 600;
/// Seconds.
const LIFETIME: u64 = 60;
/// Used nonces of one kind that are remembered. When full, none of this kind is accepted until the oldest lapse; what the
/// app server uses up leaves the operator's alone.
const MAX_USED: usize = 50_000;

/// Why a nonce is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NonceError {
    /// Not drawn here since the start, or for another kind.
    #[error("the nonce is not this node's")]
    Unknown,
    /// Its time is over.
    #[error("the nonce has lapsed")]
    Lapsed,
    /// It was used.
    #[error("the nonce was used before")]
    Used,
    /// Too many at the moment.
    #[error("too many requests at the moment")]
    Busy,
}

/// Draws and accepts nonces.
pub struct Nonces {
    key: B256,
    used: Mutex<HashMap<RunKind, HashMap<B256, u64>>>,
}

impl Default for Nonces {
    fn default() -> Self {
        Self { key: rand::random::<[u8; 32]>().into(), used: Mutex::default() }
    }
}

impl Nonces {
    /// `end (4) ‖ kind (1) ‖ random (11) ‖ tag (16)`, and its end in unix seconds.
    pub fn draw(&self, kind: RunKind, now: u64) -> (B256, u64) {
        let expires = now + if kind == RunKind::KeyGeneration { GRANT_LIFETIME } else { LIFETIME };
        let mut nonce = B256::ZERO;
        // Until the year 2106.
        nonce[..4].copy_from_slice(&u32::try_from(expires).unwrap_or(u32::MAX).to_be_bytes());
        nonce[4] = code(kind);
        nonce[5..16].copy_from_slice(&rand::random::<[u8; 11]>());
        let tag = self.tag(&nonce);
        nonce[16..].copy_from_slice(&tag);
        (nonce, expires)
    }

    fn tag(&self, nonce: &B256) -> [u8; 16] {
        let hash = keccak256([self.key.as_slice(), &nonce[..16]].concat());
        let mut tag = [0; 16];
        tag.copy_from_slice(&hash[..16]);
        tag
    }

    /// Is it ours, of this kind, and in time? Does not use it.
    pub fn check(&self, kind: RunKind, nonce: &B256, now: u64) -> Result<(), NonceError> {
        if self.tag(nonce)[..] != nonce[16..] || nonce[4] != code(kind) {
            return Err(NonceError::Unknown);
        }
        if expires(nonce) <= now {
            return Err(NonceError::Lapsed);
        }
        Ok(())
    }

    /// Uses it: succeeds once.
    pub fn spend(&self, kind: RunKind, nonce: &B256, now: u64) -> Result<(), NonceError> {
        self.check(kind, nonce, now)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let used = used.entry(kind).or_default();
        if used.contains_key(nonce) {
            return Err(NonceError::Used);
        }
        if used.len() >= MAX_USED {
            used.retain(|_, expires| *expires > now);
            if used.len() >= MAX_USED {
                return Err(NonceError::Busy);
            }
        }
        used.insert(*nonce, expires(nonce));
        Ok(())
    }
}

fn expires(nonce: &B256) -> u64 {
    u64::from(u32::from_be_bytes([nonce[0], nonce[1], nonce[2], nonce[3]]))
}

fn code(kind: RunKind) -> u8 {
    match kind {
        RunKind::Pool => 1,
        RunKind::KeyGeneration => 2,
        RunKind::Signing => 3,
        RunKind::Refresh => 4,
        RunKind::Repair => 5,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_nonce_is_good_once_in_time_and_for_its_kind() {
        let nonces = Nonces::default();
        let (nonce, expires) = nonces.draw(RunKind::Signing, 1000);
        assert_eq!(expires, 1060);
        assert_eq!(nonces.spend(RunKind::Pool, &nonce, 1000), Err(NonceError::Unknown));
        assert_eq!(nonces.spend(RunKind::Signing, &nonce, 1060), Err(NonceError::Lapsed));
        assert_eq!(nonces.spend(RunKind::Signing, &nonce, 1059), Ok(()));
        assert_eq!(nonces.spend(RunKind::Signing, &nonce, 1059), Err(NonceError::Used));
        assert_eq!(Nonces::default().check(RunKind::Signing, &nonce, 1000), Err(NonceError::Unknown));
        assert_eq!(nonces.draw(RunKind::KeyGeneration, 1000).1, 1600);
    }

    #[test]
    fn who_uses_up_one_kind_leaves_the_others() {
        let nonces = Nonces::default();
        let spend = |kind| nonces.spend(kind, &nonces.draw(kind, 1000).0, 1000);
        assert!((0..MAX_USED).all(|_| spend(RunKind::Pool).is_ok()));
        assert_eq!(spend(RunKind::Pool), Err(NonceError::Busy));
        assert_eq!((spend(RunKind::Signing), spend(RunKind::Refresh)), (Ok(()), Ok(())));
        let (later, _) = nonces.draw(RunKind::Pool, 1060);
        assert_eq!(nonces.spend(RunKind::Pool, &later, 1060), Ok(()));
    }

    #[test]
    fn no_bit_can_be_changed() {
        let nonces = Nonces::default();
        let (nonce, _) = nonces.draw(RunKind::Refresh, 1000);
        for position in 0..32 {
            let mut changed = nonce;
            changed[position] ^= 1;
            assert_eq!(nonces.check(RunKind::Refresh, &changed, 1000), Err(NonceError::Unknown), "{position}");
        }
    }
}
