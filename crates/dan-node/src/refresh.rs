//! New shares of the same key, and the share of a node that lost it (all n nodes).
//!
//! The rounds are those of key generation with polynomials whose constant term is zero. A lost share is rebuilt first:
//! every other node sends the target one masked term over its authenticated channel, and the complete refresh that
//! follows in the same run makes the old shares worthless. Committing what comes out is `renewal.rs`.

use std::{collections::BTreeMap, sync::Arc};

use alloy::primitives::B256;
use dkls23::{
    protocols::repair::RepairTerm,
    secp256k1::{Party, PublicKeyPackage},
};
use k256::{Secp256k1, elliptic_curve::group::GroupEncoding};
use serde::{Deserialize, Serialize};
use use_aa_threshold as threshold;
use zeroize::{Zeroize, Zeroizing};

use super::{
    key_generation::{Commitments, committed, echo, exchange_points, open, proofs},
    run::{Run, RunError},
    share::{KeyShare, SecretBytes, aborted, decode, encode, index},
    workers::Workers,
};

/// What a helper sends to the node that lost its share.
#[derive(Serialize, Deserialize)]
struct Help {
    term: RepairTerm<Secp256k1>,
    package: PublicKeyPackage,
    epoch: u64,
    /// What the node keeps beside the share (its grant), for the vault.
    record: Vec<u8>,
}

/// As helper: sends our term, and our record of the key, to `target`.
pub async fn help(
    run: &mut Run,
    workers: &Workers,
    share: Arc<KeyShare>,
    target: u8,
    record: &[u8],
) -> Result<(), RunError> {
    let helpers = run.participants().iter().filter(|node| **node != target).map(|node| index(*node));
    let helpers = helpers.collect::<Result<Vec<_>, _>>()?;
    let (id, target_index) = (run.binding(), index(target)?);
    let own = share.clone();
    let term = workers
        .run(move || threshold::repair_term(&own.party, &helpers, target_index, id.as_slice()))
        .await?
        .map_err(|error| RunError::Aborted(error.to_string()))?;
    let help = Help { term, package: share.package.clone(), epoch: share.epoch, record: record.to_vec() };
    run.send(BTreeMap::from([(target, encode(&help)?)]))
}

/// As the node that lost it: a share that can only be refreshed, and each helper's record of the key. On the share all
/// helpers must agree; what to make of the records is the caller's.
pub async fn be_helped(run: &mut Run, workers: &Workers) -> Result<(KeyShare, BTreeMap<u8, SecretBytes>), RunError> {
    let me = index(run.me())?;
    run.send(BTreeMap::new())?;
    let others: Vec<u8> = run.others().collect();
    let (mut terms, mut records, mut view) = (Vec::new(), BTreeMap::new(), None);
    for (node, bytes) in run.receive(&others).await? {
        let help: Help = decode(node, &bytes)?;
        if help.term.helper.as_u8() != node {
            return Err(RunError::cheated(node, "a term of another"));
        }
        let (first, epoch, _) = view.get_or_insert((encode(&help.package)?, help.epoch, help.package.clone()));
        // Of different epochs: a renewal is not decided everywhere, or a vault was brought back from a backup.
        if *epoch != help.epoch {
            return Err(RunError::ShareEpoch(node));
        }
        if *first != encode(&help.package)? {
            return Err(RunError::cheated(node, "another view of the key"));
        }
        records.insert(node, Zeroizing::new(help.record));
        terms.push(help.term);
    }
    let (_, epoch, package) = view.ok_or_else(|| RunError::Internal("nobody to help".into()))?;
    let (package, party) = workers
        .run(move || threshold::repair_assemble(&package, me, &terms).map(|party| (package, party)))
        .await?
        .map_err(|error| RunError::Aborted(error.to_string()))?;
    Ok((KeyShare { party, package, epoch }, records))
}

/// One round in which all must have shares of the same epoch: what would be made of others can look like cheating.
async fn same_epoch(run: &mut Run, mark: B256) -> Result<(), RunError> {
    let theirs = run.broadcast(Zeroizing::new(mark.to_vec())).await?;
    match theirs.iter().find(|(_, theirs)| theirs[..] != mark[..]) {
        Some((node, _)) => Err(RunError::ShareEpoch(*node)),
        None => Ok(()),
    }
}

/// New shares. The old one stays valid until the new one is committed.
pub async fn refresh(run: &mut Run, workers: &Workers, share: Arc<KeyShare>) -> Result<KeyShare, RunError> {
    same_epoch(run, share.epoch_mark()).await?;
    let id = run.binding();
    let own = share.clone();
    let points = workers.run(move || Zeroizing::new(threshold::refresh_1(&own.party))).await?;
    let points = exchange_points(run, points).await?;

    let own = share.clone();
    let (correction, proof, seed_kept, seeds) =
        workers.run(move || threshold::refresh_2(&own.party, id.as_slice(), &points)).await?;
    let correction = Zeroizing::new(correction);
    let mut outgoing = BTreeMap::new();
    for seed in seeds {
        let to = seed.parties.receiver.as_u8();
        outgoing.insert(to, encode(&Commitments { proof: proof.commitment, chain_code: None, seed })?);
    }
    let received = committed(run, outgoing).await?;
    echo(run, &proof, &BTreeMap::new(), &received).await?;

    let own = share.clone();
    let (seed_kept, seeds, mul_kept, multiplications) = workers
        .run(move || {
            let result = threshold::refresh_3(&own.party, id.as_slice(), &seed_kept);
            for mut kept in seed_kept.into_values() {
                kept.seed.zeroize();
                kept.salt.zeroize();
            }
            result
        })
        .await?;
    let openings = open(run, &proof, None, seeds, multiplications).await?;
    let proofs = proofs(&proof, &received, &openings)?;
    let commitments: Vec<_> = received.into_values().map(|commitments| commitments.seed).collect();
    let (seeds, multiplications): (Vec<_>, Vec<_>) =
        openings.into_values().map(|opening| (opening.seed, opening.multiplication)).unzip();
    let own = share.clone();
    let (party, package) = workers
        .run(move || -> Result<(Party, PublicKeyPackage), RunError> {
            let party = threshold::refresh_4(
                &own.party,
                id.as_slice(),
                &correction,
                &proofs,
                &seed_kept,
                &commitments,
                &seeds,
                &mul_kept,
                &multiplications,
            );
            let package = threshold::refresh_package(&own.package, id.as_slice(), &proofs);
            Ok((party.map_err(aborted)?, package.map_err(RunError::Aborted)?))
        })
        .await??;
    let new = KeyShare { party, package, epoch: share.epoch + 1 };
    match new.package.verifying_key().to_bytes() == share.package.verifying_key().to_bytes() {
        true => Ok(new),
        false => Err(RunError::Internal("the refresh changed the key".into())),
    }
}
