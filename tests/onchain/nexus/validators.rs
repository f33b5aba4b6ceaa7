//! Owner and session validator: what they take, and that nothing makes them revert.

use alloy::{
    primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use use_aa::lab::contracts::nexus::{OWNER_VALIDATOR, SESSION_VALIDATOR, SMART_SESSION};

use super::{
    abi::*,
    world::{ACCOUNT, BUNDLER, OWNER, OWNER_KEY, SESSION_KEY, operation, sign, with_account},
};

const HASH: B256 = B256::repeat_byte(0x42);

/// A signature of `hash` as it is.
fn sign_bare(key: B256, hash: B256) -> Vec<u8> {
    PrivateKeySigner::from_bytes(&key).unwrap().sign_hash_sync(&hash).unwrap().as_bytes().to_vec()
}

/// What estimation may send, and what an attacker may.
fn stubs() -> Vec<Vec<u8>> {
    let mut stubs: Vec<Vec<u8>> = (0..200).map(|length| vec![0xff; length]).collect();
    stubs.extend((0..200).map(|length| vec![0; length]));
    // ends as if a description of some length came before, which is not there
    stubs.extend([0_u8, 1, 64, 255].map(|last| [vec![0x28; 131], vec![last]].concat()));
    let good = sign(OWNER_KEY, HASH);
    stubs.push(good[..64].to_vec());
    stubs.push([good.as_slice(), &[0]].concat());
    for v in [0, 1, 2, 26, 29, 255] {
        stubs.push([&good[..64], &[v]].concat());
    }
    // the malleable twin: n - s with the other v
    let order: U256 = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141".parse().unwrap();
    let twin = order - U256::from_be_slice(&good[32..64]);
    stubs.push([&good[..32], &twin.to_be_bytes::<32>(), &[if good[64] == 27 { 28 } else { 27 }]].concat());
    stubs
}

#[tokio::test]
async fn the_owner_validator_answers_with_a_verdict_whatever_it_is_shown() {
    let chain = with_account().await;
    let mut operation = operation(&chain, Bytes::new()).await;
    let ask = async |signature: Vec<u8>| {
        operation.signature = signature.into();
        let call = validateUserOpCall { userOp: operation.clone(), userOpHash: HASH };
        chain.call(ACCOUNT, OWNER_VALIDATOR, &call).await
    };
    let (good, bad) = (Ok(U256::ZERO), Ok(U256::from(1)));
    let mut ask = ask;
    assert_eq!(ask(sign(OWNER_KEY, HASH)).await, good);
    assert_eq!(ask(sign_bare(OWNER_KEY, HASH)).await, good);
    assert_eq!(ask(sign(SESSION_KEY, HASH)).await, bad, "another key");
    assert_eq!(ask(sign(OWNER_KEY, B256::ZERO)).await, bad, "another hash");
    for stub in stubs() {
        let shown = Bytes::from(stub.clone());
        assert_eq!(ask(stub).await, bad, "{shown}");
    }
    // an account that never installed it: no owner, so no signature is good
    let stranger = Address::repeat_byte(7);
    let call = validateUserOpCall {
        userOp: PackedUserOperation { sender: stranger, signature: vec![0; 65].into(), ..operation },
        userOpHash: HASH,
    };
    assert_eq!(chain.call(stranger, OWNER_VALIDATOR, &call).await, bad);
}

#[tokio::test]
async fn the_owner_validator_answers_erc_1271_plain_and_nested() {
    let chain = with_account().await;
    let (valid, invalid) = (FixedBytes([0x16, 0x26, 0xba, 0x7e]), FixedBytes([0xff; 4]));
    let ask = async |hash: B256, signature: &[u8]| {
        let signature = [OWNER_VALIDATOR.as_slice(), signature].concat().into();
        chain.call(BUNDLER, ACCOUNT, &isValidSignatureCall { hash, signature }).await.unwrap()
    };
    assert_eq!(ask(HASH, &sign(OWNER_KEY, HASH)).await, valid);
    assert_eq!(ask(HASH, &sign_bare(OWNER_KEY, HASH)).await, valid);
    assert_eq!(ask(HASH, &sign(SESSION_KEY, HASH)).await, invalid);
    for stub in stubs() {
        assert_eq!(ask(B256::ZERO, &stub).await, invalid, "{}", Bytes::from(stub));
    }

    // as permissionless signs a message: nested in the account's domain, then `personal_sign`
    let domain = [
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
        keccak256("Nexus"),
        keccak256("1.0.1"),
        B256::from(U256::from(31_337)),
        ACCOUNT.into_word(),
    ];
    let nested = |separator: B256, struct_hash: B256| {
        keccak256([b"\x19\x01".as_slice(), separator.as_slice(), struct_hash.as_slice()].concat())
    };
    let personal = keccak256([keccak256("PersonalSign(bytes prefixed)"), HASH].concat());
    let personal = nested(keccak256(domain.concat()), personal);
    assert_eq!(ask(HASH, &sign(OWNER_KEY, personal)).await, valid);
    assert_eq!(ask(B256::ZERO, &sign(OWNER_KEY, personal)).await, invalid);

    // typed data of an app, nested
    let (app, description) = (keccak256("an app"), "Mail(string text)");
    let contents = keccak256([keccak256(description), keccak256("hello")].concat());
    let asked = nested(app, contents);
    let type_string = format!(
        "TypedDataSign(Mail contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt){description}"
    );
    let fields = [keccak256(type_string), contents, domain[1], domain[2], domain[3], domain[4], B256::ZERO];
    let signature = sign_bare(OWNER_KEY, nested(app, keccak256(fields.concat())));
    let wrapped = |contents: B256| {
        let length = u16::try_from(description.len()).unwrap().to_be_bytes();
        let parts = [signature.as_slice(), app.as_slice(), contents.as_slice(), description.as_bytes(), &length];
        parts.concat()
    };
    assert_eq!(ask(asked, &wrapped(contents)).await, valid);
    assert_eq!(ask(asked, &wrapped(B256::ZERO)).await, invalid, "other contents than those hashed");
    assert_eq!(ask(HASH, &wrapped(contents)).await, invalid);
}

#[tokio::test]
async fn an_owner_is_set_once_and_handed_over_by_the_account_alone() {
    let chain = with_account().await;
    let account = Address::repeat_byte(0x77);
    let install = |data: Vec<u8>| onInstallCall { data: data.into() };
    for data in [vec![], vec![1; 19], vec![1; 21], vec![0; 20]] {
        chain.refusal(account, OWNER_VALIDATOR, &install(data)).await;
    }
    chain.send(account, OWNER_VALIDATOR, &install([OWNER.as_slice(), SMART_SESSION.as_slice()].concat())).await;
    assert_eq!(chain.call(BUNDLER, OWNER_VALIDATOR, &getOwnerCall { smartAccount: account }).await, Ok(OWNER));
    chain.refusal(account, OWNER_VALIDATOR, &install(BUNDLER.to_vec())).await;
    for owner in [Address::ZERO, SMART_SESSION] {
        chain.refusal(account, OWNER_VALIDATOR, &transferOwnershipCall { owner }).await;
    }
    chain.refusal(BUNDLER, OWNER_VALIDATOR, &transferOwnershipCall { owner: BUNDLER }).await;
    chain.send(account, OWNER_VALIDATOR, &transferOwnershipCall { owner: BUNDLER }).await;
    assert_eq!(chain.call(BUNDLER, OWNER_VALIDATOR, &getOwnerCall { smartAccount: account }).await, Ok(BUNDLER));
    for (module, kind) in [(OWNER_VALIDATOR, 1), (SMART_SESSION, 1), (SESSION_VALIDATOR, 7)] {
        for number in 0..10 {
            let ask = isModuleTypeCall { moduleTypeId: U256::from(number) };
            assert_eq!(chain.call(BUNDLER, module, &ask).await, Ok(number == kind), "{module} {number}");
        }
    }
}

#[tokio::test]
async fn the_session_validator_takes_one_key_in_one_form() {
    let chain = with_account().await;
    let key = PrivateKeySigner::from_bytes(&SESSION_KEY).unwrap().address();
    let ask = async |signature: &[u8], data: &[u8]| {
        let call = validateSignatureWithDataCall {
            hash: HASH,
            signature: Bytes::copy_from_slice(signature),
            data: Bytes::copy_from_slice(data),
        };
        chain.call(BUNDLER, SESSION_VALIDATOR, &call).await
    };
    let good = sign(SESSION_KEY, HASH);
    assert_eq!(ask(&good, key.as_slice()).await, Ok(true));
    assert_eq!(ask(&sign_bare(SESSION_KEY, HASH), key.as_slice()).await, Ok(false), "not as personal_sign");
    assert_eq!(ask(&sign(OWNER_KEY, HASH), key.as_slice()).await, Ok(false));
    for stub in stubs() {
        assert_eq!(ask(&stub, key.as_slice()).await, Ok(false), "{}", Bytes::from(stub));
        // what `ecrecover` answers for nonsense must be nobody's key
        assert_eq!(ask(&stub, &[0; 20]).await, Ok(false));
    }
    for data in [vec![], key[..19].to_vec(), [key.as_slice(), &[0]].concat(), key.into_word().to_vec()] {
        assert_eq!(ask(&good, &data).await, Ok(false), "{} bytes of data", data.len());
    }
    // asked as a sender of messages the session module says no, and does not revert
    let call = isValidSignatureWithSenderCall { sender: BUNDLER, hash: HASH, signature: good.into() };
    assert_eq!(chain.call(ACCOUNT, SMART_SESSION, &call).await, Ok(FixedBytes([0xff; 4])));
}
