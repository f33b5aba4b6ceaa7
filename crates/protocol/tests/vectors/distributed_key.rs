//! 10: distributed keys: the owner's grant, requests to sign, answers, and two whole flows of `@biconomy/use-aa`.

use alloy::signers::{SignerSync, local::PrivateKeySigner};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::Value;
use use_aa_protocol::{
    addresses::ENTRY_POINT,
    distributed_key::{address_of_public_key, use_aa::*},
    session::SessionLeaf,
    signature::{personal_digest, unwrap},
    user_operation::UserOperation,
};

use crate::support::*;

fn file() -> Value {
    parse(include_str!("../../../../tests/vectors/10_dan.json"))
}

fn ephemeral(secret: &str) -> SigningKey {
    let digits = secret.trim_start_matches("0x");
    SigningKey::from_bytes(&hex::decode(digits).unwrap().try_into().unwrap())
}

#[test]
fn every_grant_has_the_js_sdks_hashes_typed_data_and_signature() {
    for case in list(&file(), "grants") {
        let output = &case["output"];
        let request = KeyGeneration {
            threshold: number(case, "t") as u32,
            parties: number(case, "n") as u32,
            ephemeral_key: bytes(case, "ephPK").to_vec(),
        };
        let challenge = text(case, "challenge");
        assert_eq!(request.typed_data(challenge), output["typedData"]);
        assert_eq!(KeyGeneration::domain_separator(), word(output, "domainSeparator"));
        assert_eq!(request.struct_hash(challenge), word(output, "structHash"));
        assert_eq!(request.digest(challenge), word(output, "digest"));
        let owner: PrivateKeySigner = text(case, "ownerTestKeyPrivate").parse().unwrap();
        assert_eq!(owner.address(), address(case, "owner"));
        let signature = owner.sign_hash_sync(&request.digest(challenge)).unwrap().as_bytes();
        let expiry = number(case, "nowSeconds") + number(case, "lifetime");
        let frame = request.authentication_frame(owner.address(), expiry, &signature);
        assert_eq!(serde_json::from_str::<Value>(&frame).unwrap(), output["authMessageSentOverWebSocket"]);
        if text(case, "ephPkStyle").starts_with("ed25519") {
            let public = ephemeral(text(case, "ephSecret")).verifying_key();
            assert_eq!(request.ephemeral_key, public.as_bytes());
        } else {
            // D1: 4.6 registers an address, which no Ed25519 signature can ever match
            assert_eq!(request.ephemeral_key.len(), 20);
        }
    }
}

#[test]
fn every_sign_request_signs_the_js_sdks_text() {
    for case in list(&file(), "signRequests") {
        let (setup, output, challenge) = (&case["setup"], &case["output"], text(case, "challenge"));
        let message = text(case, "message");
        let request = SignRequest::new(number(setup, "t") as u32, text(setup, "key_id"), message).unwrap();
        assert_eq!(serde_json::to_value(&request).unwrap(), *setup);
        assert_eq!(request.decoded_message().unwrap(), message);
        assert_eq!(request.signed_text(challenge), text(output, "signedUtf8"));
        let key = ephemeral(text(case, "ephSecret"));
        assert_eq!(key.verifying_key().as_bytes()[..], bytes(output, "ephPK"));
        let signature = key.sign(request.signed_text(challenge).as_bytes()).to_bytes();
        let frame = request.authentication_frame(address(case, "eoa"), key.verifying_key().as_bytes(), &signature);
        let frame: Value = serde_json::from_str(&frame).unwrap();
        assert_eq!(frame, output["authMessage"]);

        // what the node must sign
        let (op, entry_point, chain_id) = parse_message(message).unwrap();
        assert_eq!(entry_point, ENTRY_POINT);
        let hash = op.hash(chain_id);
        assert_eq!(hash, word(output, "userOpHash"));
        assert_eq!(personal_digest(hash), word(output, "digestTheSessionKeyMustSign"));
        // our own message says the same, whatever spelling of numbers `@biconomy/use-aa` happened to send
        let ours = user_operation_message(&op, chain_id);
        assert_eq!(parse_message(&ours).unwrap(), (op, entry_point, chain_id));
    }
}

