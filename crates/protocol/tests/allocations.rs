//! No decoder takes more memory than a small multiple of what came, whatever came: counted by an allocator that knows
//! the peak of each thread. Random bytes, valid encodings that were damaged, and bombs, in which many offsets name the
//! same bytes. Beside each the honest encoding, which must be read.
#![allow(clippy::unwrap_used, clippy::expect_used, unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::HashSet,
};

use alloy::{
    primitives::{Address, B256, Bytes, U256, hex},
    sol_types::{Revert, SolCall, SolError, SolValue},
};
use proptest::{collection::vec, prelude::*};
use use_aa_protocol::{
    abi::{IEntryPoint, SessionKeyManagerSignature, decode},
    addresses::{BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER},
    entry_point::v07::failed_op,
    nexus::{decode_execution, encode_calls as encode_execution},
    paymaster::{TokenPaymasterData, VerifyingPaymasterData, approved, patch_call_data},
    revert::decode_revert,
    session::{PublishedLeaves, SessionLeaf, Signers, session_uses_in},
    session_data::{AbiSessionData, Erc20SessionData},
    session_scheme::SessionScheme,
    signature::{
        DUMMY_SESSION, batched_router, counterfactual, session_key_manager, split_counterfactual, unwrap, wrap,
    },
    simulate::{
        simulate_batch, simulate_single,
        user_operation::{AccountView, SessionKeyManagerVersion, simulate},
    },
    smart_account::{Call, decode_calls, encode_calls},
    smart_sessions::{
        ActionData, EnableGrant, OperationSignature, PolicyConfig, Session, SmartSessions, calls as session_calls,
        grant::ChainDigest,
    },
    user_operation::UserOperation,
};

/// Counts what a thread has in use, and the most it had since it was asked last.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends frees after its counters are gone.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` had in use at a time, bytes.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    work();
    (PEAK.get() - before).cast_unsigned()
}

/// Bytes that reading may take for each that came: tokens, what is made of them, and for the simulator the leaves.
const EACH: usize = 8;
/// And for whatever comes: words of an error.
const SOME: usize = 4 * 1024;
/// Bytes that one value of a JSON text may take; the server counts them before it reads (`json_shape`).
const EACH_VALUE: usize = 160;

