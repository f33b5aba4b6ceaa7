//! Sessions with a distributed key, end to end: the actions of the page, run natively against the real server, five real
//! nodes and the real chain.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use alloy::primitives::{Address, B256, Bytes, U256};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use use_aa::{
    actions::{
        create_session_with_distributed_key::{
            complete_create_session_with_distributed_key, create_session_with_distributed_key,
            prepare_create_session_with_distributed_key,
        },
        options::Options,
        ports::{DistributedKeys, SessionStore},
        send_with_distributed_session::{
            complete_send_with_distributed_session, prepare_send_with_distributed_session, revoke_at_nodes,
            send_with_distributed_session,
        },
        send_with_session::SendWithSessionRequest,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    error::AppError,
    lab::DanNodeInfo,
    protocol::{
        addresses::{DEMO_NFT, ENTRY_POINT, TOKEN_PAYMASTER},
        distributed_key::{DEFAULT_MAX_OPERATION_COST, DanModuleInfo, RunKind, SignRequest, joint_challenge},
        session::SessionStatus,
        smart_account::encode_calls,
    },
};

mod actions_support;
#[path = "actions_distributed/nexus.rs"]
mod nexus;
use actions_support::{Person, common, nfts_of};
use nexus::NexusPerson;

const STRANGER: Address = Address::repeat_byte(9);

/// How a node was started, so that it can be started again.
struct Killed {
    arguments: Vec<String>,
    folder: PathBuf,
}

/// Ends a node as a power cut would.
fn kill_node(node: &DanNodeInfo) -> Killed {
    let process = node.process;
    let proc = PathBuf::from(format!("/proc/{process}"));
    let command = std::fs::read(proc.join("cmdline")).unwrap();
    let arguments = command.split(|byte| *byte == 0).filter(|text| !text.is_empty());
    let mut arguments: Vec<String> = arguments.map(|text| String::from_utf8(text.to_vec()).unwrap()).collect();
    // It may have been started on any free port.
    let listen = arguments.iter().position(|argument| argument == "--listen").unwrap();
    arguments[listen + 1] = node.url.expose().socket_addrs(|| None).unwrap()[0].to_string();
    let folder = std::fs::read_link(proc.join("cwd")).unwrap();
    kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
    Killed { arguments, folder }
}

/// A restarted node; ends with the test.
struct Restarted(Child);

