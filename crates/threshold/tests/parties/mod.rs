//! Parties of one key in one process.

use std::collections::BTreeMap;

use dkls23::{
    protocols::{Parameters, PartyIndex, dkg::SessionData},
    secp256k1::{Party, PublicKeyPackage},
};
use use_aa_threshold as threshold;

/// The protocol's own index of a party.
pub fn index(party: u8) -> PartyIndex {
    PartyIndex::new(party).unwrap()
}

/// The messages of all parties that are for one of them.
pub fn to<T: Clone>(party: u8, sent: &[Vec<T>], receiver: impl Fn(&T) -> PartyIndex) -> Vec<T> {
    sent.iter().flatten().filter(|message| receiver(message) == index(party)).cloned().collect()
}

/// A key that so many of them share.
pub fn generate(threshold: u8, parties: u8) -> Vec<(Party, PublicKeyPackage)> {
    let parameters = Parameters::new(threshold, parties).unwrap();
    let data: Vec<SessionData> = (1..=parties)
        .map(|party| SessionData {
            parameters: parameters.clone(),
            party_index: index(party),
            session_id: b"a test".to_vec(),
        })
        .collect();
    let points: Vec<_> = data.iter().map(threshold::generate_1).collect();
    // Each gets what every party made for it.
    let second: Vec<_> = (0..usize::from(parties))
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
    (1..=parties)
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
