//! The approval that lets the token paymaster charge (docs/protocol.md 5.6).

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};

use super::FeeQuote;
use crate::{
    ProtocolError,
    abi::{IErc20, decode},
    smart_account::{Call, decode_calls, encode_calls},
};

/// How much to approve, in the token's smallest unit: the quote rounded up, or everything. Exact,
/// where `@biconomy/use-aa` computes in doubles (123456.789 with 18 decimals gave 123456789000000003637248).
pub fn approval_amount(quote: &FeeQuote, max_approval: bool) -> Result<U256, ProtocolError> {
    if max_approval { Ok(U256::MAX) } else { quote.max_gas_fee.scaled_up(quote.decimal) }
}

/// The call to the fee token that approves `spender`, the token paymaster.
pub fn approval(quote: &FeeQuote, spender: Address, max_approval: bool) -> Result<Call, ProtocolError> {
    if quote.token_address.is_zero() {
        return Err(ProtocolError::invalid("tokenAddress", "address of the fee token", quote.token_address));
    }
    if spender.is_zero() {
        return Err(ProtocolError::invalid("spender", "address of the token paymaster", spender));
    }
    Ok(approve_call(quote.token_address, spender, approval_amount(quote, max_approval)?))
}

/// The call to `token` that allows `spender` to take so much, smallest units.
pub fn approve_call(token: Address, spender: Address, amount: U256) -> Call {
    let data = IErc20::approveCall { spender, amount }.abi_encode().into();
    Call { to: token, value: U256::ZERO, data }
}

/// The account's call data with the approval in front, always a batch. Call data that cannot be read
/// is an error (`@biconomy/use-aa` silently sends it without approval, and the operation then fails).
pub fn patch_call_data(call_data: &[u8], approval: &Call) -> Result<Bytes, ProtocolError> {
    let mut calls = decode_calls(call_data)?;
    calls.insert(0, approval.clone());
    encode_calls(&calls, true)
}

/// What call data approves `spender` to take of `token`: the last approval counts. `None` when there is none, also
/// when the call data cannot be read.
pub fn approved(call_data: &[u8], token: Address, spender: Address) -> Option<U256> {
    let calls = decode_calls(call_data).ok()?;
    let approvals = calls.iter().filter(|call| call.to == token);
    let mut approvals = approvals.filter_map(|call| decode::call::<IErc20::approveCall>(&call.data).ok());
    approvals.rfind(|approval| approval.spender == spender).map(|approval| approval.amount)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_last_approval_of_the_spender_counts() {
        let (token, spender, other) = (Address::repeat_byte(1), Address::repeat_byte(2), Address::repeat_byte(3));
        let approve = |to: Address, spender: Address, amount: u64| {
            let data = IErc20::approveCall { spender, amount: U256::from(amount) }.abi_encode().into();
            Call { to, value: U256::ZERO, data }
        };
        let of = |calls: &[Call]| approved(&encode_calls(calls, true).unwrap(), token, spender);
        assert_eq!(of(&[approve(token, spender, 5), approve(token, other, 9)]), Some(U256::from(5)));
        assert_eq!(of(&[approve(token, spender, 5), approve(token, spender, 0)]), Some(U256::ZERO));
        assert_eq!(of(&[approve(other, spender, 5), approve(token, other, 5)]), None);
        assert_eq!(of(&[Call { to: token, ..Call::default() }]), None);
        assert_eq!(approved(&[], token, spender), None, "an operation that only deploys");
    }
}