impl Killed {
    fn restart(self) -> Restarted {
        let mut command = Command::new(&self.arguments[0]);
        command.args(&self.arguments[1..]).current_dir(self.folder);
        // Piped: the node may be told to end with its standard input.
        Restarted(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Restarted {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn person() -> Person {
    common::with_nodes(env!("CARGO_BIN_EXE_use-aa"));
    Person::new().await
}

async fn wait_for_keys(person: &Person, wanted: u32) {
    let began = Instant::now();
    while person.relay.network().await.unwrap().pooled < wanted {
        assert!(began.elapsed() < Duration::from_secs(300), "the pool is filled");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn mint(person: &Person) -> Result<(), AppError> {
    let (relay, store) = (person.relay.as_ref(), &person.store);
    let response = send_with_distributed_session(relay, store, relay, person.mint_request()).await?;
    wait_for_user_operation_receipt(relay, response.user_op_hash, |_| {}).await.map(drop)
}

/// Asks the nodes past the page's own checks.
async fn sign_directly(
    person: &Person,
    change: impl Fn(&mut SignRequest),
    after: impl Fn(&mut SignRequest),
) -> AppError {
    let (relay, store) = (person.relay.as_ref(), &person.store);
    let prepared = prepare_send_with_distributed_session(relay, store, person.mint_request()).await.unwrap();
    let leaf = prepared.leaves().next().unwrap();
    let info = DanModuleInfo::of(leaf).unwrap().unwrap();
    let nonces = relay.challenge(info.threshold).await.unwrap();
    let mut request = SignRequest {
        key_id: info.mpc_key_id.parse().unwrap(),
        user_operation: prepared.operation().user_operation.clone(),
        entry_point: ENTRY_POINT,
        chain_id: info.chain_id,
        challenge: joint_challenge(RunKind::Signing, &nonces).unwrap(),
        signers: nonces.iter().map(|nonce| nonce.node).collect(),
        ephemeral_signature: Bytes::new(),
    };
    change(&mut request);
    let key = store.ephemeral_key(person.account(), leaf.session_key_address).await.unwrap();
    key.sign(&mut request);
    after(&mut request);
    match relay.sign(&request, &nonces, leaf.session_key_address).await {
        Err(error) => error,
        Ok(outcome) => panic!("{outcome:?}"),
    }
}

fn code(error: &AppError) -> &str {
    match error {
        AppError::NodeRefused { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

/// One test, because the nodes are one network: what ends some of them must not meet what needs all.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_a_session_key_from_the_grant_to_its_revocation() {
    // What a person holds is not `Send`; the server's tasks run on the other threads.
    tokio::task::LocalSet::new().run_until(whole_life()).await;
}

async fn whole_life() {
    let person = person().await;
    let (relay, store, account) = (person.relay.as_ref(), &person.store, person.account());
    let network = relay.network().await.unwrap();
    assert_eq!((network.nodes, network.live), (5, 5));
    wait_for_keys(&person, 2).await;

    // A refusal in the wallet: nothing is stored, and the chain knows nothing.
    person.wallet.refuses.set(true);
    let refused =
        create_session_with_distributed_key(&person.client, store, relay, person.grant_request()).await.unwrap_err();
    assert_eq!(refused, AppError::WalletRejected);
    assert!(person.leaves().await.is_empty());
    person.wallet.refuses.set(false);
    wait_for_keys(&person, 1).await;

    // The grant. What a person waits for, beside the wallet: a key from the pool, and the nodes that bind it.
    let began = Instant::now();
    let prepared = prepare_create_session_with_distributed_key(&person.client, store, relay, person.grant_request())
        .await
        .unwrap();
    let prepared_after = began.elapsed();
    assert!(person.leaves().await.is_empty(), "preparing writes nothing");
    let session_key = prepared.offer().session_key_address;
    let response = complete_create_session_with_distributed_key(&person.client, store, relay, prepared).await.unwrap();
    println!("distributed grant: prepared after {prepared_after:?}, sent after {:?}", began.elapsed());
    person.settle(&response).await.unwrap();
    assert_eq!(person.wallet.signed.get(), 2, "the grant and the operation");
    assert_eq!(person.statuses().await, [SessionStatus::Active]);
    let kept = person.leaves().await.into_iter().map(|leaf| leaf.max_operation_cost).collect::<Vec<_>>();
    assert_eq!(kept, [Some(DEFAULT_MAX_OPERATION_COST)], "gas is not dear in the lab");
    let (local, chain) = person.roots().await;
    assert_eq!(local, chain);
    assert_ne!(chain, B256::ZERO);
    let leaf = person.leaves().await.remove(0);
    assert_eq!(leaf.session_key_address, session_key);
    let info = DanModuleInfo::of(&leaf).unwrap().unwrap();
    assert_eq!((info.parties_number, info.threshold, info.chain_id), (5, 3, 31_337));
    assert!(store.signer(account, session_key).await.is_err(), "nobody holds the key");
    let ephemeral = store.ephemeral_key(account, session_key).await.unwrap();
    let stored = serde_json::to_string(&leaf).unwrap();
    assert!(!stored.contains(&alloy::primitives::hex::encode(ephemeral.seed())), "no secret in the leaf");

    // The use: the chain's own modules accept what the nodes signed.
    let began = Instant::now();
    mint(&person).await.unwrap();
    println!("distributed use: receipt after {:?}", began.elapsed());
    assert_eq!((person.nfts().await, person.operations().await), (1, 2));

    // An ordinary use looks for a key of this store and finds none.
    let ordinary = person.use_session_with(person.mint_request()).await.unwrap_err();
    assert!(matches!(ordinary, AppError::SessionNotFound { .. }), "{ordinary:?}");

    // The page refuses what the policy does not allow; so does each node, whoever asks.
    let elsewhere = vec![Person::mint_call(STRANGER)];
    let request = SendWithSessionRequest { account, calls: elsewhere.clone(), ..Default::default() };
    let error = prepare_send_with_distributed_session(relay, store, request).await.unwrap_err();
    assert!(matches!(error, AppError::PolicyViolation { .. }), "{error:?}");
    let call_data = encode_calls(&elsewhere, false).unwrap();
    let error = sign_directly(&person, |request| request.user_operation.call_data = call_data.clone(), |_| {}).await;
    let AppError::PolicyViolation { rule, reason } = &error else { panic!("{error:?}") };
    assert!(rule == "rule 0" && reason.contains("says node"), "{error}");
    // Altered by the server in between; asked for another chain, account or entry point.
    let error = sign_directly(&person, |_| {}, |request| request.user_operation.nonce += U256::from(1)).await;
    assert_eq!(code(&error), "not-the-ephemeral-key");
    assert_eq!(code(&sign_directly(&person, |request| request.chain_id = 1, |_| {}).await), "other-chain");
    let error = sign_directly(&person, |request| request.user_operation.sender = STRANGER, |_| {}).await;
    assert_eq!(code(&error), "other-account");
    let error = sign_directly(&person, |request| request.entry_point = STRANGER, |_| {}).await;
    assert_eq!(code(&error), "other-entry-point");
    assert_eq!(person.operations().await, 2);

    // The account pays itself: within the limit that the owner signed, and no wei more. With a sponsor the fees are his.
    let url = common::lab().await.info().rpc_url.expose().to_string();
    common::rpc(&url, "anvil_setBalance", json!([account, DEFAULT_MAX_OPERATION_COST])).await;
    let own_gas = SendWithSessionRequest { options: Options::unsponsored(), ..person.mint_request() };
    let response = send_with_distributed_session(relay, store, relay, own_gas).await.unwrap();
    wait_for_user_operation_receipt(relay, response.user_op_hash, |_| {}).await.unwrap();
    assert_eq!((person.nfts().await, person.operations().await), (2, 3));
    let dear = |request: &mut SignRequest, paymaster: Bytes, gas: u64| {
        let operation = &mut request.user_operation;
        (operation.paymaster_and_data, operation.max_fee_per_gas) = (paymaster, U256::from(100_000_000_000_u64));
        (operation.call_gas_limit, operation.verification_gas_limit) = (U256::ZERO, U256::ZERO);
        operation.pre_verification_gas = U256::from(gas);
    };
    for paymaster in [Bytes::new(), TOKEN_PAYMASTER.to_vec().into()] {
        let error = sign_directly(&person, |request| dear(request, paymaster.clone(), 500_001), |_| {}).await;
        assert_eq!(code(&error), "operation-cost");
        let limit = DEFAULT_MAX_OPERATION_COST.to_string();
        assert!(error.to_string().contains(&limit) && error.to_string().contains("50000100000000000"), "{error}");
    }

    // An account of the other kind, by the same nodes.
    wait_for_keys(&person, 1).await;
    let nexus = NexusPerson::granted(&person.relay).await;
    nexus.mint().await.unwrap();
    assert_eq!(nexus.nfts().await, 1);
    nexus.asks_for_too_much().await;

    // Two nodes die: any three suffice. A third: a clear error, at once. They come back: it works again.
    let nodes = &common::lab().await.info().dan_nodes;
    let mut killed = vec![kill_node(&nodes[0]), kill_node(&nodes[3])];
    mint(&person).await.unwrap();
    assert_eq!(person.nfts().await, 3);
    nexus.mint().await.unwrap();
    assert_eq!(nexus.nfts().await, 2);
    let keyless = relay.offer().await.unwrap_err();
    assert_eq!(keyless, AppError::TooFewNodes { live: 3, needed: 5 });
    killed.push(kill_node(&nodes[4]));
    let prepared = prepare_send_with_distributed_session(relay, store, person.mint_request()).await.unwrap();
    let began = Instant::now();
    let error = complete_send_with_distributed_session(relay, relay, &prepared).await.unwrap_err();
    assert_eq!(error, AppError::TooFewNodes { live: 2, needed: 3 });
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(nexus.mint().await.unwrap_err(), AppError::TooFewNodes { live: 2, needed: 3 });
    assert_eq!(nexus.nfts().await, 2);
    let _restarted: Vec<Restarted> = killed.into_iter().map(Killed::restart).collect();
    let began = Instant::now();
    while let Err(error) = mint(&person).await {
        assert!(began.elapsed() < Duration::from_secs(60), "{error:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(person.nfts().await, 4);

    nexus.mint().await.unwrap();
    assert_eq!(nexus.nfts().await, 3);
    nexus.is_taken_back().await;

    // Taken back at the nodes: the leaf is still under the root, but nobody can sign for it.
    revoke_at_nodes(store, relay, account, &leaf.session_id).await.unwrap();
    let error = mint(&person).await.unwrap_err();
    assert_eq!(code(&error), "revoked");
    assert_eq!((person.nfts().await, person.operations().await), (4, 5));
}
