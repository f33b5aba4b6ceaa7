//! A key that is granted for a Nexus account: every node signs what was granted, and refuses everything else.

use use_aa::protocol::{
    addresses::{TOKEN_PAYMASTER_V07, VERIFYING_PAYMASTER_V07},
    distributed_key::sessions_hash,
    entry_point::{EntryPoint, v07},
    nexus::{CallType, ExecType, ExecutionMode, NonceKey, encode_calls, encode_mode},
    smart_sessions::{PolicyConfig, use_signature},
};

use super::{dan_support::nexus::RELEASE, *};

/// What is granted instead.
type Granting = fn(&mut Session);
/// What is asked for instead.
type Change = Box<dyn Fn(&mut UserOperation) + Send + Sync>;

fn mint(to: Address) -> Call {
    let data = [&[0x40, 0xd0, 0x97, 0xc3][..], to.into_word().as_slice()].concat();
    Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }
}

/// What is not the owner's or must not be granted binds no key, at any node.
async fn only_the_owners_grant_binds(cluster: &Cluster, session: &Session) {
    let changes: [(&str, Granting); 6] = [
        ("not-the-owners-account", |session| session.grant.account = Address::repeat_byte(7)),
        ("not-the-owners-account", |session| session.nexus.as_mut().unwrap().further_validators.clear()),
        ("other-entry-point", |session| session.grant.entry_point = EntryPoint::V06.address()),
        ("malformed", |session| session.grant.nexus.as_mut().unwrap().permission_ids[0] = B256::ZERO),
        ("other-policy", |session| session.grant.policy_hash = B256::ZERO),
        ("policy-refused", |session| {
            // Any call of the token, with any arguments.
            let sessions = &mut session.nexus.as_mut().unwrap().sessions;
            sessions[0].actions[0].action_policies = vec![PolicyConfig::Sudo.policy_data().unwrap()];
            session.grant.policy_hash = sessions_hash(sessions);
        }),
    ];
    let ids = cluster.ids();
    for (code, change) in changes {
        let mut session = session.clone();
        let nonces = cluster.nonces(RunKind::KeyGeneration, &ids).await;
        session.grant.challenge = joint_challenge(RunKind::KeyGeneration, &nonces).unwrap();
        change(&mut session);
        let request = KeygenRequest { grant: session.signed(), nonces };
        for refusal in cluster.ask_all::<KeyAttestation>(&ids, "/v1/keygen", &request).await {
            assert_eq!(refusal.unwrap_err().code, code);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_nexus_account_signs_what_was_granted_and_nothing_else() {
    let (cluster, _) = shared().await;
    let session = Session::on_nexus(cluster.pool(1, 3).await.remove(0), 5);
    only_the_owners_grant_binds(cluster, &session).await;
    let session = cluster.grant(session).await;
    let account = session.grant.account;
    let calls =
        |calls: Vec<Call>| -> Change { Box::new(move |operation| operation.call_data = encode_calls(&calls).unwrap()) };
    let mode = |call_type, exec_type| -> Change {
        let mode = ExecutionMode { call_type, exec_type }.to_word();
        Box::new(move |operation| operation.call_data = encode_mode(mode, &[mint(account)]))
    };
    let lane = |validator: Address| -> Change {
        Box::new(move |operation| operation.nonce = NonceKey::new(validator, 0).unwrap().nonce(1))
    };
    let signature = |signature: Bytes| -> Change { Box::new(move |operation| operation.signature = signature.clone()) };
    let dear = |paymaster: Option<Address>| -> Change {
        Box::new(move |operation| {
            operation.max_fee_per_gas = U256::from(1_000_000_000_000_u64);
            operation.paymaster_and_data =
                paymaster.map(|paymaster| v07::paymaster_and_data(paymaster, [1, 1], &[])).unwrap_or_default();
        })
    };
    let refused: Vec<(&str, &str, Change)> = vec![
        ("a mint to somebody else", "policy-violation", calls(vec![mint(Address::repeat_byte(7))])),
        ("another contract", "policy-violation", calls(vec![Call { to: Address::repeat_byte(7), ..mint(account) }])),
        ("native currency", "policy-violation", calls(vec![Call { value: U256::ONE, ..mint(account) }])),
        ("one bad call of two", "policy-violation", calls(vec![mint(account), mint(Address::repeat_byte(7))])),
        ("more calls than in all", "policy-violation", calls(vec![mint(account); 6])),
        ("another account", "other-account", Box::new(|operation| operation.sender = Address::repeat_byte(7))),
        ("another permission", "other-permission", signature(use_signature(B256::repeat_byte(7), &[]))),
        ("no permission", "malformed", signature(Bytes::new())),
        ("another validator", "nonce-lane", lane(RELEASE.parts().owner_validator)),
        ("a delegate call", "execution-refused", mode(CallType::Delegate, ExecType::Default)),
        ("a static call", "execution-refused", mode(CallType::Static, ExecType::Default)),
        ("a call that may fail", "execution-refused", mode(CallType::Single, ExecType::Try)),
        ("no execute", "execution-refused", Box::new(|operation| operation.call_data = vec![1, 2, 3, 4].into())),
        ("a dear operation", "operation-cost", dear(None)),
        ("a dear one that takes tokens", "operation-cost", dear(Some(TOKEN_PAYMASTER_V07))),
        ("the other entry point", "other-entry-point", Box::new(|op| op.entry_point = EntryPoint::V06)),
    ];
    for (what, code, change) in &refused {
        let mut operation = session.use_of(&[mint(account)], 1);
        change(&mut operation);
        // All five, three at a time.
        for signers in [SIGNERS, [3, 4, 5]] {
            let refusals = cluster.sign(&session, &signers, operation.clone()).await.unwrap_err();
            assert_eq!(codes(&refusals), [*code; 3], "{what}: {refusals:?}");
        }
    }
    // The honest ones: a call, a batch, one that is sponsored whatever it costs.
    cluster.sign(&session, &SIGNERS, session.use_of(&[mint(account)], 2)).await.unwrap();
    cluster.sign(&session, &[3, 4, 5], session.use_of(&[mint(account), mint(account)], 3)).await.unwrap();
    let mut sponsored = session.use_of(&[mint(account)], 4);
    dear(Some(VERIFYING_PAYMASTER_V07))(&mut sponsored);
    cluster.sign(&session, &SIGNERS, sponsored).await.unwrap();
}
