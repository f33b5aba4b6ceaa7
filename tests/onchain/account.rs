//! The account's own rules: who may call, how modules are listed, which errors a client can decode.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::{SolError, SolValue},
};
use serde_json::json;
use use_aa::protocol::{
    abi::ISmartAccount::*,
    addresses::{
        ACCOUNT_IMPLEMENTATION, BATCHED_SESSION_ROUTER, DEMO_NFT, ECDSA_MODULE, ENTRY_POINT, MULTICHAIN_MODULE,
        SESSION_KEY_MANAGER,
    },
};

use super::{
    abi,
    chain::{Chain, Failure},
    fixtures::*,
};

fn error<E: SolError>(error: E) -> Failure {
    Failure::Data(error.abi_encode().into())
}

async fn modules(chain: &Chain, start: Address, size: u64) -> (Vec<Address>, Address) {
    let page = abi::getModulesPaginatedCall { start, size: U256::from(size) };
    let page = chain.call(STRANGER, ACCOUNT, &page).await.unwrap();
    (page.modules, page.next)
}

#[tokio::test]
async fn modules_are_a_list_that_only_the_account_changes() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]).await;
    let all = vec![BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER, ECDSA_MODULE];
    assert_eq!(modules(&chain, SENTINEL, 100).await, (all.clone(), SENTINEL));
    assert_eq!(modules(&chain, SENTINEL, 2).await, (all[..2].to_vec(), ECDSA_MODULE));

    let enable = |module| abi::enableModuleCall { module };
    let disable = |previous, module| abi::disableModuleCall { previous, module };
    let refused = chain.refusal(STRANGER, ACCOUNT, &enable(MULTICHAIN_MODULE)).await;
    assert_eq!(refused, error(CallerIsNotEntryPointOrSelf { caller: STRANGER }));
    let twice = chain.refusal(ACCOUNT, ACCOUNT, &enable(SESSION_KEY_MANAGER)).await;
    assert_eq!(twice, error(ModuleAlreadyEnabled { module: SESSION_KEY_MANAGER }));
    for module in [Address::ZERO, SENTINEL] {
        let unusable = error(ModuleCannotBeZeroOrSentinel { module });
        assert_eq!(chain.refusal(ACCOUNT, ACCOUNT, &enable(module)).await, unusable);
        assert_eq!(chain.refusal(ACCOUNT, ACCOUNT, &disable(SENTINEL, module)).await, unusable);
        assert_eq!(chain.call(STRANGER, ACCOUNT, &abi::isModuleEnabledCall { module }).await, Ok(false));
    }
    let absent = chain.refusal(ACCOUNT, ACCOUNT, &disable(SENTINEL, MULTICHAIN_MODULE)).await;
    let not_behind_it = ModuleAndPrevModuleMismatch {
        expectedModule: MULTICHAIN_MODULE,
        returnedModule: BATCHED_SESSION_ROUTER,
        prevModule: SENTINEL,
    };
    assert_eq!(absent, error(not_behind_it));
    let mismatch = ModuleAndPrevModuleMismatch {
        expectedModule: ECDSA_MODULE,
        returnedModule: BATCHED_SESSION_ROUTER,
        prevModule: SENTINEL,
    };
    assert_eq!(chain.refusal(ACCOUNT, ACCOUNT, &disable(SENTINEL, ECDSA_MODULE)).await, error(mismatch));

    chain.send(ACCOUNT, ACCOUNT, &disable(BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER)).await;
    assert_eq!(modules(&chain, SENTINEL, 9).await, (vec![BATCHED_SESSION_ROUTER, ECDSA_MODULE], SENTINEL));
    let setup = |setupContract| abi::setupAndEnableModuleCall { setupContract, setupData: owner_setup(OWNER) };
    let nowhere = chain.refusal(ACCOUNT, ACCOUNT, &setup(Address::ZERO)).await;
    assert_eq!(nowhere, Failure::Text("Wrong Module Setup Address".into()));
    let setup = setup(MULTICHAIN_MODULE);
    chain.send(ACCOUNT, ACCOUNT, &setup).await;
    let owner = abi::getOwnerCall { smartAccount: ACCOUNT };
    assert_eq!(chain.call(STRANGER, MULTICHAIN_MODULE, &owner).await, Ok(OWNER));
}

#[tokio::test]
async fn the_last_module_cannot_be_taken_away() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[]).await;
    let disable = abi::disableModuleCall { previous: SENTINEL, module: ECDSA_MODULE };
    let only = super::chain::custom_error("CanNotDisableOnlyModule(address)", ECDSA_MODULE.abi_encode());
    assert_eq!(chain.refusal(ACCOUNT, ACCOUNT, &disable).await, only);
}