type Decoder = (&'static str, fn(&[u8]));

const ACCOUNT: Address = Address::repeat_byte(0xaa);

fn leaf() -> SessionLeaf {
    SessionLeaf { session_key_data: vec![1; 97].into(), ..SessionLeaf::default() }
}

/// A whole operation with these bytes as its signature, judged as both versions of the chain would.
fn judge(signature: &[u8]) {
    let modules = HashSet::from([SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]);
    let op = UserOperation { signature: Bytes::copy_from_slice(signature), ..UserOperation::default() };
    for version in [SessionKeyManagerVersion::V1_0_0, SessionKeyManagerVersion::V1_1_0] {
        simulate(&op, B256::ZERO, &AccountView { merkle_root: B256::ZERO, modules: &modules, version });
    }
}

/// Everything in this crate that reads bytes of others.
const DECODERS: [Decoder; 23] = [
    ("decode_calls", |bytes| drop(decode_calls(bytes))),
    ("simulate_single", |bytes| drop(simulate_single(&leaf(), bytes))),
    ("simulate_batch", |bytes| drop(simulate_batch(&[&leaf(), &leaf()], bytes))),
    ("approved", |bytes| assert!(approved(bytes, ACCOUNT, ACCOUNT).is_none())),
    ("patch_call_data", |bytes| drop(patch_call_data(bytes, &Call::default()))),
    ("unwrap", |bytes| drop(unwrap(bytes))),
    ("split_counterfactual", |bytes| drop(split_counterfactual(bytes))),
    ("simulate", judge),
    ("simulate, wrapped", |bytes| judge(&wrap(SESSION_KEY_MANAGER, bytes))),
    ("simulate, wrapped for the router", |bytes| judge(&wrap(BATCHED_SESSION_ROUTER, bytes))),
    ("session_uses_in", |bytes| drop(session_uses_in(bytes, ACCOUNT))),
    ("granted_in", |bytes| drop(SmartSessions::granted_in(ACCOUNT, bytes))),
    ("VerifyingPaymasterData", |bytes| drop(VerifyingPaymasterData::decode(bytes))),
    ("TokenPaymasterData", |bytes| drop(TokenPaymasterData::decode(bytes))),
    ("AbiSessionData", |bytes| drop(AbiSessionData::decode(bytes))),
    ("Erc20SessionData", |bytes| drop(Erc20SessionData::decode(bytes))),
    ("decode_revert", |bytes| drop(decode_revert(bytes))),
    ("an event's data", |bytes| drop(decode::loose_params::<(U256, Bytes)>(bytes))),
    ("decode_execution", |bytes| drop(decode_execution(bytes))),
    ("decode_enable_sessions", |bytes| drop(session_calls::decode_enable_sessions(bytes))),
    ("decode_install_data", |bytes| drop(session_calls::decode_install_data(bytes))),
    ("failed_op", |bytes| drop(failed_op(bytes))),
    ("a session's parameters", |bytes| drop(decode::leading_params::<SessionKeyManagerSignature>(bytes))),
];

/// Every decoder reads every input within its bounds.
fn all_within_bounds(what: &str, bytes: &[u8]) {
    for (name, decoder) in DECODERS {
        let most = peak(|| decoder(bytes));
        let allowed = EACH * bytes.len() + SOME;
        assert!(most <= allowed, "{name} takes {most} bytes for {} of {what}; {allowed} are allowed", bytes.len());
    }
}

fn handle_ops(signatures: &[Bytes]) -> Vec<u8> {
    let operations = signatures.iter().zip(1_u64..).map(|(signature, nonce)| {
        let nonce = U256::from(nonce);
        UserOperation { sender: ACCOUNT, nonce, signature: signature.clone(), ..UserOperation::default() }.into()
    });
    IEntryPoint::handleOpsCall { operations: operations.collect(), beneficiary: ACCOUNT }.abi_encode()
}

/// One honest encoding of each kind.
fn honest() -> Vec<(&'static str, Vec<u8>)> {
    let calls = vec![Call { to: ACCOUNT, value: U256::from(1), data: vec![7; 68].into() }; 40];
    let single = session_key_manager(&self::leaf(), &[B256::ZERO; 14], &DUMMY_SESSION);
    let leaf = leaf();
    let sessions = vec![(&leaf, vec![B256::ZERO; 5]); 20];
    let batch = batched_router(SESSION_KEY_MANAGER, &sessions, &DUMMY_SESSION);
    let wrapped = wrap(SESSION_KEY_MANAGER, &single);
    let paymaster = VerifyingPaymasterData {
        paymaster: ACCOUNT,
        paymaster_id: ACCOUNT,
        valid_until: 1,
        valid_after: 0,
        signature: vec![1; 65].into(),
    };
    vec![
        ("one call", encode_calls(&calls[..1], false).unwrap().to_vec()),
        ("a batch", encode_calls(&calls, true).unwrap().to_vec()),
        ("a batch of empty calls", encode_calls(&vec![Call::default(); 800], true).unwrap().to_vec()),
        ("a session's signature", wrapped.to_vec()),
        ("what is in it", single.to_vec()),
        ("a batch's signature", wrap(BATCHED_SESSION_ROUTER, &batch).to_vec()),
        ("what is in that", batch.to_vec()),
        ("an account without code", counterfactual(ACCOUNT, vec![1; 200].into(), wrapped.clone()).to_vec()),
        ("a bundle", handle_ops(&vec![wrapped; 30])),
        ("paymaster data", paymaster.encode().to_vec()),
        ("an execution", encode_execution(&calls).unwrap().to_vec()),
        ("sessions", session_calls::enable_sessions(&vec![smart_session(); 20]).unwrap().data.to_vec()),
        ("sessions at install", session_calls::install_data(&vec![smart_session(); 20]).unwrap().to_vec()),
        ("a revert", Revert::from("x".repeat(500)).abi_encode()),
    ]
}

/// A Smart Session with ten actions.
fn smart_session() -> Session {
    let policies = [PolicyConfig::Sudo, PolicyConfig::UsageLimit(3)].map(|config| config.policy_data().unwrap());
    let action = ActionData { action_policies: policies.to_vec(), ..ActionData::default() };
    Session { actions: vec![action; 10], ..Session::default() }
}

/// The body of a `bytes[]` of `count`, all of them one piece of `piece` bytes.
fn aliased(count: usize, piece: usize) -> Vec<u8> {
    let word = |number: usize| U256::from(number).to_be_bytes::<32>();
    let offsets = std::iter::repeat_n(word(32 * count), count).flatten();
    [&word(count)[..], &offsets.collect::<Vec<_>>(), &word(piece), &vec![0; piece]].concat()
}

/// Parts behind a head of offsets to them, after `fixed` words.
fn bomb(selector: &[u8], fixed: &[[u8; 32]], tails: &[Vec<u8>]) -> Vec<u8> {
    let mut head = fixed.concat();
    let mut at = head.len() + 32 * tails.len();
    for tail in tails {
        head.extend(U256::from(at).to_be_bytes::<32>());
        at += tail.len();
    }
    [selector, &head, &tails.concat()].concat()
}

/// What 512 KiB can stand for, in the shapes that the decoders look for: 2,000 to 16,000 times the same.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let mut made = Vec::new();
    for (count, piece) in [(2_000, 60_000), (3_000, 28_000), (8_000, 250_000), (15_000, 32)] {
        let words = |count: usize| [U256::from(count).abi_encode(), vec![0; 32 * count]].concat();
        let arrays = [words(count), words(count), aliased(count, piece)];
        made.push(("a batch with one data for all calls", bomb(&hex!("00004680"), &[], &arrays)));
        // All three arrays at one place.
        let head = [0x60_u64; 3].map(|offset| U256::from(offset).to_be_bytes::<32>());
        made.push(("a batch of one array", [&hex!("47e1da2a")[..], &head.concat(), &aliased(count, piece)].concat()));
        let sessions = bomb(&[], &[[0; 32]], &[aliased(count, piece), vec![0; 32]]);
        made.push(("a router's sessions, all one", sessions.clone()));
        made.push(("the same, wrapped", wrap(BATCHED_SESSION_ROUTER, &sessions).to_vec()));
        made.push(("a bundle of one operation many times", {
            let beneficiary = [0; 32];
            let head = [U256::from(64).to_be_bytes::<32>(), beneficiary].concat();
            [&IEntryPoint::handleOpsCall::SELECTOR[..], &head, &aliased(count, piece)].concat()
        }));
        let data = [U256::from(piece).abi_encode(), vec![0; piece]].concat();
        let parts = [&[[0; 32]; 3].concat()[..], &[U256::from(192).to_be_bytes::<32>(); 3].concat(), &data].concat();
        made.push(("a session's parts, all one", parts.clone()));
        made.push(("the same, wrapped", wrap(SESSION_KEY_MANAGER, &parts).to_vec()));
        made.push(("an execution of one call many times", {
            let word = |number: usize| U256::from(number).to_be_bytes::<32>();
            let offsets = std::iter::repeat_n(word(32 * count), count).flatten().collect::<Vec<_>>();
            let call = [&[[0; 32], [0; 32], word(96), word(piece)].concat()[..], &vec![0; piece]].concat();
            let batch = [&word(32)[..], &word(count), &offsets, &call].concat();
            let mut mode = [0; 32];
            mode[0] = 1;
            [&hex!("e9ae5c53")[..], &mode, &word(64), &word(batch.len()), &batch].concat()
        }));
        made.push(("an endless array", bomb(&hex!("00004680"), &[], &vec![vec![0xff; 32]; 3])));
    }
    made
}

