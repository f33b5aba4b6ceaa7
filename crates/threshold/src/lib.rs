//! The computations of `dkls23` for secp256k1, each behind a plain function.
//!
//! `dkls23` is generic over the curve, so its code is compiled where it is called, at the caller's `opt-level`: one for
//! `dkls23` alone changes nothing. Here `[profile.dev.package]` reaches it: a key takes seconds, not half a minute.
//! Nothing else belongs here: what is sent, kept and checked is in `use_aa::dan`.
#![warn(missing_docs)]

use std::collections::BTreeMap;

use dkls23::{
    protocols::{
        Abort, PartyIndex,
        dkg::{
            self, BroadcastDerivationPhase2to4, BroadcastDerivationPhase3to4, KeepInitMulPhase3to4,
            KeepInitZeroSharePhase2to3, KeepInitZeroSharePhase3to4, ProofCommitment, SessionData,
            TransmitInitMulPhase3to4, TransmitInitZeroSharePhase2to4, TransmitInitZeroSharePhase3to4,
            UniqueKeepDerivationPhase2to3,
        },
        repair::{self, RepairError, RepairTerm},
        signing::{
            Broadcast3to4, KeepPhase1to2, KeepPhase2to3, SignData, TransmitPhase1to2, TransmitPhase2to3,
            UniqueKeep1to2, UniqueKeep2to3,
        },
    },
    secp256k1::{Party, PublicKeyPackage},
};
use k256::{Scalar, Secp256k1};

/// What phase 2 of key generation keeps and sends.
pub type Phase2 = (
    Scalar,
    ProofCommitment<Secp256k1>,
    BTreeMap<PartyIndex, KeepInitZeroSharePhase2to3>,
    Vec<TransmitInitZeroSharePhase2to4>,
    UniqueKeepDerivationPhase2to3,
    BroadcastDerivationPhase2to4,
);

/// What phase 3 of a refresh keeps and sends.
pub type Phase3 = (
    BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    Vec<TransmitInitZeroSharePhase3to4>,
    BTreeMap<PartyIndex, KeepInitMulPhase3to4<Secp256k1>>,
    Vec<TransmitInitMulPhase3to4<Secp256k1>>,
);

/// See [`dkg::phase1`].
pub fn generate_1(data: &SessionData) -> Vec<Scalar> {
    dkg::phase1::<Secp256k1>(data)
}

/// See [`dkg::phase2`].
pub fn generate_2(data: &SessionData, points: &[Scalar]) -> Phase2 {
    dkg::phase2::<Secp256k1>(data, points)
}

/// See [`dkg::phase3`].
#[allow(clippy::type_complexity)]
pub fn generate_3(
    data: &SessionData,
    seeds: &BTreeMap<PartyIndex, KeepInitZeroSharePhase2to3>,
    chain_code: &UniqueKeepDerivationPhase2to3,
) -> (
    BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    Vec<TransmitInitZeroSharePhase3to4>,
    BTreeMap<PartyIndex, KeepInitMulPhase3to4<Secp256k1>>,
    Vec<TransmitInitMulPhase3to4<Secp256k1>>,
    BroadcastDerivationPhase3to4,
) {
    dkg::phase3::<Secp256k1>(data, seeds, chain_code)
}

/// See [`dkg::phase4`]; the address is left empty.
///
/// # Errors
/// When a message is not as it must be.
#[allow(clippy::too_many_arguments)]
pub fn generate_4(
    data: &SessionData,
    point: &Scalar,
    proofs: &[ProofCommitment<Secp256k1>],
    seeds_kept: &BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    seeds_2: &[TransmitInitZeroSharePhase2to4],
    seeds_3: &[TransmitInitZeroSharePhase3to4],
    multiplications_kept: &BTreeMap<PartyIndex, KeepInitMulPhase3to4<Secp256k1>>,
    multiplications: &[TransmitInitMulPhase3to4<Secp256k1>],
    chain_codes_2: &BTreeMap<PartyIndex, BroadcastDerivationPhase2to4>,
    chain_codes_3: &BTreeMap<PartyIndex, BroadcastDerivationPhase3to4>,
) -> Result<(Party, PublicKeyPackage), Abort> {
    dkg::phase4::<Secp256k1>(
        data,
        point,
        proofs,
        seeds_kept,
        seeds_2,
        seeds_3,
        multiplications_kept,
        multiplications,
        chain_codes_2,
        chain_codes_3,
        |_| String::new(),
    )
}

/// See [`Party::refresh_complete_phase1`].
pub fn refresh_1(party: &Party) -> Vec<Scalar> {
    party.refresh_complete_phase1()
}

