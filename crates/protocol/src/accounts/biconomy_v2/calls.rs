//! Call data of the account: `execute` and `executeBatch`, and their short twins (docs/protocol.md 2.5).

use alloy::{
    primitives::Bytes,
    sol_types::{SolCall, SolType, sol_data},
};

use crate::{
    ProtocolError,
    abi::{ISmartAccount, decode},
    call::{Call, MAX_CALL_DATA, MAX_CALLS},
};

/// Call data for one or several calls: `execute_ncC` for one, `executeBatch_y6U` for more, or for
/// one when `force_batch` is set (the batched router accepts batches only). No call is an error.
pub fn encode_calls(calls: &[Call], force_batch: bool) -> Result<Bytes, ProtocolError> {
    match calls {
        [] => Err(ProtocolError::invalid("transactions", "at least one transaction", "none")),
        [call] if !force_batch => {
            Ok(ISmartAccount::execute_ncCCall { dest: call.to, value: call.value, func: call.data.clone() }
                .abi_encode()
                .into())
        }
        calls => Ok(ISmartAccount::executeBatch_y6UCall {
            dest: calls.iter().map(|call| call.to).collect(),
            value: calls.iter().map(|call| call.value).collect(),
            func: calls.iter().map(|call| call.data.clone()).collect(),
        }
        .abi_encode()
        .into()),
    }
}

/// Parameters of `execute` and `execute_ncC`.
type Single = (sol_data::Address, sol_data::Uint<256>, sol_data::Bytes);
/// Parameters of `executeBatch` and `executeBatch_y6U`.
type Batch =
    (sol_data::Array<sol_data::Address>, sol_data::Array<sol_data::Uint<256>>, sol_data::Array<sol_data::Bytes>);

/// The calls inside the account's call data; knows `execute`, `executeBatch` and their short twins. Anything but the
/// canonical encoding is an error, though the account would take it: nobody writes another one by honest means.
pub fn decode_calls(call_data: &[u8]) -> Result<Vec<Call>, ProtocolError> {
    let invalid = |expected: &str, got: String| Err(ProtocolError::invalid("callData", expected, got));
    let unreadable = || invalid("canonical arguments of execute or executeBatch", excerpt(call_data));
    if call_data.len() > MAX_CALL_DATA {
        return invalid("at most 128 KiB", format!("{} bytes", call_data.len()));
    }
    let call = |to, value, data| Call {
        to: sol_data::Address::detokenize(to),
        value: sol_data::Uint::<256>::detokenize(value),
        data: sol_data::Bytes::detokenize(data),
    };
    match call_data.split_first_chunk() {
        Some((&(ISmartAccount::execute_ncCCall::SELECTOR | ISmartAccount::executeCall::SELECTOR), arguments)) => {
            let Ok((to, value, data)) = decode::tokens::<Single>(arguments) else { return unreadable() };
            Ok(vec![call(to, value, data)])
        }
        Some((
            &(ISmartAccount::executeBatch_y6UCall::SELECTOR | ISmartAccount::executeBatchCall::SELECTOR),
            arguments,
        )) => {
            let Ok((to, value, data)) = decode::tokens::<Batch>(arguments) else { return unreadable() };
            let (to, value, data) = (to.0, value.0, data.0);
            if to.len() != value.len() || to.len() != data.len() {
                let got = format!("{}, {} and {}", to.len(), value.len(), data.len());
                return invalid("as many destinations as values and data", got);
            }
            if to.len() > MAX_CALLS {
                return invalid("at most 1,000 calls in a batch", to.len().to_string());
            }
            Ok(to.into_iter().zip(value).zip(data).map(|((to, value), data)| call(to, value, data)).collect())
        }
        _ => invalid("a call of execute or executeBatch", excerpt(call_data)),
    }
}

/// First bytes as hex, for messages.
fn excerpt(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes.get(..40).unwrap_or(bytes)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::Address;

    use super::*;

    /// The account would take these, too; what is signed, paid for or judged here must be unmistakable.
    #[test]
    fn only_the_canonical_encoding_is_read() {
        let calls = [Call { data: vec![7; 40].into(), ..Call::default() }, Call::default()];
        let batch = encode_calls(&calls, true).unwrap().to_vec();
        assert_eq!(decode_calls(&batch).unwrap(), calls);
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut changed = batch.clone();
            change(&mut changed);
            decode_calls(&changed).unwrap_err().to_string()
        };
        let data = 4 + 3 * 32 + 2 * 96; // where the third array begins
        assert_eq!(batch[data + 31], 2, "two pieces of data");
        for (name, error) in [
            ("both calls with one data", changed(&|bytes| bytes[data + 95] = bytes[data + 63])),
            ("values are the destinations", changed(&|bytes| bytes[4 + 63] = bytes[4 + 31])),
            ("padding", changed(&|bytes| bytes[data + 96 + 32 + 41] = 1)),
            ("a destination of 21 bytes", changed(&|bytes| bytes[4 + 96 + 32 + 11] = 1)),
            ("something follows", changed(&|bytes| bytes.push(0))),
            ("cut", changed(&|bytes| bytes.truncate(bytes.len() - 32))),
        ] {
            assert!(error.starts_with("callData: expected canonical arguments"), "{name}: {error}");
        }
        assert!(decode_calls(&vec![0; MAX_CALL_DATA + 1]).unwrap_err().to_string().contains("128 KiB"));
        let calls = |count| encode_calls(&vec![Call::default(); count], true).unwrap();
        assert_eq!(decode_calls(&calls(800)).unwrap().len(), 800);
    }

    /// The account's own decoder reverts on an address word whose upper bytes are not zero.
    #[test]
    fn dirty_address_words_are_refused() {
        let call = Call { to: Address::repeat_byte(1), ..Call::default() };
        let mut call_data = encode_calls(&[call], false).unwrap().to_vec();
        assert!(decode_calls(&call_data).is_ok());
        call_data[4] = 1;
        assert!(decode_calls(&call_data).is_err());
    }

    #[test]
    fn unreadable_call_data_names_the_field() {
        for bad in [&[][..], &[0, 0, 0x18, 0x9a], &[1, 2, 3, 4]] {
            assert!(decode_calls(bad).unwrap_err().to_string().starts_with("callData"));
        }
    }
}
