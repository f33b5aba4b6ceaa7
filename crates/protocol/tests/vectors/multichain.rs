//! 12: one owner's signature for operations on several chains.

use use_aa_protocol::{
    addresses::MULTICHAIN_MODULE,
    multichain::{MultichainOperation, sign, tree},
};

use crate::support::*;

#[test]
fn every_group_has_the_js_sdks_leaves_and_signatures() {
    let file = parse(include_str!("../../../../tests/vectors/12_multichain_signatures.json"));
    assert_eq!(address(&file, "module"), MULTICHAIN_MODULE);
    for case in list(&file, "cases") {
        let operations: Vec<MultichainOperation> = list(case, "ops")
            .iter()
            .map(|op| MultichainOperation {
                user_op_hash: word(op, "userOpHash"),
                valid_until: number(op, "validUntil"),
                valid_after: number(op, "validAfter"),
            })
            .collect();
        for (operation, expected) in operations.iter().zip(list(case, "ops")) {
            assert_eq!(operation.leaf().unwrap(), word(expected, "leaf"));
        }
        let root = tree(&operations).unwrap().root().unwrap();
        let owner_signature = personal_sign(&test_key(number(case, "signerTestKeyIndex")), root);
        for (index, expected) in list(case, "signatures").iter().enumerate() {
            let signed = sign(&operations, index, &owner_signature).unwrap();
            assert_eq!(signed.to_string(), expected.as_str().unwrap(), "{}", text(case, "name"));
        }
        assert!(sign(&operations, operations.len(), &owner_signature).is_err());
    }
    assert!(tree(&[]).is_err());
    let late = MultichainOperation { user_op_hash: Default::default(), valid_until: 1 << 48, valid_after: 0 };
    assert!(late.leaf().unwrap_err().to_string().starts_with("validUntil"));
}