/// See [`Party::refresh_complete_phase2`].
#[allow(clippy::type_complexity)]
pub fn refresh_2(
    party: &Party,
    id: &[u8],
    points: &[Scalar],
) -> (
    Scalar,
    ProofCommitment<Secp256k1>,
    BTreeMap<PartyIndex, KeepInitZeroSharePhase2to3>,
    Vec<TransmitInitZeroSharePhase2to4>,
) {
    party.refresh_complete_phase2(id, points)
}

/// See [`Party::refresh_complete_phase3`].
pub fn refresh_3(party: &Party, id: &[u8], seeds: &BTreeMap<PartyIndex, KeepInitZeroSharePhase2to3>) -> Phase3 {
    party.refresh_complete_phase3(id, seeds)
}

/// See [`Party::refresh_complete_phase4`].
///
/// # Errors
/// When a message is not as it must be.
#[allow(clippy::too_many_arguments)]
pub fn refresh_4(
    party: &Party,
    id: &[u8],
    correction: &Scalar,
    proofs: &[ProofCommitment<Secp256k1>],
    seeds_kept: &BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    seeds_2: &[TransmitInitZeroSharePhase2to4],
    seeds_3: &[TransmitInitZeroSharePhase3to4],
    multiplications_kept: &BTreeMap<PartyIndex, KeepInitMulPhase3to4<Secp256k1>>,
    multiplications: &[TransmitInitMulPhase3to4<Secp256k1>],
) -> Result<Party, Abort> {
    party.refresh_complete_phase4(
        id,
        correction,
        proofs,
        seeds_kept,
        seeds_2,
        seeds_3,
        multiplications_kept,
        multiplications,
    )
}

/// See [`PublicKeyPackage::refresh`]; an error is its reason in words.
///
/// # Errors
/// When a proof is not as it must be.
pub fn refresh_package(
    package: &PublicKeyPackage,
    id: &[u8],
    proofs: &[ProofCommitment<Secp256k1>],
) -> Result<PublicKeyPackage, String> {
    package.refresh(id, proofs).map_err(|reason| reason.to_string())
}

/// See [`Party::repair_term`].
///
/// # Errors
/// When the set of helpers is not one.
pub fn repair_term(
    party: &Party,
    helpers: &[PartyIndex],
    target: PartyIndex,
    id: &[u8],
) -> Result<RepairTerm<Secp256k1>, RepairError> {
    party.repair_term(helpers, target, id)
}

/// See [`repair::repair_assemble`]; the address is left empty.
///
/// # Errors
/// When the terms do not fit together.
pub fn repair_assemble(
    package: &PublicKeyPackage,
    target: PartyIndex,
    terms: &[RepairTerm<Secp256k1>],
) -> Result<Party, RepairError> {
    repair::repair_assemble(package, target, terms, |_| String::new())
}

/// See [`Party::sign_phase1`].
///
/// # Errors
/// When the set of signers is not one.
#[allow(clippy::type_complexity)]
pub fn sign_1(
    party: &Party,
    data: &SignData,
) -> Result<(UniqueKeep1to2<Secp256k1>, BTreeMap<PartyIndex, KeepPhase1to2<Secp256k1>>, Vec<TransmitPhase1to2>), Abort>
{
    party.sign_phase1(data)
}

/// See [`Party::sign_phase2`].
///
/// # Errors
/// When a message is not as it must be.
#[allow(clippy::type_complexity)]
pub fn sign_2(
    party: &Party,
    data: &SignData,
    unique: UniqueKeep1to2<Secp256k1>,
    kept: BTreeMap<PartyIndex, KeepPhase1to2<Secp256k1>>,
    received: &[TransmitPhase1to2],
) -> Result<
    (UniqueKeep2to3<Secp256k1>, BTreeMap<PartyIndex, KeepPhase2to3<Secp256k1>>, Vec<TransmitPhase2to3<Secp256k1>>),
    Abort,
> {
    party.sign_phase2(data, unique, kept, received)
}

/// See [`Party::sign_phase3`].
///
/// # Errors
/// When a message is not as it must be.
pub fn sign_3(
    party: &Party,
    data: &SignData,
    unique: UniqueKeep2to3<Secp256k1>,
    kept: BTreeMap<PartyIndex, KeepPhase2to3<Secp256k1>>,
    received: &[TransmitPhase2to3<Secp256k1>],
) -> Result<(String, Broadcast3to4<Secp256k1>), Abort> {
    party.sign_phase3(data, unique, kept, received)
}

/// See [`Party::sign_phase4`]; s is in the lower half.
///
/// # Errors
/// When the signature is not valid.
pub fn sign_4(
    party: &Party,
    data: &SignData,
    x_coordinate: &str,
    received: &[Broadcast3to4<Secp256k1>],
) -> Result<(String, u8), Abort> {
    party.sign_phase4(data, x_coordinate, received, true)
}
