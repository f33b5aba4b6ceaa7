//! The only place that reads ABI encodings. In one of them many offsets may name the same bytes: a body of 512 KiB then
//! stands for half a gigabyte, copied before anybody can object. Hence two ways to read:
//!
//! - **canonical**, for what anybody can send: every part begins where the one before it ended, padding is zero,
//!   nothing follows. What is read is then no larger than what came, and means the same to every contract. ethers,
//!   viem and Solidity write nothing else.
//! - **loose**, for what contracts answer or revert with: any layout, but no more is read than came.
//!
//! `tests/architecture.rs` keeps alloy's own `abi_decode…` out of everything else.

use alloy::{
    primitives::B256,
    sol_types::{
        Error, Result, SolCall, SolError, SolEvent, SolInterface, SolType, SolValue,
        abi::{AbiDecoderConfig, TokenSeq, decode_sequence_with_config},
    },
};

/// Longest encoding that a caller may send, bytes: nodes take no longer transaction.
pub const MAX_BYTES: usize = 128 * 1024;
/// Longest encoding that is read from the chain, bytes: bundles that no public node carried may be longer.
pub const MAX_BYTES_ON_CHAIN: usize = 1024 * 1024;

const CANONICAL: AbiDecoderConfig = AbiDecoderConfig::new().strict(true);
const CANONICAL_AND_MORE: AbiDecoderConfig = CANONICAL.validate_allow_trailing_bytes(true);

/// Any layout, as long as all parts together are no longer than what came.
const fn loose(data: &[u8]) -> AbiDecoderConfig {
    AbiDecoderConfig::new().memory_limit(data.len())
}

fn within(data: &[u8], most: usize) -> Result<&[u8]> {
    if data.len() > most { Err(Error::custom(format!("{} bytes; at most {most}", data.len()))) } else { Ok(data) }
}

/// A call with its selector, canonical.
///
/// # Errors
/// What else came.
pub fn call<C: SolCall>(data: &[u8]) -> Result<C> {
    C::abi_decode_with_config(within(data, MAX_BYTES)?, CANONICAL)
}

/// A call in a transaction that was mined, canonical; bundlers may have put marks of their own behind it.
///
/// # Errors
/// What else came.
pub fn mined_call<C: SolCall>(data: &[u8]) -> Result<C> {
    C::abi_decode_with_config(within(data, MAX_BYTES_ON_CHAIN)?, CANONICAL_AND_MORE)
}

/// Parameters without a selector, canonical.
///
/// # Errors
/// What else came.
pub fn params<T>(data: &[u8]) -> Result<T>
where
    T: SolValue + From<<T::SolType as SolType>::RustType>,
    for<'de> <T::SolType as SolType>::Token<'de>: TokenSeq<'de>,
{
    T::abi_decode_params_with_config(within(data, MAX_BYTES)?, CANONICAL)
}

/// [`params`] that something else may follow: the JavaScript SDK puts a session's `additionalSessionData` there.
///
/// # Errors
/// What else came.
pub fn leading_params<T>(data: &[u8]) -> Result<T>
where
    T: SolValue + From<<T::SolType as SolType>::RustType>,
    for<'de> <T::SolType as SolType>::Token<'de>: TokenSeq<'de>,
{
    T::abi_decode_params_with_config(within(data, MAX_BYTES)?, CANONICAL_AND_MORE)
}

/// The parts of [`params`], nothing copied yet: for whoever counts them first.
///
/// # Errors
/// What else came.
pub(crate) fn tokens<T: SolType>(data: &[u8]) -> Result<T::Token<'_>>
where
    for<'de> T::Token<'de>: TokenSeq<'de>,
{
    let tokens = decode_sequence_with_config::<T::Token<'_>>(within(data, MAX_BYTES)?, CANONICAL)?;
    T::type_check(&tokens)?;
    Ok(tokens)
}

/// Parameters that a contract wrote, loose: the data of an event, an answer.
///
/// # Errors
/// What else came.
pub fn loose_params<T>(data: &[u8]) -> Result<T>
where
    T: SolValue + From<<T::SolType as SolType>::RustType>,
    for<'de> <T::SolType as SolType>::Token<'de>: TokenSeq<'de>,
{
    T::abi_decode_params_with_config(data, loose(data).validate(true))
}

/// An error that a contract reverted with, loose: hand-written ones are often not padded.
///
/// # Errors
/// What else came.
pub fn loose_error<E: SolError>(data: &[u8]) -> Result<E> {
    E::abi_decode_with_config(data, loose(data))
}

/// One of several errors that a contract reverted with, loose.
///
/// # Errors
/// What else came.
pub fn loose_errors<E: SolInterface>(data: &[u8]) -> Result<E> {
    E::abi_decode_with_config(data, loose(data))
}

/// An event, loose.
///
/// # Errors
/// What else came.
pub fn loose_event<E: SolEvent>(topics: &[B256], data: &[u8]) -> Result<E> {
    E::decode_raw_log_with_config(topics, data, loose(data))
}
