//! Distributed session keys among five real processes: what signs, and what every node refuses.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "dan/nexus.rs"]
mod nexus;

mod dan_support;

use std::time::Instant;

use alloy::primitives::{Address, B256, Bytes, U256};
use dan_support::{Cluster, OWN_SPONSOR, PATIENCE, Session, codes, now};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::OnceCell,
};
use use_aa::{
    dan::api::{
        KeyAttestation, KeygenRequest, MAX_BODY, NodeRefusal, PoolAnswer, Revocation, RevokeAnswer, RunKind,
        SignAnswer, SignBody, SignRequest,
    },
    protocol::{
        addresses::{DEMO_NFT, TOKEN_PAYMASTER, VERIFYING_PAYMASTER},
        distributed_key::{DEFAULT_MAX_OPERATION_COST, RevokedBy, joint_challenge, policy_hash},
        smart_account::{Call, encode_calls},
        user_operation::UserOperation,
    },
};

static CLUSTER: OnceCell<(Cluster, Session)> = OnceCell::const_new();
const SIGNERS: [u8; 3] = [1, 2, 3];

/// One cluster and one granted key for all tests that leave them as they are.
async fn shared() -> &'static (Cluster, Session) {
    CLUSTER
        .get_or_init(|| async {
            let cluster = Cluster::with(5, &["--signatures-per-minute", "1000"], "info").await;
            let session = cluster.granted(3).await;
            (cluster, session)
        })
        .await
}

