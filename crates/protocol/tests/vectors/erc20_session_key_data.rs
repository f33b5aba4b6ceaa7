//! 02: data of ERC-20 sessions.

use use_aa_protocol::{policy::SessionEpoch, session::SessionLeaf, session_data::Erc20SessionData};

use crate::support::*;

#[test]
fn every_case_has_the_js_sdks_bytes() {
    let file = parse(include_str!("../../../../tests/vectors/02_erc20_session_key_data.json"));
    for case in list(&file, "cases") {
        let (input, output) = (&case["input"], &case["output"]);
        let data = Erc20SessionData {
            session_key_address: address(input, "sessionKey"),
            token: address(input, "token"),
            recipient: address(input, "recipient"),
            max_amount: big(input, "maxAmount"),
        };
        let interval =
            SessionEpoch { valid_until: number(input, "validUntil"), valid_after: number(input, "validAfter") };
        let leaf = SessionLeaf::erc20(&data, interval, "id").unwrap();
        assert_eq!(leaf.session_key_data, bytes(output, "sessionKeyData"));
        assert_eq!(leaf.session_validation_module, address(output, "sessionValidationModule"));
        assert_eq!(leaf.hash(), word(output, "leaf"));
        assert_eq!(Erc20SessionData::decode(&leaf.session_key_data).unwrap(), data);
    }
}

#[test]
fn what_the_js_sdk_rejects_is_rejected_with_the_fields_name() {
    let file = parse(include_str!("../../../../tests/vectors/02_erc20_session_key_data.json"));
    let good = Erc20SessionData {
        session_key_address: [1; 20].into(),
        token: [2; 20].into(),
        recipient: [3; 20].into(),
        max_amount: alloy::primitives::U256::from(1),
    };
    assert_eq!(good.check(), Ok(()));
    for case in list(&file, "rejectedBySdk") {
        let (data, field) = match text(case, "case") {
            "maxAmount 0n" => (Erc20SessionData { max_amount: Default::default(), ..good.clone() }, "maxAmount"),
            "no token" => (Erc20SessionData { token: Default::default(), ..good.clone() }, "token"),
            "no sessionKey" => {
                (Erc20SessionData { session_key_address: Default::default(), ..good.clone() }, "sessionKey")
            }
            other => panic!("no assertion for {other}"),
        };
        let error = SessionLeaf::erc20(&data, SessionEpoch::INDEFINITELY, "id").unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}
