//! Key generation among all n nodes (DKLs23's own, five rounds of ours).
//!
//! 1. to each: its point of our polynomial;
//! 2. to all: our commitments (to our public point and chain code), to each: to our seed;
//! 3. to all: hash of every commitment we received — nobody can have told two nodes different ones;
//! 4. only now the proofs and openings, and the setup of the pairwise multiplications;
//! 5. to all: fingerprint of what came out. The share is used only when all n came to the same.

use std::{collections::BTreeMap, sync::Arc};

use alloy::primitives::{B256, keccak256};
use dkls23::{
    protocols::{
        Parameters,
        dkg::{
            self, BroadcastDerivationPhase2to4, BroadcastDerivationPhase3to4, ProofCommitment, SessionData,
            TransmitInitMulPhase3to4, TransmitInitZeroSharePhase2to4, TransmitInitZeroSharePhase3to4,
        },
    },
    utilities::{hashes::HashOutput, proofs::DLogProof},
};
use k256::{Scalar, Secp256k1};
use serde::{Deserialize, Serialize};
use use_aa_threshold as threshold;
use zeroize::{Zeroize, Zeroizing};

use super::{
    run::{Run, RunError},
    share::{KeyShare, SecretBytes, aborted, decode, encode, index},
    workers::Workers,
};

/// Round 2.
#[derive(Serialize, Deserialize)]
pub(super) struct Commitments {
    pub proof: HashOutput,
    /// Absent in a refresh: the chain code stays.
    pub chain_code: Option<HashOutput>,
    pub seed: TransmitInitZeroSharePhase2to4,
}

/// Round 4.
#[derive(Serialize, Deserialize)]
pub(super) struct Openings {
    pub proof: DLogProof<Secp256k1>,
    pub chain_code: Option<BroadcastDerivationPhase3to4>,
    pub seed: TransmitInitZeroSharePhase3to4,
    pub multiplication: TransmitInitMulPhase3to4<Secp256k1>,
}

/// Makes a key. `session_id` is the binding: all nodes derive the same and no other run has it.
pub async fn generate(run: &mut Run, workers: &Workers, must_sign: u8) -> Result<KeyShare, RunError> {
    let me = run.me();
    let nodes = u8::try_from(run.participants().len()).unwrap_or_default();
    let parameters = Parameters::new(must_sign, nodes)
        .map_err(|_| RunError::Internal(format!("{must_sign} of {nodes} is not a threshold of 2 or more")))?;
    let data = Arc::new(SessionData { parameters, party_index: index(me)?, session_id: run.binding().to_vec() });

    let own = data.clone();
    let points = workers.run(move || Zeroizing::new(threshold::generate_1(&own))).await?;
    let points = exchange_points(run, points).await?;

    let own = data.clone();
    let (point, proof, seed_kept, seeds, chain_kept, chain) =
        workers.run(move || threshold::generate_2(&own, &points)).await?;
    let point = Zeroizing::new(point);
    let mut outgoing = BTreeMap::new();
    for seed in seeds {
        let to = seed.parties.receiver.as_u8();
        let commitments = Commitments { proof: proof.commitment, chain_code: Some(chain.cc_commitment), seed };
        outgoing.insert(to, encode(&commitments)?);
    }
    let received = committed(run, outgoing).await?;
    let mut chain_commitments = BTreeMap::from([(data.party_index, chain.clone())]);
    for (node, commitments) in &received {
        let sender_index = index(*node)?;
        let cc_commitment = commitments.chain_code.ok_or(RunError::cheated(*node, "no chain code"))?;
        chain_commitments.insert(sender_index, BroadcastDerivationPhase2to4 { sender_index, cc_commitment });
    }
    echo(run, &proof, &chain_commitments, &received).await?;

    let own = data.clone();
    let (seed_kept, seeds, mul_kept, multiplications, chain_opened) = workers
        .run(move || {
            let result = threshold::generate_3(&own, &seed_kept, &chain_kept);
            drop(Wiped(seed_kept));
            result
        })
        .await?;
    let openings = open(run, &proof, Some(&chain_opened), seeds, multiplications).await?;
    let proofs = proofs(&proof, &received, &openings)?;
    let mut chain_openings = BTreeMap::from([(data.party_index, chain_opened)]);
    for (node, opening) in &openings {
        let sender_index = index(*node)?;
        let opened = opening.chain_code.clone().filter(|opened| opened.sender_index == sender_index);
        chain_openings.insert(sender_index, opened.ok_or(RunError::cheated(*node, "no chain code"))?);
    }
    let commitments: Vec<_> = received.into_values().map(|commitments| commitments.seed).collect();
    let (seeds, multiplications): (Vec<_>, Vec<_>) =
        openings.into_values().map(|opening| (opening.seed, opening.multiplication)).unzip();
    let (party, package) = workers
        .run(move || {
            threshold::generate_4(
                &data,
                &point,
                &proofs,
                &seed_kept,
                &commitments,
                &seeds,
                &mul_kept,
                &multiplications,
                &chain_commitments,
                &chain_openings,
            )
        })
        .await?
        .map_err(aborted)?;
    let share = KeyShare { party, package, epoch: 0 };
    confirm(run, share.fingerprint()).await?;
    Ok(share)
}