/// All ten subsets of three.
fn subsets() -> Vec<[u8; 3]> {
    let all = 1..=5u8;
    let pairs = all.clone().flat_map(|a| (a + 1..=5).map(move |b| (a, b)));
    pairs.flat_map(|(a, b)| (b + 1..=5).map(move |c| [a, b, c])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_three_of_five_sign() {
    let (cluster, session) = shared().await;
    assert_eq!(subsets().len(), 10);
    for (number, signers) in (0..).zip(subsets()) {
        // The order in which they are named does not matter.
        let named = [signers[2], signers[0], signers[1]];
        cluster.sign(session, &named, session.operation(number)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_signatures_at_the_same_time() {
    let (cluster, session) = shared().await;
    let start = Instant::now();
    let signing = (0..50u64).map(|number| {
        let signers = subsets()[usize::try_from(number).unwrap() % 10];
        async move { cluster.sign(session, &signers, session.operation(1000 + number)).await }
    });
    let mut signatures: Vec<Bytes> =
        futures::future::join_all(signing).await.into_iter().map(|signed| signed.unwrap()).collect();
    println!("50 signatures in {:?}", start.elapsed());
    signatures.sort();
    signatures.dedup();
    assert_eq!(signatures.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_request_is_refused_by_every_signer() {
    let (cluster, session) = shared().await;
    let body = cluster.request(session, &SIGNERS, session.operation(1)).await;
    cluster.send(session, &SIGNERS, &body).await.unwrap();
    let refusals = cluster.send(session, &SIGNERS, &body).await.unwrap_err();
    assert_eq!(codes(&refusals), ["nonce"; 3]);
    assert!(refusals.iter().all(|refusal| refusal.message.contains("used before")), "{refusals:?}");
}

/// Sent twice at the same time, one request gives one signature: nobody signs the same nonces for two sessions.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_twice_at_once_is_answered_once() {
    let (cluster, session) = shared().await;
    let body = cluster.request(session, &SIGNERS, session.operation(2)).await;
    let (first, second) = tokio::join!(
        cluster.ask_all::<SignAnswer>(&SIGNERS, "/v1/sign", &body),
        cluster.ask_all::<SignAnswer>(&SIGNERS, "/v1/sign", &body)
    );
    for (first, second) in first.into_iter().zip(second) {
        let (signed, refused): (Vec<_>, Vec<_>) = [first, second].into_iter().partition(Result::is_ok);
        assert_eq!((signed.len(), refused.len()), (1, 1));
        assert_eq!(refused[0].as_ref().unwrap_err().code, "nonce");
    }
}

/// What a page may ask for and does not get, and what a coordinator may make of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_granted_is_refused_by_every_signer() {
    let (cluster, session) = shared().await;
    let account = session.grant.account;
    type Change = Box<dyn Fn(&mut SignBody) + Send + Sync>;
    let call = |to: Address, value: u64, data: &'static [u8]| Call { to, value: U256::from(value), data: data.into() };
    let calling = move |calls: Vec<Call>| -> Change {
        Box::new(move |body| body.request.user_operation.call_data = encode_calls(&calls, false).unwrap())
    };
    let mint = |to: Address| {
        let data = [&[0x40, 0xd0, 0x97, 0xc3][..], to.into_word().as_slice()].concat();
        Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }
    };
    // Asked for by the page, which has the ephemeral key.
    let by_the_page: Vec<(&str, &str, Change)> = vec![
        ("another account", "other-account", Box::new(|body| body.request.user_operation.sender = Address::ZERO)),
        ("another chain", "other-chain", Box::new(|body| body.request.chain_id = 1)),
        ("another entry point", "other-entry-point", Box::new(|body| body.request.entry_point = DEMO_NFT)),
        ("a mint to somebody else", "policy-violation", calling(vec![mint(Address::repeat_byte(7))])),
        ("another contract", "policy-violation", calling(vec![call(Address::repeat_byte(7), 0, &[1, 2, 3, 4])])),
        ("another function", "policy-violation", calling(vec![call(DEMO_NFT, 0, &[1, 2, 3, 4])])),
        ("ether", "policy-violation", calling(vec![Call { value: U256::ONE, ..mint(account) }])),
        ("one bad call of two", "policy-violation", calling(vec![mint(account), mint(Address::repeat_byte(7))])),
        ("no call", "malformed", Box::new(|body| body.request.user_operation.call_data = Bytes::new())),
        ("a key that is not there", "unknown-key", Box::new(|body| body.request.key_id = B256::repeat_byte(9))),
        ("another challenge", "challenge", Box::new(|body| body.request.challenge = B256::repeat_byte(9))),
        ("other signers", "participants", Box::new(|body| body.request.signers = vec![1, 2, 4])),
    ];
    for (what, code, change) in &by_the_page {
        let mut body = cluster.request(session, &SIGNERS, session.operation(3)).await;
        change(&mut body);
        body.request = session.authenticated(body.request);
        let refusals = cluster.send(session, &SIGNERS, &body).await.unwrap_err();
        assert_eq!(codes(&refusals), [*code; 3], "{what}: {refusals:?}");
        assert!(refusals.iter().zip(SIGNERS).all(|(refusal, node)| refusal.node == node), "{what}");
    }
    // Changed on the way: the signature does not cover it.
    let on_the_way: Vec<(&str, Change)> = vec![
        ("another nonce", Box::new(|body| body.request.user_operation.nonce += U256::ONE)),
        ("a higher fee", Box::new(|body| body.request.user_operation.max_fee_per_gas += U256::ONE)),
        ("a paymaster", Box::new(|body| body.request.user_operation.paymaster_and_data = vec![1; 20].into())),
        (
            "a forged signature",
            Box::new(|body| {
                let signature = SigningKey::from_bytes(&[1; 32]).sign(body.request.signed_text().as_bytes());
                body.request.ephemeral_signature = signature.to_bytes().to_vec().into();
            }),
        ),
        ("no signature", Box::new(|body| body.request.ephemeral_signature = Bytes::new())),
    ];
    for (what, change) in &on_the_way {
        let mut body = cluster.request(session, &SIGNERS, session.operation(4)).await;
        change(&mut body);
        let refusals = cluster.send(session, &SIGNERS, &body).await.unwrap_err();
        assert_eq!(codes(&refusals), ["not-the-ephemeral-key"; 3], "{what}: {refusals:?}");
    }
    // None of this changed anything.
    cluster.sign(session, &SIGNERS, session.operation(5)).await.unwrap();
}

/// By every signer, what may cost the account more than the default is refused and what may not is signed.
async fn held_to_the_default_cost(cluster: &Cluster, session: &Session) {
    let operation = |gas: u64, paymaster: &[u8]| UserOperation {
        call_gas_limit: U256::from(200_000),
        verification_gas_limit: U256::from(100_000),
        pre_verification_gas: U256::from(gas - 300_000),
        max_fee_per_gas: U256::from(100_000_000_000_u64),
        paymaster_and_data: paymaster.to_vec().into(),
        ..session.operation(100 + gas)
    };
    // A modest one: half a million gas at 100 gwei. Where the account may pay by a paymaster, validation counts thrice.
    let limits = [(500_000, &[][..]), (300_000, TOKEN_PAYMASTER.as_slice()), (300_000, &[7; 20])];
    for (gas, paymaster) in limits {
        cluster.sign(session, &SIGNERS, operation(gas, paymaster)).await.unwrap();
        let refusals = cluster.sign(session, &SIGNERS, operation(gas + 1, paymaster)).await.unwrap_err();
        assert_eq!(codes(&refusals), ["operation-cost"; 3], "{refusals:?}");
        let both = ["50000100000000000".to_owned(), DEFAULT_MAX_OPERATION_COST.to_string()];
        let named = refusals.iter().all(|refusal| both.iter().all(|amount| refusal.message.contains(amount)));
        assert!(named, "{refusals:?}");
    }
    // A known sponsor has signed the fees, and pays them: everybody's, and the operator's own.
    for sponsor in [VERIFYING_PAYMASTER, OWN_SPONSOR] {
        let sponsored = [sponsor.as_slice(), &[1; 100]].concat();
        cluster.sign(session, &SIGNERS, operation(9_000_000, &sponsored)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_costs_the_account_too_much_is_refused_by_every_signer() {
    let (cluster, session) = shared().await;
    held_to_the_default_cost(cluster, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_t_signers_with_nonces_of_their_own() {
    let (cluster, session) = shared().await;
    for signers in [&[1, 2][..], &[1, 2, 3, 4]] {
        let refusals = cluster.sign(session, signers, session.operation(6)).await.unwrap_err();
        assert_eq!(codes(&refusals), vec!["signer-set"; signers.len()], "{refusals:?}");
    }
    // Swapped on the way: node 4 in place of node 3, with a nonce of its own.
    let mut body = cluster.request(session, &SIGNERS, session.operation(7)).await;
    body.nonces[2] = cluster.nonces(RunKind::Signing, &[4]).await[0];
    let refusals = cluster.send(session, &[1, 2, 4], &body).await.unwrap_err();
    assert_eq!(codes(&refusals), ["challenge"; 3]);
    // A node that is not named does not help.
    let body = cluster.request(session, &SIGNERS, session.operation(8)).await;
    let refusal = cluster.ask::<SignAnswer>(5, "/v1/sign", &body).await.unwrap_err();
    assert_eq!(refusal.code, "participants");
    // Nonces for something else.
    let mut body = cluster.request(session, &SIGNERS, session.operation(9)).await;
    body.nonces = cluster.nonces(RunKind::Refresh, &SIGNERS).await;
    body.request.challenge = joint_challenge(RunKind::Signing, &body.nonces).unwrap();
    body.request = session.authenticated(body.request);
    let refusals = cluster.send(session, &SIGNERS, &body).await.unwrap_err();
    assert_eq!(codes(&refusals), ["nonce"; 3]);
}

/// One node is shown another operation: it refuses, the others hear of it at once, and there is no signature.
#[tokio::test(flavor = "multi_thread")]
async fn one_disagreeing_node_is_a_clear_refusal() {
    let (cluster, session) = shared().await;
    let start = Instant::now();
    let body = cluster.request(session, &SIGNERS, session.operation(10)).await;
    let mut altered = body.clone();
    altered.request.user_operation.nonce = U256::from(11);
    let both = [1, 2];
    let (honest, shown) = tokio::join!(
        cluster.ask_all::<SignAnswer>(&both, "/v1/sign", &body),
        cluster.ask::<SignAnswer>(3, "/v1/sign", &altered)
    );
    assert_eq!(shown.unwrap_err().code, "not-the-ephemeral-key");
    for refusal in honest.into_iter().map(Result::unwrap_err) {
        assert_eq!(refusal.code, "peer-refused", "{refusal}");
        assert!(refusal.message.contains("node 3") && refusal.message.contains("not-the-ephemeral-key"), "{refusal}");
    }
    // Even the page itself cannot have two things signed over one challenge.
    let body = cluster.request(session, &SIGNERS, session.operation(12)).await;
    let other = session.authenticated(SignRequest { user_operation: session.operation(13), ..body.request.clone() });
    let other = SignBody { request: other, nonces: body.nonces.clone() };
    let (first, second) = tokio::join!(
        cluster.ask_all::<SignAnswer>(&both, "/v1/sign", &body),
        cluster.ask::<SignAnswer>(3, "/v1/sign", &other)
    );
    let refusals: Vec<_> = first.into_iter().chain([second]).map(Result::unwrap_err).collect();
    assert!(refusals.iter().any(|refusal| refusal.code == "disagree"), "{refusals:?}");
    assert!(refusals.iter().all(|refusal| ["disagree", "peer-refused"].contains(&refusal.code.as_str())));
    assert!(start.elapsed() < PATIENCE / 10, "at once, not by time-out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_bound_once_by_its_owner_only_and_ends() {
    let (cluster, _) = shared().await;
    let ids = cluster.ids();
    let key = cluster.pool(1, 3).await.remove(0);
    let mut session = Session::new(key, 5);
    session.grant.valid_until = now() + 20;
    let mut nonces = cluster.nonces(RunKind::KeyGeneration, &ids).await;
    session.grant.challenge = joint_challenge(RunKind::KeyGeneration, &nonces).unwrap();
    let refused = async |request: &KeygenRequest, code: &str| {
        for refusal in cluster.ask_all::<KeyAttestation>(&ids, "/v1/keygen", request).await {
            let refusal = refusal.unwrap_err();
            assert_eq!(refusal.code, code, "{refusal}");
        }
    };
    let good = KeygenRequest { grant: session.signed(), nonces: nonces.clone() };

    let mut bad = good.clone();
    bad.grant.grant.valid_until += 1;
    refused(&bad, "not-the-owner").await;
    let mut bad = good.clone();
    bad.grant.leaves[0].valid_until = now() + 100;
    refused(&bad, "other-policy").await;
    let mut other = session.clone();
    other.grant.session_key_address = Address::repeat_byte(1);
    for leaf in &mut other.leaves {
        leaf.session_key_data = [Address::repeat_byte(1).as_slice(), &leaf.session_key_data[20..]].concat().into();
    }
    other.grant.policy_hash = policy_hash(&other.leaves);
    refused(&KeygenRequest { grant: other.signed(), nonces: nonces.clone() }, "other-key").await;
    let mut other = session.clone();
    other.grant.threshold = 2;
    refused(&KeygenRequest { grant: other.signed(), nonces: nonces.clone() }, "other-key").await;
    let mut other = session.clone();
    other.grant.challenge = B256::repeat_byte(3);
    refused(&KeygenRequest { grant: other.signed(), nonces: nonces.clone() }, "challenge").await;
    nonces.pop();
    for (id, refusal) in ids.iter().zip(
        cluster.ask_all::<KeyAttestation>(&ids, "/v1/keygen", &KeygenRequest { grant: session.signed(), nonces }).await,
    ) {
        assert_eq!(refusal.unwrap_err().code, "participants", "node {id}");
    }

    let first = cluster.ask_all::<KeyAttestation>(&ids, "/v1/keygen", &good).await;
    let again = cluster.ask_all::<KeyAttestation>(&ids, "/v1/keygen", &good).await;
    assert_eq!(first, again);
    assert!(first.iter().all(Result::is_ok), "{first:?}");
    // Somebody else, and even the same owner with another page.
    let stranger = Session::of(session.key.clone(), 5, B256::repeat_byte(0x33));
    for mut late in [stranger, Session::new(session.key.clone(), 5)] {
        let nonces = cluster.nonces(RunKind::KeyGeneration, &ids).await;
        late.grant.challenge = joint_challenge(RunKind::KeyGeneration, &nonces).unwrap();
        refused(&KeygenRequest { grant: late.signed(), nonces }, "key-taken").await;
    }

    // It is used, and then it is over.
    cluster.sign(&session, &[2, 4, 5], session.operation(1)).await.unwrap();
    while now() <= session.grant.valid_until {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let refusals = cluster.sign(&session, &[2, 4, 5], session.operation(2)).await.unwrap_err();
    assert_eq!(codes(&refusals), ["grant-expired"; 3]);
    // And taken back, by nobody but owner and page.
    let id = session.key.key_id;
    let by =
        |signature: Vec<u8>| Revocation { key_id: id, by: RevokedBy::EphemeralKey { signature: signature.into() } };
    let text = Revocation::signed_text(id);
    let forged = by(SigningKey::from_bytes(&[1; 32]).sign(text.as_bytes()).to_bytes().to_vec());
    let revoked = by(session.page.sign(text.as_bytes()).to_bytes().to_vec());
    let refusal = cluster.ask::<RevokeAnswer>(1, "/v1/revoke", &forged).await.unwrap_err();
    assert_eq!(refusal.code, "not-the-ephemeral-key");
    for _ in 0..2 {
        let answers = cluster.ask_all::<RevokeAnswer>(&ids, "/v1/revoke", &revoked).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    let refusals = cluster.sign(&session, &SIGNERS, session.operation(3)).await.unwrap_err();
    assert_eq!(codes(&refusals), ["revoked"; 3]);
    // That it was revoked is remembered; the shares are gone.
    for node in &cluster.nodes {
        let of_key = |end: &str| node.vault.join(format!("{}.{end}", hex::encode(id))).exists();
        assert!(of_key("key") && !of_key("share") && !of_key("previous") && !of_key("staged"), "node {}", node.id);
    }
}

/// Whoever binds keys without end fills the vaults of all nodes: so many for an account, so many in all.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_bound_up_to_a_limit_of_the_account_and_of_the_node() {
    let limits = ["--threshold", "2", "--max-keys", "2", "--max-keys-per-account", "1"];
    let cluster = Cluster::with(2, &limits, "info").await;
    let ids = cluster.ids();
    let keys = cluster.pool(4, 2).await;
    let waiting = async || {
        let answer: PoolAnswer = dan_support::get(&cluster.node(1).url, "/v1/pool").await;
        answer.keys
    };
    assert_eq!(waiting().await, keys, "oldest first");
    let owned_by = |place: usize, owner: u8| Session::of(keys[place].clone(), 2, B256::repeat_byte(owner));
    let refused = async |mut session: Session, limit: &str| {
        let nonces = cluster.nonces(RunKind::KeyGeneration, &ids).await;
        session.grant.challenge = joint_challenge(RunKind::KeyGeneration, &nonces).unwrap();
        let request = KeygenRequest { grant: session.signed(), nonces };
        for refusal in cluster.ask_all::<KeyAttestation>(&ids, "/v1/keygen", &request).await {
            let NodeRefusal { code, message, .. } = refusal.unwrap_err();
            assert!(code == "too-many-keys" && message.contains(limit), "{code}: {message}");
        }
    };
    cluster.grant(owned_by(0, 1)).await;
    refused(owned_by(1, 1), "at most 1 may be (USE_AA_DAN_MAX_KEYS_PER_ACCOUNT)").await;
    let second = cluster.grant(owned_by(1, 2)).await;
    refused(owned_by(2, 3), "at most 2 may be (USE_AA_DAN_MAX_KEYS)").await;
    // What is bound stays bound, and can be asked for again.
    let nonces = cluster.nonces(RunKind::KeyGeneration, &ids).await;
    let again = KeygenRequest { grant: second.signed(), nonces };
    let again = cluster.ask_all::<KeyAttestation>(&ids, "/v1/keygen", &again).await;
    assert!(again.iter().all(Result::is_ok), "{again:?}");
    assert_eq!(waiting().await, keys[2..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_of_earlier_versions_are_honoured_and_of_later_ones_refused_by_name() {
    let (cluster, _) = shared().await;
    let ids = cluster.ids();
    let mut session = Session::new(cluster.pool(1, 3).await.remove(0), 5);
    (session.grant.version, session.grant.max_operation_cost) = (1, None);
    let nonces = cluster.nonces(RunKind::KeyGeneration, &ids).await;
    session.grant.challenge = joint_challenge(RunKind::KeyGeneration, &nonces).unwrap();
    // As pages sent it that knew no versions.
    let grant = session.signed();
    let old = json!({ "grant": grant, "nonces": nonces });
    assert!(old["grant"]["grant"].get("version").is_none());
    let limit = json!("0x1");
    for (version, limit, code) in [
        (1, Some(&limit), "malformed"),
        (2, None, "not-the-owner"),
        (3, None, "malformed"),
        (3, Some(&limit), "not-the-owner"),
        (4, Some(&limit), "malformed"),
        (5, Some(&limit), "unknown-version"),
    ] {
        let mut other = old.clone();
        other["grant"]["grant"]["version"] = json!(version);
        if let Some(limit) = limit {
            other["grant"]["grant"]["maxOperationCost"] = limit.clone();
        }
        for refusal in cluster.ask_all::<KeyAttestation>(&ids, "/v1/keygen", &other).await {
            assert_eq!(refusal.unwrap_err().code, code);
        }
    }
    let bound = cluster.ask_all::<KeyAttestation>(&ids, "/v1/keygen", &old).await;
    assert!(bound.iter().all(Result::is_ok), "{bound:?}");
    cluster.sign(&session, &SIGNERS, session.operation(1)).await.unwrap();
    let elsewhere = session.mint(Address::repeat_byte(9), 2);
    let refusals = cluster.sign(&session, &SIGNERS, elsewhere).await.unwrap_err();
    assert_eq!(codes(&refusals), ["policy-violation"; 3]);
    held_to_the_default_cost(cluster, &session).await;
    let mut second = Session::new(cluster.pool(1, 3).await.remove(0), 5);
    (second.grant.version, second.grant.max_operation_cost) = (2, None);
    let second = cluster.grant(second).await;
    held_to_the_default_cost(cluster, &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_oversized_requests_are_refused() {
    let (cluster, session) = shared().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = &cluster.node(1).url;
    let send = async |path: &str, body: Vec<u8>| {
        let key = dan_support::key_for(path);
        let response = client.post(format!("{url}{path}")).bearer_auth(key).body(body).send().await.unwrap();
        (response.status().as_u16(), response.json::<NodeRefusal>().await.unwrap())
    };
    let nested = "[".repeat(20_000);
    for path in ["/v1/nonce", "/v1/pool", "/v1/keygen", "/v1/sign", "/v1/revoke", "/v1/refresh", "/v1/bans/lift"] {
        for body in ["", "{}", "null", "{\"kind\":\"other\"}", "\u{0}", nested.as_str()] {
            let (status, refusal) = send(path, body.into()).await;
            assert_eq!((status, refusal.code.as_str()), (400, "malformed"), "{path} {refusal}");
        }
        let (status, refusal) = send(path, vec![b' '; MAX_BODY + 1]).await;
        assert_eq!((status, refusal.code.as_str()), (400, "malformed"), "{path} {refusal}");
    }
    // Every field of an honest request, replaced by something of another kind.
    let honest = serde_json::to_value(cluster.request(session, &SIGNERS, session.operation(20)).await).unwrap();
    let fields: Vec<String> = honest["request"].as_object().unwrap().keys().cloned().collect();
    for field in fields {
        for wrong in [json!(null), json!(-1), json!("0x"), json!([[]]), json!({"a": 1}), json!("é")] {
            let mut body = honest.clone();
            body["request"][&field] = wrong.clone();
            let (_, refusal) = send("/v1/sign", body.to_string().into_bytes()).await;
            assert_ne!(refusal.code, "internal", "{field} = {wrong}");
        }
    }
    let status: Value = dan_support::get(url, "/v1/status").await;
    assert_eq!((status["ready"].clone(), status["node"].clone()), (json!(true), json!(1)));
}

/// Without the right key nobody gets anything out of a node but how it is; nor does it read what they send.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_knows_its_callers() {
    let (cluster, session) = shared().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = &cluster.node(1).url;
    let (server, operator) = (dan_support::SERVER_KEY.as_str(), dan_support::OPERATOR_KEY.as_str());
    let stranger = server.replace(['0', '1', '2'], "3");
    let send = async |method: &str, path: &str, key: Option<&str>| {
        let request = client.request(method.parse().unwrap(), format!("{url}{path}"));
        let request = if let Some(key) = key { request.bearer_auth(key) } else { request };
        let response = request.body(if method == "GET" { "" } else { "{\"kind\":\"pool\"}" }).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let [of_server, of_operator] = [server, operator].map(|key| vec![key]);
    let routes = [
        ("POST", "/v1/nonce", vec![server, operator], 200),
        ("GET", "/v1/pool", of_server.clone(), 200),
        ("POST", "/v1/pool", of_server.clone(), 400),
        ("POST", "/v1/keygen", of_server.clone(), 400),
        ("POST", "/v1/sign", of_server.clone(), 400),
        ("POST", "/v1/revoke", of_server, 400),
        ("POST", "/v1/refresh", of_operator.clone(), 400),
        ("GET", "/v1/keys", of_operator.clone(), 200),
        ("GET", "/v1/bans", of_operator.clone(), 200),
        ("POST", "/v1/bans/lift", of_operator, 400),
    ];
    for (method, path, keys, honest) in &routes {
        for key in [None, Some(""), Some(stranger.as_str()), Some(server), Some(operator)] {
            let (status, body) = send(method, path, key).await;
            if key.is_some_and(|key| keys.contains(&key)) {
                assert_eq!(status, *honest, "{method} {path}: {body}");
                continue;
            }
            let known = [Some(server), Some(operator)].contains(&key);
            let expected = if known { (403, "forbidden") } else { (401, "unauthorized") };
            let refusal: NodeRefusal = serde_json::from_str(&body).unwrap();
            assert_eq!((status, refusal.code.as_str()), expected, "{method} {path}: {body}");
            let variable = if keys.contains(&operator) { "USE_AA_DAN_OPERATOR_KEY" } else { "USE_AA_DAN_SERVER_KEY" };
            assert!(refusal.message.contains(variable), "what to set: {body}");
            assert!(!body.contains(server) && !body.contains(operator), "{body}");
        }
    }
    // Refused at once, with the body still to come.
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let head = "POST /v1/sign HTTP/1.1\r\nhost: x\r\nauthorization: Bearer guess\r\ncontent-length: 60000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let answered = tokio::time::timeout(std::time::Duration::from_secs(3), stream.read_exact(&mut answer)).await;
    assert!(answered.is_ok_and(|read| read.is_ok()));
    assert_eq!(&answer, b"HTTP/1.1 401");
    // How it is, everybody may know; whom it banned, only the operator.
    for (key, told) in [(None, false), (Some(stranger.as_str()), false), (Some(server), false), (Some(operator), true)]
    {
        let (code, body) = send("GET", "/v1/status", key).await;
        let status: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((code, status["nodes"].clone(), status["threshold"].clone()), (200, json!(5), json!(3)), "{body}");
        assert!(status["ready"].is_boolean() && status["identity"].is_string(), "{body}");
        let peers = status["peers"].as_array().unwrap();
        assert!(peers.len() == 4 && peers.iter().all(|peer| peer.get("banned").is_some() == told), "{body}");
    }
    cluster.sign(session, &SIGNERS, session.operation(40)).await.unwrap();
}

/// Strangers at the mesh: garbage, a known name without its key, a handshake that was recorded.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_nowhere_at_the_mesh() {
    let (cluster, session) = shared().await;
    let port = cluster.node(2).mesh_port;
    let connect = async || TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let hello = |from: u8, to: u8| [&b"use-aa\0\x01"[..], &[from, to]].concat();
    let mut messages = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 100_000],
        hello(1, 2),
        hello(2, 2),
        hello(0, 2),
        hello(17, 2),
        hello(1, 3),
        [&hello(1, 2)[..], &[0xff, 0xff], &[7; 70_000]].concat(),
    ];
    for length in [0u16, 1, 47, 48, 49, 128, 129, 65_535] {
        messages.push([&hello(1, 2)[..], &length.to_be_bytes(), &vec![9; length.into()][..]].concat());
    }
    for message in messages {
        let mut stream = connect().await;
        // The node may have hung up already.
        let _ = stream.write_all(&message).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE / 10, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the node hangs up");
        assert!(answer.is_empty(), "{} bytes for a stranger", answer.len());
    }
    // Strangers that say nothing take no room from the others.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(connect().await);
    }
    cluster.sign(session, &SIGNERS, session.operation(30)).await.unwrap();
}
