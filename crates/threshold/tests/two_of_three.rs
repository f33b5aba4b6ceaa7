//! A key made by three parties, used by two of them: what they sign recovers to the key, and one alone signs nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use dkls23::{
    protocols::{Parameters, PartyIndex, dkg::SessionData, signing::SignData},
    secp256k1::{Party, PublicKeyPackage},
};
use k256::{
    PublicKey,
    ecdsa::{RecoveryId, Signature, VerifyingKey},
};
use use_aa_threshold as threshold;

const PARTIES: u8 = 3;

fn index(party: u8) -> PartyIndex {
    PartyIndex::new(party).unwrap()
}

/// The messages of all parties that are for one of them.
fn to<T: Clone>(party: u8, sent: &[Vec<T>], receiver: impl Fn(&T) -> PartyIndex) -> Vec<T> {
    sent.iter().flatten().filter(|message| receiver(message) == index(party)).cloned().collect()
}

fn generate() -> Vec<(Party, PublicKeyPackage)> {
    let parameters = Parameters::new(2, PARTIES).unwrap();
    let data: Vec<SessionData> = (1..=PARTIES)
        .map(|party| SessionData {
            parameters: parameters.clone(),
            party_index: index(party),
            session_id: b"a test".to_vec(),
        })
        .collect();
    let points: Vec<_> = data.iter().map(threshold::generate_1).collect();
    // Each gets what every party made for it.
    let second: Vec<_> = (0..usize::from(PARTIES))
        .map(|party| {
            let own: Vec<_> = points.iter().map(|made| made[party]).collect();
            threshold::generate_2(&data[party], &own)
        })
        .collect();
    let third: Vec<_> =
        data.iter().zip(&second).map(|(data, second)| threshold::generate_3(data, &second.2, &second.4)).collect();
    let proofs: Vec<_> = second.iter().map(|second| second.1.clone()).collect();
    let chain_2: BTreeMap<_, _> = (1..).map(index).zip(second.iter().map(|second| second.5.clone())).collect();
    let chain_3: BTreeMap<_, _> = (1..).map(index).zip(third.iter().map(|third| third.4.clone())).collect();
    let seeds_2: Vec<_> = second.iter().map(|second| second.3.clone()).collect();
    let seeds_3: Vec<_> = third.iter().map(|third| third.1.clone()).collect();
    let multiplications: Vec<_> = third.iter().map(|third| third.3.clone()).collect();
    (1..=PARTIES)
        .map(|party| {
            let at = usize::from(party) - 1;
            threshold::generate_4(
                &data[at],
                &second[at].0,
                &proofs,
                &third[at].0,
                &to(party, &seeds_2, |message| message.parties.receiver),
                &to(party, &seeds_3, |message| message.parties.receiver),
                &third[at].2,
                &to(party, &multiplications, |message| message.parties.receiver),
                &chain_2,
                &chain_3,
            )
            .unwrap_or_else(|_| panic!("party {party} takes part"))
        })
        .collect()
}

#[test]
fn two_of_three_sign_and_one_alone_does_not() {
    let parties = generate();
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