#[tokio::test]
async fn only_the_entry_point_executes_and_validates() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[]).await;
    let (to, value, data) = (DEMO_NFT, U256::ZERO, Bytes::new());
    let lists = (vec![to], vec![value], vec![data.clone()]);
    for caller in [STRANGER, ACCOUNT] {
        let refused = error(CallerIsNotEntryPoint { caller });
        let call = abi::execute_ncCCall { to, value, data: data.clone() };
        assert_eq!(chain.refusal(caller, ACCOUNT, &call).await, refused);
        let call = abi::executeCall { to, value, data: data.clone() };
        assert_eq!(chain.refusal(caller, ACCOUNT, &call).await, refused);
        let (to, value, data) = lists.clone();
        let call = abi::executeBatch_y6UCall { to, value, data };
        assert_eq!(chain.refusal(caller, ACCOUNT, &call).await, refused);
        let (to, value, data) = lists.clone();
        let call = abi::executeBatchCall { to, value, data };
        assert_eq!(chain.refusal(caller, ACCOUNT, &call).await, refused);
    }
    for (to, value, data) in [(0, 0, 0), (1, 2, 1), (1, 1, 2), (2, 1, 1)] {
        let batch = abi::executeBatch_y6UCall {
            to: vec![DEMO_NFT; to],
            value: vec![U256::ZERO; value],
            data: vec![Bytes::new(); data],
        };
        let (dests, values, funcs) = (U256::from(to), U256::from(value), U256::from(data));
        let wrong = WrongBatchProvided { dests, values, funcs, operations: U256::ZERO };
        assert_eq!(chain.refusal(ENTRY_POINT, ACCOUNT, &batch).await, error(wrong));
    }

    let validate = |module: Address| abi::validateUserOpCall {
        userOp: abi::UserOperation {
            signature: (Bytes::new(), module).abi_encode_params().into(),
            ..empty_operation()
        },
        userOpHash: B256::ZERO,
        missingAccountFunds: U256::ZERO,
    };
    let refused = chain.call(STRANGER, ACCOUNT, &validate(ECDSA_MODULE)).await;
    assert_eq!(refused, Err(error(CallerIsNotAnEntryPoint { caller: STRANGER })));
    let wrong = chain.call(ENTRY_POINT, ACCOUNT, &validate(SESSION_KEY_MANAGER)).await;
    assert_eq!(wrong, Err(error(WrongValidationModule { module: SESSION_KEY_MANAGER })));
    let short = chain.call(ENTRY_POINT, ACCOUNT, &validate(ECDSA_MODULE)).await;
    assert_eq!(short, Err(super::chain::custom_error("WrongSignatureLength()", Vec::new())));
}

#[tokio::test]
async fn nobody_sets_an_account_up_a_second_time() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[]).await;
    let init = abi::initCall { handler: STRANGER, setupContract: ECDSA_MODULE, setupData: owner_setup(STRANGER) };
    for account in [ACCOUNT, ACCOUNT_IMPLEMENTATION] {
        assert_eq!(chain.call(STRANGER, account, &init).await, Err(error(AlreadyInitialized {})));
    }
    let again = abi::initForSmartAccountCall { owner: STRANGER };
    let expected = super::chain::custom_error("AlreadyInitedForSmartAccount(address)", ACCOUNT.abi_encode());
    assert_eq!(chain.call(ACCOUNT, ECDSA_MODULE, &again).await, Err(expected));
}

#[tokio::test]
async fn an_owner_can_hand_over_and_give_up() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[]).await;
    let owner = abi::getOwnerCall { smartAccount: ACCOUNT };
    chain.send(ACCOUNT, ECDSA_MODULE, &abi::transferOwnershipCall { owner: STRANGER }).await;
    assert_eq!(chain.call(STRANGER, ECDSA_MODULE, &owner).await, Ok(STRANGER));
    let to_contract = chain.refusal(ACCOUNT, ECDSA_MODULE, &abi::transferOwnershipCall { owner: DEMO_NFT }).await;
    assert_eq!(to_contract, super::chain::custom_error("NotEOA(address)", DEMO_NFT.abi_encode()));
    chain.send(ACCOUNT, ECDSA_MODULE, &abi::renounceOwnershipCall {}).await;
    let nobody = super::chain::custom_error("NoOwnerRegisteredForSmartAccount(address)", ACCOUNT.abi_encode());
    assert_eq!(chain.call(STRANGER, ECDSA_MODULE, &owner).await, Err(nobody));
}

#[tokio::test]
async fn an_account_receives_ether_and_nfts() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[]).await;
    chain.send(STRANGER, DEMO_NFT, &abi::safeMintCall { to: ACCOUNT }).await;
    assert_eq!(chain.call(STRANGER, DEMO_NFT, &abi::balanceOfCall { owner: ACCOUNT }).await, Ok(U256::ONE));
    let before = chain.balance(ACCOUNT).await;
    let transfer = json!([{ "from": STRANGER, "to": ACCOUNT, "value": "0x7" }]);
    chain.mined(chain.rpc("eth_sendTransaction", transfer).await.unwrap()).await;
    assert_eq!(chain.balance(ACCOUNT).await - before, U256::from(7));
}
