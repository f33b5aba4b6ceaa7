//! A signature of exactly t nodes (DKLs23, three rounds).
//!
//! State between the phases lives in this call only: it is never written down, never used twice.
//!
//! In front of each first message is the fingerprint of the shares that it was made with. Shares of different epochs do
//! not fit: what comes of them can look like cheating, for which an honest node would be banned. So nothing is computed
//! from messages of another epoch.

use std::{collections::BTreeMap, sync::Arc};

use alloy::primitives::{Address, B256, Bytes, Signature};
use dkls23::protocols::signing::{Broadcast3to4, SignData, TransmitPhase1to2, TransmitPhase2to3};
use k256::Secp256k1;
use use_aa_threshold as threshold;
use zeroize::Zeroizing;

use super::{
    laps::{Laps, Part},
    run::{Run, RunError},
    share::{KeyShare, SecretBytes, aborted, decode, encode, index},
    workers::Workers,
};

/// Signs `digest`. Before the last message is sent, which makes the signature, `release` must succeed.
pub async fn sign(
    run: &mut Run,
    laps: &mut Laps,
    workers: &Workers,
    share: Arc<KeyShare>,
    digest: B256,
    release: impl Future<Output = Result<(), RunError>>,
) -> Result<Bytes, RunError> {
    let me = run.me();
    let counterparties = run.others().map(index).collect::<Result<Vec<_>, _>>()?;
    let data = Arc::new(SignData { sign_id: run.binding().to_vec(), counterparties, message_hash: digest.0 });

    let (own, data_1) = (share.clone(), data.clone());
    let (fingerprint, first) = workers.run(move || (own.fingerprint(), threshold::sign_1(&own.party, &data_1))).await?;
    let (unique, kept, messages) = first.map_err(aborted)?;
    laps.lap(Part::Computing);
    let mut outgoing = BTreeMap::new();
    for message in &messages {
        outgoing.insert(message.parties.receiver.as_u8(), marked(fingerprint, &encode(message)?));
    }
    let mut received = Vec::new();
    for (node, bytes) in exchange(run, laps, outgoing).await? {
        let message: TransmitPhase1to2 = decode(node, unmarked(node, fingerprint, &bytes)?)?;
        check(node, me, message.parties.sender.as_u8(), message.parties.receiver.as_u8())?;
        received.push(message);
    }

    laps.lap(Part::Coding);
    let (own, data_2) = (share.clone(), data.clone());
    let (unique, kept, messages) =
        workers.run(move || threshold::sign_2(&own.party, &data_2, unique, kept, &received)).await?.map_err(aborted)?;
    laps.lap(Part::Computing);
    let mut outgoing = BTreeMap::new();
    for message in &messages {
        outgoing.insert(message.parties.receiver.as_u8(), encode(message)?);
    }
    let mut received = Vec::new();
    for (node, bytes) in exchange(run, laps, outgoing).await? {
        let message: TransmitPhase2to3<Secp256k1> = decode(node, &bytes)?;
        check(node, me, message.parties.sender.as_u8(), message.parties.receiver.as_u8())?;
        received.push(message);
    }

    laps.lap(Part::Coding);
    let (own, data_3) = (share.clone(), data.clone());
    let (x_coordinate, broadcast) =
        workers.run(move || threshold::sign_3(&own.party, &data_3, unique, kept, &received)).await?.map_err(aborted)?;
    laps.lap(Part::Computing);
    release.await?;
    laps.lap(Part::Disk);
    let body = encode(&broadcast)?;
    let mut broadcasts = vec![broadcast];
    let outgoing = run.others().map(|node| (node, body.clone())).collect();
    for (node, bytes) in exchange(run, laps, outgoing).await? {
        broadcasts.push(decode::<Broadcast3to4<Secp256k1>>(node, &bytes)?);
    }

    laps.lap(Part::Coding);
    let (own, x) = (share.clone(), x_coordinate.clone());
    let (s, recovery_id) =
        workers.run(move || threshold::sign_4(&own.party, &data, &x, &broadcasts)).await?.map_err(aborted)?;
    let address = share.address().ok_or_else(|| RunError::Internal("a share without an address".into()))?;
    let signature = signature(&x_coordinate, &s, recovery_id, digest, address);
    laps.lap(Part::Computing);
    signature
}

/// [`Run::exchange`], measured.
async fn exchange(
    run: &mut Run,
    laps: &mut Laps,
    outgoing: BTreeMap<u8, SecretBytes>,
) -> Result<BTreeMap<u8, SecretBytes>, RunError> {
    run.send(outgoing)?;
    laps.lap(Part::Coding);
    let others: Vec<u8> = run.others().collect();
    let received = run.receive(&others).await;
    laps.lap(Part::Others);
    received
}

/// The message behind the fingerprint of our shares.
fn marked(fingerprint: B256, message: &[u8]) -> SecretBytes {
    let mut bytes = Zeroizing::new(Vec::with_capacity(32 + message.len()));
    bytes.extend_from_slice(fingerprint.as_slice());
    bytes.extend_from_slice(message);
    bytes
}

/// The message of a node whose shares are of our epoch.
fn unmarked(from: u8, fingerprint: B256, bytes: &[u8]) -> Result<&[u8], RunError> {
    match bytes.split_first_chunk::<32>() {
        Some((theirs, message)) if *theirs == fingerprint => Ok(message),
        Some(_) => Err(RunError::ShareEpoch(from)),
        None => Err(RunError::cheated(from, "a message that cannot be read")),
    }
}

fn check(from: u8, me: u8, sender: u8, receiver: u8) -> Result<(), RunError> {
    match (sender, receiver) == (from, me) {
        true => Ok(()),
        false => Err(RunError::cheated(from, "a message of or for another")),
    }
}

/// `r ‖ s ‖ v`, checked to recover to the key's address.
fn signature(r: &str, s: &str, recovery_id: u8, digest: B256, address: Address) -> Result<Bytes, RunError> {
    let wrong = || RunError::Aborted("the signature is not the key's".into());
    let mut bytes = [0u8; 65];
    hex::decode_to_slice(r, &mut bytes[..32]).map_err(|_| wrong())?;
    hex::decode_to_slice(s, &mut bytes[32..64]).map_err(|_| wrong())?;
    bytes[64] = 27 + recovery_id;
    let signature = Signature::from_raw_array(&bytes).map_err(|_| wrong())?;
    match signature.recover_address_from_prehash(&digest) {
        Ok(recovered) if recovered == address && recovery_id <= 1 => Ok(bytes.to_vec().into()),
        _ => Err(wrong()),
    }
}
