//! Call data of the account: `execute(mode, …)` with one call or several (vectors 16).

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::{SolCall, SolType, SolValue, sol_data},
};

use super::mode::{CallType, ExecType, ExecutionMode};
use crate::{
    ProtocolError,
    abi::{
        decode,
        nexus::{Execution, INexus},
    },
    call::Call,
};

pub use crate::call::{MAX_CALL_DATA, MAX_CALLS};

/// Call data for one or several calls: single for one, a batch for more. No call is an error; a delegate call cannot
/// be said.
///
/// # Errors
/// `Invalid` without a call.
pub fn encode_calls(calls: &[Call]) -> Result<Bytes, ProtocolError> {
    match calls {
        [] => Err(ProtocolError::invalid("transactions", "at least one transaction", "none")),
        [_] => Ok(encode_mode(ExecutionMode::SINGLE.to_word(), calls)),
        _ => Ok(encode_mode(ExecutionMode::BATCH.to_word(), calls)),
    }
}

/// Call data with any mode word: the calls as a batch where it says batch, else the first of them. For tests and for
/// whoever shows what another wallet would build.
pub fn encode_mode(mode: B256, calls: &[Call]) -> Bytes {
    let execution = match ExecutionMode::from_word(mode).call_type {
        CallType::Batch => {
            let execution = |call: &Call| Execution { target: call.to, value: call.value, callData: call.data.clone() };
            let calls = calls.iter().map(execution).collect::<Vec<_>>();
            calls.abi_encode()
        }
        call_type => calls.first().map_or_else(Vec::new, |call| {
            let value = call.value.to_be_bytes::<32>();
            // A delegate call has no value.
            let value = if call_type == CallType::Delegate { &[][..] } else { &value };
            [call.to.as_slice(), value, &call.data].concat()
        }),
    };
    INexus::executeCall { mode, executionCalldata: execution.into() }.abi_encode().into()
}

/// What call data of the account says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedExecution {
    /// How the calls are made.
    pub mode: ExecutionMode,
    /// The calls.
    pub calls: Vec<Call>,
}

/// Parameters of `execute`.
type Parameters = (sol_data::FixedBytes<32>, sol_data::Bytes);
/// What stands in a batch.
type Batch = (sol_data::Array<Execution>,);

/// The calls inside the account's call data, in single and batch mode, "try" included. Only the canonical encoding is
/// read, though the account would take others: in them many calls may share their bytes.
///
/// # Errors
/// `Invalid` for anything else, with field and what was expected; delegate and static calls by their name.
pub fn decode_execution(call_data: &[u8]) -> Result<DecodedExecution, ProtocolError> {
    let invalid = |expected: &str, got: String| ProtocolError::invalid("callData", expected, got);
    if call_data.len() > MAX_CALL_DATA {
        return Err(invalid("at most 128 KiB", format!("{} bytes", call_data.len())));
    }
    let excerpt = || format!("0x{}", hex::encode(call_data.get(..40).unwrap_or(call_data)));
    let arguments = match call_data.split_first_chunk() {
        Some((&INexus::executeCall::SELECTOR, arguments)) => arguments,
        _ => return Err(invalid("a call of execute", excerpt())),
    };
    let unreadable = || invalid("canonical arguments of execute", excerpt());
    let (mode, execution) = decode::tokens::<Parameters>(arguments).map_err(|_| unreadable())?;
    let mode = ExecutionMode::from_word(mode.0);
    if let ExecType::Other(other) = mode.exec_type {
        return Err(invalid("execution type 0 or 1", format!("0x{other:02x}")));
    }
    let execution = execution.0;
    let calls = match mode.call_type {
        CallType::Single => vec![single(execution).ok_or_else(unreadable)?],
        CallType::Batch => {
            let (calls,) = decode::tokens::<Batch>(execution).map_err(|_| unreadable())?;
            if calls.0.len() > MAX_CALLS {
                return Err(invalid("at most 1,000 calls in a batch", calls.0.len().to_string()));
            }
            let call = |token| {
                let Execution { target: to, value, callData: data } = <Execution as SolType>::detokenize(token);
                Call { to, value, data }
            };
            calls.0.into_iter().map(call).collect()
        }
        CallType::Delegate => return Err(invalid("no delegate call: it could change anything", excerpt())),
        CallType::Static | CallType::Other(_) => return Err(invalid("a single call or a batch", excerpt())),
    };
    Ok(DecodedExecution { mode, calls })
}