struct Wiped<K: Ord>(BTreeMap<K, dkg::KeepInitZeroSharePhase2to3>);

impl<K: Ord> Drop for Wiped<K> {
    fn drop(&mut self) {
        for kept in self.0.values_mut() {
            kept.seed.zeroize();
            kept.salt.zeroize();
        }
    }
}

/// Round 1. `points` has one for each node, in their order; the answer, too.
pub(super) async fn exchange_points(
    run: &mut Run,
    points: Zeroizing<Vec<Scalar>>,
) -> Result<Zeroizing<Vec<Scalar>>, RunError> {
    let me = run.me();
    let mut outgoing = BTreeMap::new();
    for node in run.others() {
        let point = points.get(usize::from(node) - 1);
        outgoing.insert(node, encode(point.ok_or_else(|| RunError::Internal("too few points".into()))?)?);
    }
    let received = run.exchange(outgoing).await?;
    let mut all = Zeroizing::new(Vec::with_capacity(points.len()));
    for node in run.participants() {
        all.push(match received.get(node) {
            Some(bytes) => decode::<Scalar>(*node, bytes)?,
            None => points[usize::from(me) - 1],
        });
    }
    Ok(all)
}

/// Round 2.
pub(super) async fn committed(
    run: &mut Run,
    outgoing: BTreeMap<u8, SecretBytes>,
) -> Result<BTreeMap<u8, Commitments>, RunError> {
    let me = run.me();
    let mut all = BTreeMap::new();
    for (node, bytes) in run.exchange(outgoing).await? {
        let commitments: Commitments = decode(node, &bytes)?;
        let parties = &commitments.seed.parties;
        if (parties.sender.as_u8(), parties.receiver.as_u8()) != (node, me) {
            return Err(RunError::cheated(node, "a commitment of or for another"));
        }
        all.insert(node, commitments);
    }
    Ok(all)
}

/// Round 3: everybody received the same commitments.
pub(super) async fn echo(
    run: &mut Run,
    proof: &ProofCommitment<Secp256k1>,
    chain_codes: &BTreeMap<dkls23::protocols::PartyIndex, BroadcastDerivationPhase2to4>,
    received: &BTreeMap<u8, Commitments>,
) -> Result<(), RunError> {
    let mut bytes = b"use-aa dan echo 1".to_vec();
    bytes.extend_from_slice(run.binding().as_slice());
    for node in run.participants() {
        bytes.push(*node);
        bytes.extend_from_slice(received.get(node).map_or(&proof.commitment, |commitments| &commitments.proof));
        if let Some(chain_code) = chain_codes.get(&index(*node)?) {
            bytes.extend_from_slice(&chain_code.cc_commitment);
        }
    }
    confirm(run, keccak256(bytes)).await
}

/// One round in which everybody must say the same.
pub async fn confirm(run: &mut Run, hash: B256) -> Result<(), RunError> {
    for (node, bytes) in run.broadcast(Zeroizing::new(hash.to_vec())).await? {
        if bytes[..] != hash[..] {
            return Err(RunError::cheated(node, "another view of what all were told"));
        }
    }
    Ok(())
}

/// Round 4.
pub(super) async fn open(
    run: &mut Run,
    proof: &ProofCommitment<Secp256k1>,
    chain_code: Option<&BroadcastDerivationPhase3to4>,
    seeds: Vec<TransmitInitZeroSharePhase3to4>,
    multiplications: Vec<TransmitInitMulPhase3to4<Secp256k1>>,
) -> Result<BTreeMap<u8, Openings>, RunError> {
    let me = run.me();
    let mut outgoing = BTreeMap::new();
    for (seed, multiplication) in seeds.into_iter().zip(multiplications) {
        let to = seed.parties.receiver.as_u8();
        let proof = proof.proof.clone();
        let opening = Openings { proof, chain_code: chain_code.cloned(), seed, multiplication };
        outgoing.insert(to, encode(&opening)?);
    }
    let mut all = BTreeMap::new();
    for (node, bytes) in run.exchange(outgoing).await? {
        let opening: Openings = decode(node, &bytes)?;
        for parties in [&opening.seed.parties, &opening.multiplication.parties] {
            if (parties.sender.as_u8(), parties.receiver.as_u8()) != (node, me) {
                return Err(RunError::cheated(node, "an opening of or for another"));
            }
        }
        all.insert(node, opening);
    }
    Ok(all)
}

/// Every node's proof with the commitment that it gave before, ours included.
pub(super) fn proofs(
    own: &ProofCommitment<Secp256k1>,
    committed: &BTreeMap<u8, Commitments>,
    opened: &BTreeMap<u8, Openings>,
) -> Result<Vec<ProofCommitment<Secp256k1>>, RunError> {
    let mut all = vec![own.clone()];
    for (node, opening) in opened {
        let commitment = committed.get(node).ok_or(RunError::cheated(*node, "no commitment"))?.proof;
        all.push(ProofCommitment { index: index(*node)?, proof: opening.proof.clone(), commitment });
    }
    Ok(all)
}