#[test]
fn bombs_take_no_more_than_they_weigh_and_are_read_by_nobody() {
    for (what, bytes) in bombs() {
        all_within_bounds(what, &bytes);
        assert!(decode_calls(&bytes).is_err() && decode_execution(&bytes).is_err(), "{what}");
        assert!(unwrap(&bytes).is_err() || what.contains("wrapped"), "{what}");
        assert!(decode::leading_params::<SessionKeyManagerSignature>(&bytes).is_err(), "{what}");
        let uses = session_uses_in(&handle_ops(&[bytes.clone().into()]), ACCOUNT);
        assert!(uses.is_err() || uses.unwrap()[&U256::from(1)] == Signers::Unreadable, "{what}");
    }
}

#[test]
fn the_same_bombs_do_go_off_where_only_alloys_own_decoder_is_asked() {
    use use_aa_protocol::abi::ISmartAccount::executeBatch_y6UCall;
    let (_, bytes) = bombs().into_iter().next().unwrap();
    let most = peak(|| drop(executeBatch_y6UCall::abi_decode_validate(&bytes).unwrap()));
    assert!(most > 100 * bytes.len(), "{most} bytes for {}: is the bomb a bomb?", bytes.len());
}

/// What is compressed may stand for 88 times as much: 128 KiB are the most that are looked at.
#[test]
fn a_compressed_bomb_takes_no_more_than_its_bound() {
    let bomb = [&[1, 0, 7][..], &[0xe0, 0xff, 0].repeat(40_000)].concat();
    let most = peak(|| assert!(OperationSignature::decode(&bomb).is_err()));
    assert!(most <= 3 * decode::MAX_BYTES + SOME, "{most} bytes");
    let grant = EnableGrant {
        chain_digest_index: 0,
        digests: vec![ChainDigest { chain_id: 1, session_digest: B256::ZERO }],
        session: smart_session(),
        permission_enable_sig: vec![7; 85].into(),
    };
    let honest = grant.signature(&DUMMY_SESSION).unwrap();
    let most = peak(|| assert!(OperationSignature::decode(&honest).is_ok()));
    assert!(most <= 3 * decode::MAX_BYTES + SOME, "{most} bytes");
}

