//! 05: counterfactual addresses and init code.

use alloy::primitives::{U256, keccak256};
use use_aa_protocol::{
    addresses::*,
    smart_account::{AccountTemplate, counterfactual_address, init_code},
};

use crate::support::*;

#[test]
fn the_constants_are_those_of_the_js_sdk() {
    let file = parse(include_str!("../../../../tests/vectors/05_counterfactual_addresses.json"));
    let constants = &file["constants"];
    assert_eq!(address(constants, "factory"), ACCOUNT_FACTORY);
    assert_eq!(address(constants, "implementation"), ACCOUNT_IMPLEMENTATION);
    assert_eq!(address(constants, "fallbackHandler"), FALLBACK_HANDLER);
    assert_eq!(address(constants, "ecdsaModule"), ECDSA_MODULE);
    assert_eq!(word(constants, "proxyInitCodeHash"), PROXY_INIT_CODE_HASH);
}

#[test]
fn every_case_has_the_js_sdks_address_salt_and_init_code() {
    let file = parse(include_str!("../../../../tests/vectors/05_counterfactual_addresses.json"));
    for case in list(&file, "cases") {
        let (owner, module) = (address(case, "owner"), address(case, "module"));
        let index = case["index"].as_u64().map_or_else(|| big(case, "index"), U256::from);
        let template = AccountTemplate::with_module(module, owner);
        assert_eq!(template.setup_data, bytes(case, "moduleSetupData"), "{case}");
        assert_eq!(template.address(index), address(case, "address"), "{case}");
        if module == ECDSA_MODULE {
            assert_eq!(template.init_call(), bytes(case, "initCalldata").to_vec(), "{case}");
            assert_eq!(keccak256(template.init_call()), word(case, "initCalldataHash"), "{case}");
            assert_eq!(template.salt(index), word(case, "salt"), "{case}");
            assert_eq!(template.factory_data(index), bytes(case, "factoryData"), "{case}");
            assert_eq!(template.init_code(index), bytes(case, "initCode"), "{case}");
            assert_eq!(counterfactual_address(owner, index), address(case, "address"));
            assert_eq!(init_code(owner, index), bytes(case, "initCode"));
            assert_eq!(init_code(owner, index).len(), 216);
        }
    }
    for pair in list(&file, "knownPairsFromSdkTests") {
        let index = U256::from(number(pair, "index"));
        assert_eq!(counterfactual_address(address(pair, "owner"), index), address(pair, "address"));
        assert_eq!(address(pair, "address"), address(pair, "expectedInSdkTests"));
    }
}
