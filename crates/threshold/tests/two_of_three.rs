//! A key made by three parties, used by two of them: what they sign recovers to the key, and one alone signs nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod parties;

use dkls23::protocols::{PartyIndex, signing::SignData};
use k256::{
    PublicKey,
    ecdsa::{RecoveryId, Signature, VerifyingKey},
};
use parties::{generate, index, to};
use use_aa_threshold as threshold;

#[test]
fn two_of_three_sign_and_one_alone_does_not() {
    let parties = generate(2, 3);
    let digest = [7; 32];
    let with = |counterparties: Vec<PartyIndex>| SignData {
        sign_id: b"one signature".to_vec(),
        counterparties,
        message_hash: digest,
    };
    // Parties 1 and 3.
    let signers = [(1, with(vec![index(3)])), (3, with(vec![index(1)]))];
    let party = |id: u8| &parties[usize::from(id) - 1].0;
    assert!(threshold::sign_1(party(1), &with(Vec::new())).is_err(), "one is too few");

    let first: Vec<_> = signers.iter().map(|(id, data)| threshold::sign_1(party(*id), data).ok().unwrap()).collect();
    let sent: Vec<_> = first.iter().map(|first| first.2.clone()).collect();
    let second: Vec<_> = signers
        .iter()
        .zip(first)
        .map(|((id, data), (unique, kept, _))| {
            let received = to(*id, &sent, |message| message.parties.receiver);
            threshold::sign_2(party(*id), data, unique, kept, &received).ok().unwrap()
        })
        .collect();
    let sent: Vec<_> = second.iter().map(|second| second.2.clone()).collect();
    let third: Vec<_> = signers
        .iter()
        .zip(second)
        .map(|((id, data), (unique, kept, _))| {
            let received = to(*id, &sent, |message| message.parties.receiver);
            threshold::sign_3(party(*id), data, unique, kept, &received).ok().unwrap()
        })
        .collect();
    let broadcasts: Vec<_> = third.iter().map(|third| third.1.clone()).collect();
    let key = VerifyingKey::from(PublicKey::from_affine(*parties[0].1.verifying_key()).unwrap());
    for ((id, data), (x, _)) in signers.iter().zip(&third) {
        let (s, recovery) = threshold::sign_4(party(*id), data, x, &broadcasts).ok().unwrap();
        let bytes = |text: &str| -> [u8; 32] { hex::decode(text).unwrap().try_into().unwrap() };
        let signature = Signature::from_scalars(bytes(x), bytes(&s)).unwrap();
        let recovered =
            VerifyingKey::recover_from_prehash(&digest, &signature, RecoveryId::from_byte(recovery).unwrap()).unwrap();
        assert_eq!(recovered, key, "party {id}");
    }
}
