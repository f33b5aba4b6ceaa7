//! Vectors 16: the real factory, real accounts, and our K1 factory over them.

use alloy::{
    primitives::{Address, B256, Bytes, U256, address},
    sol_types::SolValue,
};
use serde_json::Value;
use use_aa::lab::contracts::nexus::{
    ENTRY_POINT_V07, NEXUS_BOOTSTRAP, NEXUS_FACTORY, NEXUS_IMPLEMENTATION, NEXUS_K1_FACTORY, OWNER_VALIDATOR,
    SMART_SESSION,
};

use super::{
    super::{
        abi::{list, parse, vectors},
        chain::selector,
    },
    abi::*,
    world::{ACCOUNT, BUNDLER, NFT, OWNER, back_to, place_account, snapshot, start, with_account},
};

#[tokio::test]
async fn addresses_of_vectors_16_come_out_of_the_factory() {
    let chain = start().await;
    let file = vectors("16_nexus.json");
    let constants = &file["constants"]["npm snapshot"];
    for (name, address) in
        [("implementation", NEXUS_IMPLEMENTATION), ("bootstrap", NEXUS_BOOTSTRAP), ("factory", NEXUS_FACTORY)]
    {
        assert_eq!(parse::<Address>(&constants[name]), address);
    }
    let mut created = 0;
    for case in list(&file, "cases") {
        let output = &case["output"];
        let (factory, address): (Address, Address) = (parse(&output["factory"]), parse(&output["address"]));
        let salt: B256 = parse(&output["create2Salt"]);
        assert_eq!(factory.create2(salt, parse::<B256>(&output["initCodeHash"])), address, "{case}");
        // the byte code of the public releases is in no package
        if factory != NEXUS_FACTORY {
            continue;
        }
        let (init_data, salt): (Bytes, B256) = (parse(&output["initData"]), parse(&case["salt"]));
        let bootstrap = (NEXUS_BOOTSTRAP, parse::<Bytes>(&case["bootstrapCall"])).abi_encode_params();
        assert_eq!(init_data, Bytes::from(bootstrap));
        let ask = computeAccountAddressCall { initData: init_data.clone(), salt };
        assert_eq!(chain.call(BUNDLER, factory, &ask).await, Ok(address));
        let owner: Address = parse(&case["owner"]);
        let index = U256::from_be_bytes(salt.0);
        // our K1 factory says the same address, and finds the account that the real one made
        let k1 = IK1ValidatorFactory::computeAccountAddressCall {
            eoaOwner: owner,
            index,
            attesters: Vec::new(),
            threshold: 0,
        };
        assert_eq!(chain.call(BUNDLER, NEXUS_K1_FACTORY, &k1).await, Ok(address));
        chain.send_data(BUNDLER, factory, &parse(&output["factoryData"])).await;
        let again =
            IK1ValidatorFactory::createAccountCall { eoaOwner: owner, index, attesters: Vec::new(), threshold: 0 };
        chain.send(BUNDLER, NEXUS_K1_FACTORY, &again).await;
        assert_eq!(chain.call(BUNDLER, address, &accountIdCall {}).await, Ok("biconomy.nexus.1.0.0".to_owned()));
        assert_eq!(chain.call(BUNDLER, OWNER_VALIDATOR, &getOwnerCall { smartAccount: address }).await, Ok(owner));
        created += 1;
    }
    assert_eq!(created, 7);
}

#[tokio::test]
async fn the_k1_factory_creates_accounts_by_owner_index_and_attesters() {
    let chain = start().await;
    let mut seen = std::collections::BTreeSet::new();
    for (owner, index, attesters, threshold) in
        [(OWNER, 0, vec![], 0), (OWNER, 1, vec![], 0), (BUNDLER, 0, vec![], 0), (OWNER, 0, vec![BUNDLER], 1)]
    {
        let index = U256::from(index);
        let ask = IK1ValidatorFactory::computeAccountAddressCall {
            eoaOwner: owner,
            index,
            attesters: attesters.clone(),
            threshold,
        };
        let address = chain.call(BUNDLER, NEXUS_K1_FACTORY, &ask).await.unwrap();
        assert!(chain.code(address).await.is_empty());
        let create = IK1ValidatorFactory::createAccountCall { eoaOwner: owner, index, attesters, threshold };
        assert_eq!(chain.call(BUNDLER, NEXUS_K1_FACTORY, &create).await, Ok(address));
        chain.send(BUNDLER, NEXUS_K1_FACTORY, &create).await;
        assert!(!chain.code(address).await.is_empty());
        assert_eq!(chain.call(BUNDLER, OWNER_VALIDATOR, &getOwnerCall { smartAccount: address }).await, Ok(owner));
        assert!(seen.insert(address), "each has an address of its own");
    }
    // an owner that is none
    let nobody = IK1ValidatorFactory::createAccountCall {
        eoaOwner: Address::ZERO,
        index: U256::ZERO,
        attesters: Vec::new(),
        threshold: 0,
    };
    chain.refusal(BUNDLER, NEXUS_K1_FACTORY, &nobody).await;
}

