//! The same on a Nexus account: the nodes sign for Smart Sessions, and the chain's own contracts take it.

use std::rc::Rc;

use alloy::signers::local::PrivateKeySigner;
use use_aa::{
    actions::{
        account::SmartAccountClient,
        account_kind::nexus::{
            NexusSessions, connect, create_session_with_distributed_key, owner_setup, send_with_distributed_session,
            send_with_session,
        },
        create_session::CreateSessionVariables,
    },
    client::{relay_native::HttpRelay, session_store::memory::MemorySessionStore, wallet::local::LocalWallet},
    protocol::{
        entry_point::EntryPoint,
        nexus::{CallType, ExecType, ExecutionMode, NonceKey, encode_calls, encode_mode},
        policy::{Condition, Policy},
        session_scheme::ActionLimits,
        smart_account::Call,
        smart_sessions::{addresses::SMART_SESSION, use_signature},
        user_operation::UserOperation,
    },
};

use super::*;

/// What is asked for instead.
type Change<'a> = &'a dyn Fn(&mut UserOperation);

pub struct NexusPerson {
    relay: Rc<HttpRelay>,
    client: SmartAccountClient,
    store: MemorySessionStore,
    sessions: NexusSessions,
}

impl NexusPerson {
    /// With a session that may mint to the account, nine times in all; the account is created with it.
    pub async fn granted(relay: &Rc<HttpRelay>) -> Self {
        let wallet = Rc::new(LocalWallet::new(PrivateKeySigner::random(), 31_337));
        let (client, account) = connect(wallet, relay.clone(), None, &owner_setup()).await.unwrap();
        let store = MemorySessionStore::new();
        let sessions = NexusSessions::new(client.shared_kind(), relay.clone(), Rc::new(store.clone()));
        let person = Self { relay: relay.clone(), client, store, sessions };
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, account.address);
        let request = CreateSessionVariables {
            policy: vec![mint],
            label: Some("mint".into()),
            limits: vec![ActionLimits { uses: Some(9), ..ActionLimits::default() }],
            ..CreateSessionVariables::default()
        };
        let (keys, client) = (relay.as_ref(), &person.client);
        let granting = create_session_with_distributed_key(&person.sessions, client, &account, keys, request);
        let response = granting.await.unwrap();
        person.mined(response.user_op_hash).await;
        let leaf = person.leaf().await;
        let info = DanModuleInfo::of(&leaf).unwrap().unwrap();
        assert_eq!((info.parties_number, info.threshold, info.chain_id), (5, 3, 31_337));
        assert_eq!((leaf.status, leaf.max_operation_cost), (SessionStatus::Active, Some(DEFAULT_MAX_OPERATION_COST)));
        assert!(person.store.signer(account.address, leaf.session_key_address).await.is_err(), "nobody holds the key");
        person
    }

    async fn mined(&self, user_op_hash: B256) {
        wait_for_user_operation_receipt(self.relay.as_ref(), user_op_hash, |_| {}).await.unwrap();
    }

    async fn leaf(&self) -> use_aa::protocol::session::SessionLeaf {
        self.sessions.listing().await.unwrap().leaves.remove(0)
    }

    pub async fn nfts(&self) -> u64 {
        nfts_of(self.relay.as_ref(), self.client.account).await
    }

    fn calling(&self, call: Call) -> SendWithSessionRequest {
        SendWithSessionRequest { account: self.client.account, calls: vec![call], ..Default::default() }
    }

    pub async fn mint(&self) -> Result<(), AppError> {
        let request = self.calling(Person::mint_call(self.client.account));
        let sent = send_with_distributed_session(&self.sessions, self.relay.as_ref(), request).await?;
        self.mined(sent.user_op_hash).await;
        Ok(())
    }

    /// What the page refuses itself, and what it would refuse that asks the nodes past it.
    pub async fn asks_for_too_much(&self) {
        let own = self.calling(Person::mint_call(self.client.account));
        let ordinary = send_with_session(&self.sessions, own).await.unwrap_err();
        assert!(matches!(ordinary, AppError::SessionNotFound { .. }), "{ordinary:?}");
        let elsewhere = self.calling(Person::mint_call(STRANGER));
        let keys = self.relay.as_ref();
        let error = send_with_distributed_session(&self.sessions, keys, elsewhere).await.unwrap_err();
        assert!(matches!(error, AppError::PolicyViolation { .. }), "{error:?}");

        let error = self.directly(|op| op.call_data = encode_calls(&[Person::mint_call(STRANGER)]).unwrap()).await;
        assert!(matches!(&error, AppError::PolicyViolation { reason, .. } if reason.contains("says node")), "{error}");
        let delegate = ExecutionMode { call_type: CallType::Delegate, exec_type: ExecType::Default }.to_word();
        let refused: [(&str, Change<'_>); 4] = [
            ("other-account", &|op| op.sender = STRANGER),
            ("other-permission", &|op| op.signature = use_signature(B256::repeat_byte(7), &[])),
            ("execution-refused", &|op| op.call_data = encode_mode(delegate, &[Person::mint_call(STRANGER)])),
            ("operation-cost", &|op| op.max_fee_per_gas = U256::from(1_000_000_000_000_u64)),
        ];
        for (expected, change) in refused {
            assert_eq!(code(&self.directly(change).await), expected);
        }
    }

    async fn directly(&self, change: impl Fn(&mut UserOperation)) -> AppError {
        let (relay, account, leaf) = (self.relay.as_ref(), self.client.account, self.leaf().await);
        let info = DanModuleInfo::of(&leaf).unwrap().unwrap();
        let nonces = relay.challenge(info.threshold).await.unwrap();
        let mut request = SignRequest {
            key_id: info.mpc_key_id.parse().unwrap(),
            user_operation: UserOperation {
                entry_point: EntryPoint::V07,
                sender: account,
                nonce: NonceKey::new(SMART_SESSION, 5).unwrap().nonce(0),
                call_data: encode_calls(&[Person::mint_call(account)]).unwrap(),
                call_gas_limit: U256::from(200_000),
                verification_gas_limit: U256::from(400_000),
                pre_verification_gas: U256::from(60_000),
                max_fee_per_gas: U256::from(2_000_000_000_u64),
                signature: use_signature(leaf.session_id.parse().unwrap(), &[]),
                ..UserOperation::default()
            },
            entry_point: EntryPoint::V07.address(),
            chain_id: info.chain_id,
            challenge: joint_challenge(RunKind::Signing, &nonces).unwrap(),
            signers: nonces.iter().map(|nonce| nonce.node).collect(),
            ephemeral_signature: Bytes::new(),
        };
        change(&mut request.user_operation);
        let key = self.store.ephemeral_key(account, leaf.session_key_address).await.unwrap();
        key.sign(&mut request);
        match relay.sign(&request, &nonces, leaf.session_key_address).await {
            Err(error) => error,
            Ok(outcome) => panic!("{outcome:?}"),
        }
    }

    /// Taken back at the nodes: the chain has the session, and nobody can sign for it.
    pub async fn is_taken_back(&self) {
        let before = self.nfts().await;
        let leaf = self.leaf().await;
        self.sessions.revoke_at_nodes(self.relay.as_ref(), &leaf.session_id).await.unwrap();
        assert_eq!(code(&self.mint().await.unwrap_err()), "revoked");
        assert_eq!((self.nfts().await, self.leaf().await.status), (before, SessionStatus::Active));
    }
}