/// The calls inside call data that this library would build: at least one, all or nothing.
///
/// # Errors
/// As [`decode_execution`]; for "try" modes, and for an empty batch.
pub fn decode_calls(call_data: &[u8]) -> Result<Vec<Call>, ProtocolError> {
    let DecodedExecution { mode, calls } = decode_execution(call_data)?;
    if mode.exec_type != ExecType::Default {
        return Err(ProtocolError::invalid("callData", "calls of which a failing one undoes all", "mode try"));
    }
    if calls.is_empty() {
        return Err(ProtocolError::invalid("callData", "at least one call", "an empty batch"));
    }
    Ok(calls)
}

/// `target(20) ‖ value(32) ‖ data`.
fn single(execution: &[u8]) -> Option<Call> {
    let (to, rest) = execution.split_first_chunk::<20>()?;
    let (value, data) = rest.split_first_chunk::<32>()?;
    let value = U256::from_be_bytes(*value);
    Some(Call { to: Address::from(to), value, data: Bytes::copy_from_slice(data) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn call(byte: u8) -> Call {
        Call { to: Address::repeat_byte(byte), value: U256::from(byte), data: vec![byte; 40].into() }
    }

    #[test]
    fn one_is_single_and_more_are_a_batch() {
        let calls = [call(1), call(2)];
        for (count, first) in [(1, CallType::Single), (2, CallType::Batch)] {
            let decoded = decode_execution(&encode_calls(&calls[..count]).unwrap()).unwrap();
            assert_eq!((decoded.mode.call_type, &decoded.calls[..]), (first, &calls[..count]));
        }
        assert!(encode_calls(&[]).unwrap_err().to_string().starts_with("transactions"));
    }

    #[test]
    fn other_modes_are_told_by_name() {
        let word = |first, second| ExecutionMode::from_word(B256::right_padding_from(&[first, second])).to_word();
        for (mode, part) in [
            (word(0xff, 0), "delegate"),
            (word(0xfe, 0), "single call or a batch"),
            (word(0, 2), "execution type"),
            (word(0, 1), "undoes all"),
        ] {
            let error = decode_calls(&encode_mode(mode, &[call(1)])).unwrap_err().to_string();
            assert!(error.starts_with("callData") && error.contains(part), "{error}");
        }
        let empty = decode_calls(&encode_mode(ExecutionMode::BATCH.to_word(), &[])).unwrap_err().to_string();
        assert!(empty.contains("at least one call"), "{empty}");
    }

    /// Part 5.14 of the protocol's traps: offsets that overlap.
    #[test]
    fn only_the_canonical_encoding_is_read() {
        let batch = encode_calls(&[call(1), call(2)]).unwrap().to_vec();
        assert_eq!(decode_calls(&batch).unwrap(), [call(1), call(2)]);
        let offsets = 4 + 64 + 32 + 64; // selector, mode and offset, length, array's offset and length
        assert_eq!(batch[offsets - 1], 2, "two calls");
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut changed = batch.clone();
            change(&mut changed);
            decode_calls(&changed).unwrap_err().to_string()
        };
        for (name, error) in [
            ("both offsets name one call", changed(&|bytes| bytes[offsets + 63] = bytes[offsets + 31])),
            ("something follows", changed(&|bytes| bytes.push(0))),
            ("cut", changed(&|bytes| bytes.truncate(bytes.len() - 32))),
            ("a target of 21 bytes", changed(&|bytes| bytes[offsets + 64 + 11] = 1)),
        ] {
            assert!(error.starts_with("callData: expected canonical"), "{name}: {error}");
        }
        assert!(decode_calls(&vec![0; MAX_CALL_DATA + 1]).unwrap_err().to_string().contains("128 KiB"));
        let empty = |count: usize| encode_calls(&vec![Call::default(); count]).unwrap();
        assert_eq!(decode_calls(&empty(800)).unwrap().len(), 800);
        assert!(decode_calls(&empty(1_001)).is_err());
    }
}