#[tokio::test]
async fn executions_and_nonces_of_vectors_16_are_those_of_a_real_account() {
    let chain = with_account().await;
    let file = vectors("16_nexus.json");
    for case in list(&file, "executeEncodings") {
        let call_data: Bytes = parse(&case["output"]["callData"]);
        let answer = chain.call_data(ENTRY_POINT_V07, ACCOUNT, &call_data, None).await;
        let expected = match case["output"]["calledByEntryPointOnRealAccount"].as_str().unwrap() {
            "accepted" => Ok(Bytes::new()),
            other => Err(other.strip_prefix("reverted ").expect("reverted").parse().unwrap()),
        };
        assert_eq!(answer, expected, "{}", case["name"]);
        let stranger = chain.call_data(BUNDLER, ACCOUNT, &call_data, None).await;
        let refused: Bytes = parse(&file["errorSelectors"]["AccountAccessUnauthorized()"]);
        assert_eq!(stranger, Err(refused), "{}: only the EntryPoint may", case["name"]);
    }
    // the account answers a token's question with four bytes, not with a word: our NFT takes that for a yes
    let mint = [selector("safeMint(address)").to_vec(), ACCOUNT.abi_encode()].concat();
    chain.send_data(ENTRY_POINT_V07, ACCOUNT, &execute_single(NFT, U256::ZERO, &mint)).await;
    for case in list(&file, "nonceKeys") {
        let key: U256 = parse(&case["output"]["key192"]);
        let ask = getNonceCall { sender: Address::repeat_byte(1), key: key.to() };
        let nonce: U256 = parse(&case["output"]["entryPointGetNonceOfUnusedAccount"]);
        assert_eq!(chain.call(BUNDLER, ENTRY_POINT_V07, &ask).await, Ok(nonce), "{}", case["name"]);
    }
}

#[tokio::test]
async fn module_calls_of_vectors_16_are_understood_by_a_real_account() {
    let chain = start().await;
    let account = address!("BbF122c2a25f1434eDBBbbE550C56c52027113b5");
    place_account(&chain, account, OWNER_VALIDATOR, OWNER.to_vec()).await;
    let sentinel = Address::with_last_byte(1);
    let page = getValidatorsPaginatedCall { cursor: sentinel, size: U256::from(10) };
    let listed = chain.call(BUNDLER, account, &page).await.unwrap().array;
    assert_eq!(listed, [SMART_SESSION, OWNER_VALIDATOR], "the latest installed first");

    let file = vectors("16_nexus.json");
    let mut fresh = snapshot(&chain).await;
    let named = |name: &str| -> &Value {
        list(&file, "moduleCalls").iter().find(|case| case["name"].as_str().unwrap().starts_with(name)).unwrap()
    };
    let data = |name: &str| parse::<Bytes>(&named(name)["output"]["callData"]);
    let removal = "uninstall SmartSession";
    assert_eq!(parse::<Address>(&named(removal)["account"]), account);
    chain.send_data(account, account, &data(removal)).await;
    let ask =
        isModuleInstalledCall { moduleTypeId: U256::from(1), module: SMART_SESSION, additionalContext: Bytes::new() };
    assert_eq!(chain.call(BUNDLER, account, &ask).await, Ok(false));
    chain.send_data(account, account, &data("install validator SmartSession")).await;
    assert_eq!(chain.call(BUNDLER, account, &ask).await, Ok(true));

    // the owner validator is not the first of the list here: the entry before it is another than the call says
    back_to(&chain, &mut fresh).await;
    let wrong = chain.call_data(account, account, &data("uninstall validator"), None).await;
    assert!(wrong.is_err(), "{wrong:?}");
    // a contract that is no module
    let executor = chain.call_data(account, account, &data("install executor"), None).await;
    assert!(executor.is_err(), "{executor:?}");
}
