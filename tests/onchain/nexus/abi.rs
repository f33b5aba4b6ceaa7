//! The protocol's own interfaces, held to the real contracts, and vectors' JSON as their types.

use alloy::primitives::{Address, Bytes, U256};
use serde_json::Value;
pub use use_aa::protocol::{
    abi::{
        IEcdsaModule::{getOwnerCall, transferOwnershipCall},
        nexus::{
            BootstrapConfig, IK1ValidatorFactory,
            INexus::{
                accountIdCall, executeCall, getValidatorsPaginatedCall, initializeAccountCall, installModuleCall,
                isModuleInstalledCall, isValidSignatureCall,
            },
            INexusBootstrap::initNexusScopedCall,
            INexusFactory::computeAccountAddressCall,
        },
        smart_sessions::{
            ActionData, ChainDigest, ERC7739Context, ERC7739Data, EnableSession,
            ISessionPolicy::supportsInterfaceCall,
            ISessionValidator::validateSignatureWithDataCall,
            ISmartSession::{
                disableActionPoliciesCall, enableSessionsCall, getEnabledActionsCall, getPermissionIDsCall,
                getPermissionIdCall, getSessionDigestCall, isModuleTypeCall, isPermissionEnabledCall,
                isValidSignatureWithSenderCall, onInstallCall, removeSessionCall, revokeEnableSignatureCall,
            },
            PolicyData, Session,
        },
    },
    entry_point::v07::{
        PackedUserOperation,
        abi::{
            IEntryPointV07::{
                FailedOp, FailedOpWithRevert, PostOpRevertReason, UserOperationEvent, balanceOfCall, getNonceCall,
                getUserOpHashCall, handleOpsCall,
            },
            IOverUserOperations::{validatePaymasterUserOpCall, validateUserOpCall},
            ITokenPaymaster, IVerifyingPaymaster, TokenPaymasterTerms,
        },
    },
};

use super::super::abi::parse;

/// An operation of a vector file, packed by hand; gas fields from `gas` when they are kept apart.
pub fn packed(value: &Value, gas: &Value) -> PackedUserOperation {
    let number = |field: &str| {
        let found = [&value[field], &gas[field]].into_iter().find(|found| found.is_string());
        found.map_or(U256::ZERO, parse::<U256>)
    };
    let bytes = |field: &str| value[field].as_str().map_or_else(Bytes::new, |_| parse::<Bytes>(&value[field]));
    let pair = |first: &str, second: &str| [half(number(first)), half(number(second))].concat();
    let factory = [bytes("factory"), bytes("factoryData")].concat();
    let paymaster = match value["paymaster"].as_str() {
        Some(_) => [
            bytes("paymaster").to_vec(),
            pair("paymasterVerificationGasLimit", "paymasterPostOpGasLimit"),
            bytes("paymasterData").to_vec(),
        ]
        .concat(),
        None => Vec::new(),
    };
    PackedUserOperation {
        sender: parse(&value["sender"]),
        nonce: number("nonce"),
        initCode: factory.into(),
        callData: bytes("callData"),
        accountGasLimits: pair("verificationGasLimit", "callGasLimit").as_slice().try_into().expect("32 bytes"),
        preVerificationGas: number("preVerificationGas"),
        gasFees: pair("maxPriorityFeePerGas", "maxFeePerGas").as_slice().try_into().expect("32 bytes"),
        paymasterAndData: paymaster.into(),
        signature: bytes("signature"),
    }
}

/// The lower 16 bytes, which must hold all of it.
pub fn half(number: U256) -> Vec<u8> {
    u128::try_from(number).expect("128 bits").to_be_bytes().to_vec()
}

pub fn session(value: &Value) -> Session {
    let items = |value: &Value| value.as_array().expect("a list").clone();
    let policies = |value: &Value| {
        let policy = |item: &Value| PolicyData { policy: parse(&item["policy"]), initData: parse(&item["initData"]) };
        items(value).iter().map(policy).collect::<Vec<_>>()
    };
    let content = |item: &Value| ERC7739Context {
        appDomainSeparator: parse(&item["appDomainSeparator"]),
        contentNames: items(&item["contentNames"]).iter().map(parse).collect(),
    };
    let action = |item: &Value| ActionData {
        actionTargetSelector: parse(&item["actionTargetSelector"]),
        actionTarget: parse(&item["actionTarget"]),
        actionPolicies: policies(&item["actionPolicies"]),
    };
    Session {
        sessionValidator: parse(&value["sessionValidator"]),
        sessionValidatorInitData: parse(&value["sessionValidatorInitData"]),
        salt: parse(&value["salt"]),
        userOpPolicies: policies(&value["userOpPolicies"]),
        erc7739Policies: ERC7739Data {
            allowedERC7739Content: items(&value["erc7739Policies"]["allowedERC7739Content"])
                .iter()
                .map(content)
                .collect(),
            erc1271Policies: policies(&value["erc7739Policies"]["erc1271Policies"]),
        },
        actions: items(&value["actions"]).iter().map(action).collect(),
        permitERC4337Paymaster: value["permitERC4337Paymaster"].as_bool().expect("a flag"),
    }
}

/// `mode` of a single call that reverts when the call does.
pub fn execute_single(target: Address, value: U256, data: &[u8]) -> Bytes {
    use alloy::sol_types::SolCall;
    let packed = [target.as_slice(), &value.to_be_bytes::<32>(), data].concat();
    executeCall { mode: Default::default(), executionCalldata: packed.into() }.abi_encode().into()
}
