//! The same for a Nexus account, of a release whose addresses follow without a factory's code.

use alloy::primitives::keccak256;
use use_aa::protocol::{
    distributed_key::{NEXUS_GRANT_VERSION, NexusGrant, sessions_hash},
    entry_point::EntryPoint,
    nexus::{NexusRelease, NexusSetup, NonceKey, encode_calls},
    session_scheme::{ActionLimits, SessionLimits},
    smart_sessions::{addresses::SMART_SESSION, ids::permission_id, session_of, use_signature},
};

use super::*;

pub const RELEASE: NexusRelease = NexusRelease::V1_0_2;

impl Session {
    /// May mint to the account, five times in all, as somebody else's guest, too.
    pub fn on_nexus(key: PooledKey, nodes: usize) -> Self {
        let v2 = Self::new(key, nodes);
        let setup = NexusSetup::new(RELEASE).with_validator(SMART_SESSION);
        let account = setup.address(v2.owner.address()).unwrap().unwrap();
        let uses = ActionLimits { uses: Some(5), ..ActionLimits::default() };
        let limits = SessionLimits { sponsored: true, ..SessionLimits::default() };
        let salt = keccak256(v2.key.key_id);
        let policies = [(policy(account).into(), uses)];
        let session = session_of(&policies, v2.key.address, salt, &limits, account, now()).unwrap();
        let sessions = vec![session];
        let grant = Grant {
            version: NEXUS_GRANT_VERSION,
            account,
            entry_point: EntryPoint::V07.address(),
            policy_hash: sessions_hash(&sessions),
            nexus: Some(NexusGrant { release: RELEASE, permission_ids: sessions.iter().map(permission_id).collect() }),
            ..v2.grant
        };
        let proof = NexusProof {
            sessions,
            safe_senders: Vec::new(),
            further_validators: setup.further_validators,
            proxy_creation_code: None,
        };
        Self { grant, leaves: Vec::new(), nexus: Some(proof), ..v2 }
    }

    /// A use of its session; `number` tells operations apart.
    pub fn use_of(&self, calls: &[Call], number: u64) -> UserOperation {
        let session = &self.nexus.as_ref().unwrap().sessions[0];
        UserOperation {
            entry_point: EntryPoint::V07,
            nonce: NonceKey::new(SMART_SESSION, 3).unwrap().nonce(number),
            call_data: encode_calls(calls).unwrap(),
            signature: use_signature(permission_id(session), &[]),
            ..self.operation(number)
        }
    }
}