#[test]
fn honest_encodings_are_read_within_the_same_bounds() {
    for (what, bytes) in honest() {
        all_within_bounds(what, &bytes);
    }
    let read = honest();
    let of = |name: &str| &read.iter().find(|(what, _)| *what == name).unwrap().1;
    assert_eq!(decode_calls(of("one call")).unwrap().len(), 1);
    assert_eq!(decode_calls(of("a batch")).unwrap().len(), 40);
    assert_eq!(decode_calls(of("a batch of empty calls")).unwrap().len(), 800);
    assert!(unwrap(of("a session's signature")).is_ok() && unwrap(of("a batch's signature")).is_ok());
    assert!(split_counterfactual(of("an account without code")).is_some());
    assert_eq!(decode_execution(of("an execution")).unwrap().calls.len(), 40);
    assert_eq!(session_calls::decode_enable_sessions(of("sessions")).unwrap().len(), 20);
    assert_eq!(session_calls::decode_install_data(of("sessions at install")).unwrap().len(), 20);
    let uses = session_uses_in(of("a bundle"), ACCOUNT).unwrap();
    assert_eq!(uses.len(), 30);
    assert!(uses.values().all(|seen| *seen == Signers::Sessions(vec![leaf().hash()])));
    assert!(VerifyingPaymasterData::decode(of("paymaster data")).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_bytes_take_little(selector in 0_usize..8, bytes in vec(any::<u8>(), 0..3_000)) {
        let known = [hex!("00004680"), hex!("0000189a"), hex!("1fad948c"), hex!("08c379a0"), hex!("220266b6")];
        let head = known.get(selector).map_or(&[][..], |selector| &selector[..]);
        all_within_bounds("random bytes", &[head, &bytes].concat());
    }

    /// Offsets and lengths are what hurts: words of honest encodings are replaced by others of them, and by numbers.
    #[test]
    fn damaged_encodings_take_little(
        kind in 0_usize..14,
        swaps in vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), 0_u32..4), 1..12),
    ) {
        let (what, mut bytes) = honest().swap_remove(kind);
        let words = bytes.len().saturating_sub(4) / 32;
        prop_assume!(words > 0);
        let begin = bytes.len() % 32;
        for (to, from, how) in swaps {
            let (to, from) = (begin + 32 * to.index(words), begin + 32 * from.index(words));
            match how {
                0 | 1 => bytes.copy_within(from..from + 32, to),
                2 => bytes[to..to + 32].copy_from_slice(&U256::from(from).to_be_bytes::<32>()),
                _ => bytes[to + 31] ^= 0x20,
            }
        }
        all_within_bounds(what, &bytes);
    }

    /// Published leaves and operations as JSON: a list in the place of bytes is one value for each of them.
    #[test]
    fn json_takes_little(kind in 0_usize..4, count in 1_usize..3_000) {
        let (item, values) = [("1", 1), ("[1]", 2), (r#"{"":1}"#, 2), (r#""0x""#, 1)][kind];
        let list = vec![item; count].join(",");
        for text in [format!("[{list}]"), format!(r#"{{"leafNodes":[{list}],"leaves":[{list}]}}"#)] {
            for most in [
                peak(|| drop(serde_json::from_str::<PublishedLeaves>(&text))),
                peak(|| drop(serde_json::from_str::<UserOperation>(&text))),
            ] {
                let allowed = EACH * text.len() + EACH_VALUE * values * count + SOME;
                prop_assert!(most <= allowed, "{most} bytes for {} of {item}", text.len());
            }
        }
    }
}
