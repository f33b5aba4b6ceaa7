//! What one signer of three computes for one signature, phase by phase. Prints a table; asserts nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/parties/mod.rs"]
mod parties;

use std::time::{Duration, Instant};

use dkls23::protocols::signing::SignData;
use parties::{generate, index, to};
use use_aa_threshold as threshold;

const SIGNERS: [u8; 3] = [1, 3, 5];
const SIGNATURES: u32 = 50;

fn main() {
    let start = Instant::now();
    let parties = generate(3, 5);
    println!("{:<40} {:>9.2} ms", "a key, all five parties", start.elapsed().as_secs_f64() * 1000.0);
    let mut spent = [Duration::ZERO; 4];
    let mut timed = |phase: usize, start: Instant| spent[phase] += start.elapsed();
    for number in 0..SIGNATURES {
        let signers = SIGNERS.map(|id| {
            let counterparties = SIGNERS.into_iter().filter(|other| *other != id).map(index).collect();
            let sign_id = number.to_be_bytes().to_vec();
            (&parties[usize::from(id) - 1].0, id, SignData { sign_id, counterparties, message_hash: [7; 32] })
        });
        let start = Instant::now();
        let first: Vec<_> =
            signers.iter().map(|(party, _, data)| threshold::sign_1(party, data).ok().unwrap()).collect();
        timed(0, start);
        let sent: Vec<_> = first.iter().map(|first| first.2.clone()).collect();
        let start = Instant::now();
        let second = signers.iter().zip(first).map(|((party, id, data), (unique, kept, _))| {
            let received = to(*id, &sent, |message| message.parties.receiver);
            threshold::sign_2(party, data, unique, kept, &received).ok().unwrap()
        });
        let second: Vec<_> = second.collect();
        timed(1, start);
        let sent: Vec<_> = second.iter().map(|second| second.2.clone()).collect();
        let start = Instant::now();
        let third = signers.iter().zip(second).map(|((party, id, data), (unique, kept, _))| {
            let received = to(*id, &sent, |message| message.parties.receiver);
            threshold::sign_3(party, data, unique, kept, &received).ok().unwrap()
        });
        let third: Vec<_> = third.collect();
        timed(2, start);
        let broadcasts: Vec<_> = third.iter().map(|third| third.1.clone()).collect();
        let start = Instant::now();
        for ((party, _, data), (x, _)) in signers.iter().zip(&third) {
            threshold::sign_4(party, data, x, &broadcasts).ok().unwrap();
        }
        timed(3, start);
    }
    let each = |spent: Duration| spent.as_secs_f64() * 1000.0 / f64::from(SIGNATURES) / SIGNERS.len() as f64;
    for (phase, spent) in (1..).zip(spent) {
        println!("{:<40} {:>9.2} ms", format!("phase {phase}, each signer"), each(spent));
    }
    println!("{:<40} {:>9.2} ms", "all phases, each signer", each(spent.iter().sum()));
}