#[test]
fn every_key_has_its_address_also_uncompressed_where_the_js_sdks_is_wrong() {
    for case in list(&file(), "keysAndSignatures") {
        let expected = address(case, "address");
        let key = |name: &str| hex::decode(text(case, name)).unwrap();
        assert_eq!(address_of_public_key(&key("compressed")).unwrap(), expected);
        assert_eq!(address_of_public_key(&key("uncompressed")).unwrap(), expected);
        assert_eq!(address(case, "computeAddressCompressed"), expected);
        assert_ne!(
            address(case, "computeAddressUncompressed"),
            expected,
            "D4: `@biconomy/use-aa` hashes a stray space"
        );
        assert!(address_of_public_key(&key("compressed")[1..]).is_err());
        let signing = &case["signing"];
        let answer = &signing["signResponse"];
        let recovery_id = number(answer, "recid");
        let signature = session_signature(text(answer, "sign"), recovery_id as u8).unwrap();
        assert_eq!(signature, bytes(signing, "signature"));
        let parsed = alloy::primitives::Signature::try_from(&signature[..]).unwrap();
        assert_eq!(parsed.recover_address_from_prehash(&word(signing, "digest")).unwrap(), expected);
        assert_eq!(
            parse_sign_answer(&format!("sign={}:recid={recovery_id}", text(answer, "sign"))).unwrap(),
            signature
        );
    }
    for bad in ["", "a=b", "sign=00:recid=0", "sign=:recid=0", "keyId=x:pubkey=zz"] {
        assert!(parse_sign_answer(bad).is_err(), "{bad}");
        assert!(parse_key_answer(bad).is_err(), "{bad}");
    }
    assert!(session_signature(&"11".repeat(64), 2).is_err());
    assert!(SignRequest::new(0, "key", "m").is_err());
}

/// Frames of one direction.
fn frames<'a>(flow: &'a Value, list_name: &str, event: &str) -> Vec<&'a str> {
    list(flow, list_name).iter().filter(|frame| frame["event"] == event).map(|frame| text(frame, "data")).collect()
}

#[test]
fn the_whole_flows_have_our_frames() {
    for flow in list(&file(), "flows") {
        let sdk = text(flow, "sdk");
        let leaf: SessionLeaf = serde_json::from_value(flow["storedLeaf"].clone()).unwrap();
        assert_eq!(serde_json::to_value(&leaf).unwrap(), flow["storedLeaf"], "{sdk}");
        let info = &leaf.extra["danModuleInfo"];
        let secret = info.get("hexEphSKWithout0x").or(info.get("jwt")).unwrap().as_str().unwrap();
        let key = ephemeral(secret);
        let owner = address(info, "eoaAddress");

        let opened: Value = serde_json::from_str(frames(flow, "createFrames", "client->server")[0]).unwrap();
        let registered = bytes(&opened["metadata"][0], "value");
        let right = sdk == "4.5.4";
        assert_eq!(registered[..] == key.verifying_key().as_bytes()[..], right, "D1: {sdk}");
        let request = KeyGeneration { threshold: 3, parties: 5, ephemeral_key: registered.to_vec() };
        assert_eq!(request.opening_frame(), frames(flow, "createFrames", "client->server")[0]);
        let answers = frames(flow, "createFrames", "server->client");
        let signature = test_key(0).sign_hash_sync(&request.digest(answers[0])).unwrap().as_bytes();
        let authentication: Value = serde_json::from_str(frames(flow, "createFrames", "client->server")[1]).unwrap();
        let credentials: Value = serde_json::from_str(text(&authentication["credentials"], "credentials")).unwrap();
        let frame = request.authentication_frame(owner, number(&credentials, "expiry"), &signature);
        assert_eq!(frame, frames(flow, "createFrames", "client->server")[1], "{sdk}");
        let (key_id, session_key) = parse_key_answer(answers[1]).unwrap();
        assert_eq!(key_id, text(info, "mpcKeyId"));
        assert_eq!(session_key, leaf.session_key_address);

        let sent = frames(flow, "useFrames", "client->server");
        let request: SignRequest = serde_json::from_str(sent[0]).unwrap();
        assert_eq!(request.opening_frame(), sent[0]);
        let answers = frames(flow, "useFrames", "server->client");
        let signature = key.sign(request.signed_text(answers[0]).as_bytes()).to_bytes();
        assert_eq!(request.authentication_frame(owner, key.verifying_key().as_bytes(), &signature), sent[1], "{sdk}");

        // the message is the operation that is sent afterwards, and the answer its session signature
        let (op, entry_point, chain_id) = parse_message(&request.decoded_message().unwrap()).unwrap();
        assert_eq!(op.entry_point.address(), entry_point, "{sdk}");
        let rpc = list(flow, "useRpc").iter().find(|call| call["method"] == "eth_sendUserOperation").unwrap();
        let submitted: UserOperation = user_operation(&rpc["params"]);
        assert_eq!(op.hash(chain_id), submitted.hash(number(info, "chainId")), "{sdk}");
        let session_signature = parse_sign_answer(answers[1]).unwrap();
        let (_, module_signature) = unwrap(&submitted.signature).unwrap();
        let expected = use_aa_protocol::signature::session_key_manager(&leaf, &[], &session_signature);
        assert_eq!(module_signature, expected, "{sdk}");
    }
}
