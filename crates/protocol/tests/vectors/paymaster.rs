//! 09: token approvals, patched call data, layouts of `paymasterAndData`.

use alloy::primitives::{Address, U256};
use serde_json::json;
use use_aa_protocol::paymaster::*;

use crate::support::*;

#[test]
fn every_approval_is_the_js_sdks_or_the_exact_one() {
    let file = parse(include_str!("../../../../tests/vectors/09_paymaster.json"));
    let mut inexact = 0;
    for case in list(&file, "approvals") {
        let quote: FeeQuote = serde_json::from_value(case["feeQuote"].clone()).unwrap();
        let (spender, max) = (address(case, "spender"), case["maxApproval"].as_bool().unwrap());
        let output = &case["output"];
        let amount = approval_amount(&quote, max).unwrap();
        let theirs = big(output, "amount");
        let exact = match quote.max_gas_fee.to_string().as_str() {
            // `@biconomy/use-aa` computes in doubles, so it approves another amount than was quoted
            "0.25267043311569887" => Some("252670433115698870"),
            "123456.789" => Some("123456789000000000000000"),
            _ => None,
        };
        let mut approval = approval(&quote, spender, max).unwrap();
        assert_eq!(approval.to, address(&output["approval"], "to"));
        assert_eq!(approval.value, U256::ZERO);
        if let Some(exact) = exact {
            assert_eq!(amount, exact.parse::<U256>().unwrap());
            assert_ne!(amount, theirs, "`@biconomy/use-aa`'s doubles");
            inexact += 1;
            // from here on with `@biconomy/use-aa`'s amount, so that the rest of its bytes is compared, too
            approval.data = [&approval.data[..36], &theirs.to_be_bytes::<32>()].concat().into();
        } else {
            assert_eq!(amount, theirs, "{case}");
        }
        assert_eq!(approval.data, bytes(&output["approval"], "data"));
        let patched = |input: &str| patch_call_data(&bytes(&file, input), &approval).unwrap();
        assert_eq!(patched("executeInput"), bytes(output, "callDataFromExecute"));
        assert_eq!(patched("executeBatchInput"), bytes(output, "callDataFromExecuteBatch"));
    }
    assert_eq!(inexact, 2);
}

#[test]
fn what_the_js_sdk_rejects_is_rejected_and_what_it_swallows_is_an_error() {
    let file = parse(include_str!("../../../../tests/vectors/09_paymaster.json"));
    let quote = |token: &str| json!({ "symbol": "T", "tokenAddress": token, "decimal": 6, "maxGasFee": 1 });
    let zero = "0x0000000000000000000000000000000000000000";
    let good: FeeQuote = serde_json::from_value(quote("0xdA5289fCAAF71d52a80A254da614a192b693e977")).unwrap();
    let spender = Address::repeat_byte(1);
    for case in list(&file, "rejectedBySdk") {
        match text(case, "case") {
            "no token address" => {
                let error = serde_json::from_value::<FeeQuote>(json!({ "symbol": "T", "decimal": 6, "maxGasFee": 1 }));
                assert!(error.unwrap_err().to_string().contains("tokenAddress"));
            }
            "zero token address" => {
                let quote: FeeQuote = serde_json::from_value(quote(zero)).unwrap();
                assert!(approval(&quote, spender, false).unwrap_err().to_string().starts_with("tokenAddress"));
            }
            "zero spender" => {
                assert!(approval(&good, Address::ZERO, false).unwrap_err().to_string().starts_with("spender"));
            }
            "callData 0x (deploy)" => {
                // `@biconomy/use-aa` silently sends the operation without the approval; it would fail on chain
                let call = approval(&good, spender, false).unwrap();
                assert!(patch_call_data(&[], &call).unwrap_err().to_string().starts_with("callData"));
            }
            other => panic!("no assertion for {other}"),
        }
    }
}

#[test]
fn every_layout_and_signed_hash_is_the_contracts() {
    let file = parse(include_str!("../../../../tests/vectors/09_paymaster.json"));
    let operations = parse(include_str!("../../../../tests/vectors/04_userop_hashes.json"));
    // the vector's "case 3" counts `@biconomy/use-aa`'s full list; the file holds a part of it, under this name
    let op = list(&operations, "cases").iter().find(|case| case["name"] == "deployed, sponsored").unwrap();
    let op = user_operation(&op["userOp"]);
    for case in list(&file, "paymasterAndData") {
        let (output, chain_id) = (&case["output"], number(case, "chainId"));
        assert_eq!(text(case, "userOpFrom"), "04_userop_hashes.json case 3");
        let expected = bytes(output, "paymasterAndData");
        let (paymaster, valid_until, valid_after) =
            (address(case, "paymaster"), number(case, "validUntil"), number(case, "validAfter"));
        let signature = bytes(output, "signature");
        let (encoded, hash) = match text(case, "kind") {
            "verifying v1.1.0" => {
                let paymaster_id = address(case, "paymasterId");
                let data = VerifyingPaymasterData { paymaster, paymaster_id, valid_until, valid_after, signature };
                assert_eq!(VerifyingPaymasterData::decode(&expected).unwrap(), data);
                (data.encode(), data.hash(&op, chain_id).unwrap())
            }
            _ => {
                let data = TokenPaymasterData {
                    paymaster,
                    price_source: u8::try_from(number(case, "priceSource")).unwrap(),
                    valid_until,
                    valid_after,
                    fee_token: address(case, "feeToken"),
                    oracle_aggregator: address(case, "oracleAggregator"),
                    exchange_rate: big(case, "exchangeRate"),
                    price_markup: u32::try_from(number(case, "priceMarkup")).unwrap(),
                    signature,
                };
                assert_eq!(TokenPaymasterData::decode(&expected).unwrap(), data);
                assert_eq!(expected.len(), TOKEN_PAYMASTER_AND_DATA);
                (data.encode(), data.hash(&op, chain_id).unwrap())
            }
        };
        assert_eq!(encoded, expected);
        assert_eq!(hash, word(output, "hash"));
        let key = test_key(number(case, "verifyingSignerTestKeyIndex"));
        assert_eq!(personal_sign(&key, hash), bytes(output, "signature"));
    }
}
